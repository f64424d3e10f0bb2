import { shortDigest } from "../../core/digest.ts";
import type { Finding, Level, Rule } from "../../core/finding.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Paint } from "../io.ts";
import { renderFinding, steps, wrap, wrapStep } from "./finding.ts";
import { shown } from "./shown.ts";

const WORD = { allow: "allowed", deny: "denied", "cannot-tell": "cannot tell" } as const;
const SIGN = { allow: "✔", deny: "✖", "cannot-tell": "◌" } as const;
const COLOUR = { allow: "green", deny: "red", "cannot-tell": "yellow" } as const;

/** What a rendering needs beside the verdict. */
export interface VerdictText {
  paint: Paint;
  width: number;
  rules: ReadonlyMap<string, Rule>;
  /** Texts whose lines can be shown, by file name. */
  sources: ReadonlyMap<string, string>;
  /** The level that the caller asked for; the manifest may have raised it. */
  asked: Level;
}

/** The verdict first, then what failed, then what was not evaluated, and the next step last. */
export function renderVerdict(verdict: Verdict, options: VerdictText): string {
  const { paint, width } = options;
  const word = paint(COLOUR[verdict.outcome], `${SIGN[verdict.outcome]} ${WORD[verdict.outcome]}`);
  const release = verdict.release ? `release ${shortDigest(verdict.release)}` : "no release digest";
  const raised = verdict.level === options.asked ? "" : ", which waybill.yaml demands";
  const lines = [
    `${word}  ${shown(verdict.agent)}  ${release}  door ${verdict.door}, level ${verdict.level}${raised}`,
    ...wrap(shown(verdict.reason), width - 2, "").map((line) => `  ${line}`),
  ];
  if (verdict.signedBy.length > 0) {
    const who = verdict.signedBy.map((s) => `${shown(s.principal)} (${by(s)})`).join(", ");
    lines.push(`  signed by ${who}`);
  }
  if (verdict.trust.origin === "self-asserted")
    lines.push(
      `  ${paint("yellow", "trust is self-asserted")}: ${shown(verdict.trust.file ?? "")} lies in the agent's own folder`,
    );
  else if (verdict.trust.origin === "operator" && verdict.door !== "ci")
    lines.push(`  trust from ${shown(verdict.trust.file ?? "")}`);
  for (const note of verdict.notes)
    lines.push(...wrap(shown(note), width - 2, "").map((line) => `  ${line}`));
  lines.push("");
  const show = (finding: Finding, severity: "error" | "note") =>
    lines.push(renderFinding(finding, { ...options, severity }));
  for (const finding of verdict.blocking) show(finding, "error");
  for (const finding of verdict.advisory) show(finding, "note");
  lines.push(
    ...notEvaluated(verdict, options),
    checked(verdict, options),
    counts(verdict, paint),
    ...nextStep(verdict, options),
  );
  return `${lines.join("\n")}\n`;
}

function notEvaluated(verdict: Verdict, { paint, width, rules }: VerdictText): string[] {
  if (verdict.notEvaluated.length === 0) return [];
  const groups = Map.groupBy(verdict.notEvaluated, (item) => `${item.required}${item.reason}`);
  const lines = [paint("bold", "not evaluated")];
  for (const items of groups.values()) {
    const { code, required, reason } = items[0]!;
    const one = items.length === 1 ? ` ${rules.get(code)?.title ?? ""}` : "";
    const codes = items.map((item) => item.code).toSorted();
    const text = `${codes.join(", ")}${one}${required ? " (required)" : ""}: ${shown(reason)}`;
    const [first, ...rest] = wrap(text, width - 4, "");
    lines.push(`  ${paint("yellow", "◌")} ${first}`, ...rest.map((line) => `    ${line}`));
  }
  return [...lines, ""];
}

function by({ key, identity }: Verdict["signedBy"][number]): string {
  return key === undefined ? shown(identity ?? "") : `key ${key.slice(0, 12)}`;
}

/** What was looked at, by group: how many of its checks passed, under the sign of the worst of them. */
function checked(verdict: Verdict, { paint, rules }: VerdictText): string {
  const groups = Map.groupBy(verdict.results, (result) => rules.get(result.code)?.group ?? "hygiene");
  const parts = [...groups].map(([group, results]) => {
    const passed = results.filter((result) => result.status === "pass").length;
    const text = `${group} ${passed}/${results.length}`;
    if (results.some((result) => result.status === "fail")) return paint("red", `✖ ${text}`);
    return passed === results.length ? paint("green", `✔ ${text}`) : paint("yellow", `◌ ${text}`);
  });
  return `checked  ${parts.join("  ")}`;
}

function counts(verdict: Verdict, paint: Paint): string {
  const of = (status: string) => verdict.results.filter((result) => result.status === status).length;
  return [
    paint("green", `✔ ${of("pass")} passed`),
    paint("red", `✖ ${of("fail")} failed`),
    paint("yellow", `◌ ${of("not-evaluated")} not evaluated`),
  ].join("  ");
}

/** The verdict once more, for whoever reads from the end, and what to do: each command on a line of its own. */
function nextStep(verdict: Verdict, { rules, width }: VerdictText): string[] {
  if (verdict.outcome === "allow") {
    if (verdict.level === "observe") return ["allowed: observed only, nothing was enforced"];
    return [verdict.door === "ci" ? "allowed: commit waybill.yaml and waybill.lock" : "allowed"];
  }
  const first = verdict.blocking[0];
  const open = verdict.notEvaluated.find((item) => item.required);
  const code = first?.code ?? open?.code ?? "";
  const fix = first?.fix ?? rules.get(code)?.fix.replace("TARGET", verdict.target) ?? "";
  const word = `${WORD[verdict.outcome]}: `;
  const lines = steps(fix).flatMap((step) => wrapStep(shown(step), width - word.length));
  lines.push(`more: waybill explain ${code}`);
  return lines.map((line, i) => (i === 0 ? word : " ".repeat(word.length)) + line);
}

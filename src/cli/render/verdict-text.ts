import { shortDigest } from "../../core/digest.ts";
import type { Finding, Rule } from "../../core/finding.ts";
import { safeText } from "../../core/safe-text.ts";
import type { Verdict } from "../../core/verdict.ts";
import type { Paint } from "../io.ts";
import { renderFinding, wrap } from "./finding.ts";

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
}

/** The verdict first, then what failed, then what was not evaluated, and the next step last. */
export function renderVerdict(verdict: Verdict, options: VerdictText): string {
  const { paint, width } = options;
  const word = paint(COLOUR[verdict.outcome], `${SIGN[verdict.outcome]} ${WORD[verdict.outcome]}`);
  const release = verdict.release ? `release ${shortDigest(verdict.release)}` : "no release digest";
  const lines = [
    `${word}  ${safeText(verdict.agent)}  ${release}  door ${verdict.door}, level ${verdict.level}`,
    ...wrap(safeText(verdict.reason), width - 2, "").map((line) => `  ${line}`),
  ];
  if (verdict.signedBy.length > 0) {
    const who = verdict.signedBy
      .map((s) => `${safeText(s.principal)} (key ${s.key.slice(0, 12)})`)
      .join(", ");
    lines.push(`  signed by ${who}`);
  }
  if (verdict.trust.origin === "self-asserted")
    lines.push(
      `  ${paint("yellow", "trust is self-asserted")}: ${safeText(verdict.trust.file ?? "")} lies in the agent's own folder`,
    );
  else if (verdict.trust.origin === "operator" && verdict.door !== "ci")
    lines.push(`  trust from ${safeText(verdict.trust.file ?? "")}`);
  lines.push("");
  const show = (finding: Finding, severity: "error" | "note") =>
    lines.push(renderFinding(finding, { ...options, severity }));
  for (const finding of verdict.blocking) show(finding, "error");
  for (const finding of verdict.advisory) show(finding, "note");
  lines.push(...notEvaluated(verdict, options), counts(verdict, paint), nextStep(verdict));
  return `${lines.join("\n")}\n`;
}

function notEvaluated(verdict: Verdict, { paint, width, rules }: VerdictText): string[] {
  if (verdict.notEvaluated.length === 0) return [];
  const groups = Map.groupBy(verdict.notEvaluated, (item) => item.reason);
  const lines = [paint("bold", "not evaluated")];
  for (const [reason, items] of groups) {
    const titles = items.map((item) => `${item.code}${item.required ? " (required)" : ""}`);
    const one = items.length === 1 ? ` ${rules.get(items[0]!.code)?.title ?? ""}` : "";
    const text = `${titles.join(", ")}${one}: ${safeText(reason)}`;
    const [first, ...rest] = wrap(text, width - 4, "");
    lines.push(`  ${paint("yellow", "◌")} ${first}`, ...rest.map((line) => `    ${line}`));
  }
  return [...lines, ""];
}

function counts(verdict: Verdict, paint: Paint): string {
  const of = (status: string) => verdict.results.filter((result) => result.status === status).length;
  return [
    paint("green", `✔ ${of("pass")} passed`),
    paint("red", `✖ ${of("fail")} failed`),
    paint("yellow", `◌ ${of("not-evaluated")} not evaluated`),
  ].join("  ");
}

function nextStep(verdict: Verdict): string {
  if (verdict.outcome === "deny") {
    const first = verdict.blocking[0]!;
    return `denied: ${safeText(first.fix)}   (more: waybill explain ${first.code})`;
  }
  if (verdict.outcome === "cannot-tell") {
    const first = verdict.notEvaluated.find((item) => item.required)!;
    return `cannot tell: make ${first.code} answerable   (how: waybill explain ${first.code})`;
  }
  if (verdict.level === "observe") return "allowed: observed only, nothing was enforced";
  return verdict.door === "ci" ? "allowed: commit waybill.yaml and waybill.lock" : "allowed";
}

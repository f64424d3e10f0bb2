import type { BundleOutcome } from "../../flows/verify-bundles.ts";
import type { Io } from "../io.ts";
import { shown } from "./shown.ts";

/** One line a bundle, what was not evaluated beneath it, then what failed. */
export async function renderBundles(
  outcomes: readonly BundleOutcome[],
  { paint, width }: Pick<Io, "paint" | "width">,
): Promise<string> {
  const wide = Math.min(Math.max(...outcomes.map(({ file }) => shown(file).length)), 60);
  const lines = outcomes.flatMap((outcome) => [
    line(outcome, wide, paint),
    ...outcome.notEvaluated.flatMap((missing) =>
      folded(shown(missing), width - 4).map((text, i) => `  ${i === 0 ? paint("yellow", "◌") : " "} ${text}`),
    ),
  ]);
  const findings = outcomes.flatMap((outcome) => outcome.findings);
  if (findings.length > 0) {
    const { renderFinding } = await import("./finding.ts");
    const options = { paint, width, severity: "error", sources: new Map<string, string>() } as const;
    lines.push("", ...findings.map((finding) => renderFinding(finding, options)));
  }
  if (outcomes.length > 1) {
    const good = outcomes.filter(({ accepted }) => accepted).length;
    lines.push(`${findings.length > 0 ? "" : "\n"}${good} of ${outcomes.length} bundles accepted`);
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

/** A sentence with what to do about it, in a second line where one is too narrow. */
function folded(text: string, width: number): string[] {
  const at = text.indexOf(": ");
  return text.length <= width || at === -1 ? [text] : [text.slice(0, at + 1), text.slice(at + 2)];
}

function line(outcome: BundleOutcome, wide: number, paint: Io["paint"]): string {
  const file = shown(outcome.file).padEnd(wide);
  if (!outcome.accepted) {
    const codes = outcome.findings.map(({ code }) => code).join(", ");
    return `${paint("red", "✖")} ${file}  refused  ${codes}`;
  }
  const earliest = outcome.times.toSorted((a, b) => (a.at < b.at ? -1 : 1))[0];
  const parts = [
    signerText(outcome),
    earliest ? `signed by ${earliest.at} (${shown(earliest.authority)})` : "at no proved time",
    ...outcome.logged.map(({ origin, index }) => `in ${shown(origin)} as ${index}`),
    ...(outcome.logged.length === 0 ? ["in no trusted log"] : []),
  ];
  return `${paint("green", "✔")} ${file}  ${parts.join("  ")}`;
}

function signerText({ signer, principal }: BundleOutcome): string {
  const who = principal === undefined ? "" : `${shown(principal)}: `;
  if (signer === undefined) return "";
  if (signer.kind === "key") return `${who}key ${signer.keyId.slice(0, 12)}`;
  return `${who}${shown(signer.identity.subjects.join(", "))}`;
}

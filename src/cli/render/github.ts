import type { Finding } from "../../core/finding.ts";
import { safeText } from "../../core/safe-text.ts";
import type { Verdict } from "../../core/verdict.ts";
import { shown } from "./shown.ts";

/** GitHub workflow commands: one annotation a finding, and one for all that was not evaluated. */
export function renderGithub(verdict: Verdict): string {
  const lines = [
    ...verdict.blocking.map((finding) => annotation("error", finding)),
    ...verdict.advisory.map((finding) => annotation("notice", finding)),
    ...verdict.notEvaluated.map((item) => {
      const level = item.required ? "error" : "notice";
      return `::${level} title=${property(`${item.code} not evaluated`)}::${message(item.reason)}`;
    }),
  ];
  const word = { allow: "allowed", deny: "denied", "cannot-tell": "cannot tell" }[verdict.outcome];
  lines.push(`waybill: ${word}: ${shown(verdict.reason)}`);
  return `${lines.join("\n")}\n`;
}

function annotation(level: string, finding: Finding): string {
  const { where } = finding;
  const file = where?.file ?? finding.path ?? "waybill.yaml";
  const at = where ? `,line=${where.line},col=${where.column},endColumn=${where.column + where.length}` : "";
  const pairs = [
    ...(finding.expected ? [`expected ${finding.expected}`] : []),
    ...(finding.found ? [`found ${finding.found}`] : []),
  ];
  const text = [
    finding.message,
    ...pairs,
    ...(finding.details ?? []),
    `why: ${finding.why}`,
    `fix: ${finding.fix}`,
  ];
  return `::${level} file=${property(file)}${at},title=${property(finding.code)}::${text.map(message).join("%0A")}`;
}

/** Escapes as the runner unescapes: a finding cannot end its line and begin a command of its own. */
function message(text: string): string {
  return safeText(text).replaceAll("%", "%25");
}

function property(text: string): string {
  return message(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

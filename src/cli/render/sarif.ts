import type { Finding, Rule } from "../../core/finding.ts";
import type { Verdict } from "../../core/verdict.ts";

/**
 * SARIF 2.1.0 (OASIS): one run, the rules that have findings, and a result for each finding. What was not
 * evaluated goes out as a notification, so that an empty list of results is not read as clean.
 */
export function renderSarif(verdict: Verdict, rules: ReadonlyMap<string, Rule>, version: string): string {
  const findings = [
    ...verdict.blocking.map((finding) => ({ finding, level: "error" })),
    ...verdict.advisory.map((finding) => ({ finding, level: "note" })),
  ];
  const codes = [...new Set(findings.map(({ finding }) => finding.code))];
  const run = {
    tool: {
      driver: {
        name: "waybill",
        version,
        rules: codes.map((code) => ({
          id: code,
          shortDescription: { text: rules.get(code)?.title ?? code },
          fullDescription: { text: rules.get(code)?.why ?? code },
          help: { text: rules.get(code)?.fix ?? code },
        })),
      },
    },
    invocations: [
      {
        executionSuccessful: verdict.outcome !== "cannot-tell",
        toolExecutionNotifications: verdict.notEvaluated.map((item) => ({
          level: item.required ? "error" : "note",
          message: { text: `${item.code} not evaluated: ${item.reason}` },
          descriptor: { id: item.code },
        })),
      },
    ],
    columnKind: "utf16CodeUnits",
    results: findings.map(({ finding, level }) => ({
      ruleId: finding.code,
      ruleIndex: codes.indexOf(finding.code),
      level,
      message: { text: `${finding.message}\nwhy: ${finding.why}\nfix: ${finding.fix}` },
      locations: [location(finding)],
    })),
  };
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [run],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function location({ where, path }: Finding): object {
  const region = where
    ? { startLine: where.line, startColumn: where.column, endColumn: where.column + where.length }
    : { startLine: 1 };
  const uri = (where?.file ?? path ?? "waybill.yaml")
    .toWellFormed()
    .split("/")
    .map(encodeURIComponent)
    .join("/");
  return { physicalLocation: { artifactLocation: { uri }, region } };
}

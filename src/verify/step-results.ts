import type { CheckResult, Finding, Rule } from "../core/finding.ts";

/** What a rule of verification found, in its own words where nothing else is said. */
export function ruleFinding({ code, why, fix }: Rule, message: string, more: Partial<Finding> = {}): Finding {
  return { code, message, why, fix, ...more };
}

/** A rule that held. */
export function passed({ code }: Rule, coverage: string): CheckResult {
  return { code, status: "pass", coverage };
}

/** A rule that did not hold. */
export function failed({ code }: Rule, findings: Finding[], coverage: string): CheckResult {
  return { code, status: "fail", coverage, findings };
}

/** A rule that nothing was held against. */
export function notEvaluated({ code }: Rule, reason: string, coverage = "nothing looked at"): CheckResult {
  return { code, status: "not-evaluated", coverage, reason };
}

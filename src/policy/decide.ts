import type { CheckResult, Door, Finding, Level, Rule } from "../core/finding.ts";
import type { Release } from "../core/release.ts";
import type { NotEvaluated, TrustOrigin, Verdict } from "../core/verdict.ts";
import { isVerified, type Verified } from "../verify/verified.ts";
import { type Allowed, markAllowed } from "./allowed.ts";

const RANK: Record<Level, number> = { observe: 0, baseline: 1, strict: 2 };

/** What a verdict is made of. */
export interface DecideInput {
  agent: string;
  release: Release | undefined;
  verified: Verified<Release> | undefined;
  results: readonly CheckResult[];
  rules: ReadonlyMap<string, Rule>;
  door: Door;
  target: string;
  /** What the door demands. */
  level: Level;
  /** What the manifest asks for; it can only tighten. */
  policy: { level: Level; deny: readonly string[] };
  trust: { origin: TrustOrigin; file?: string };
  /** What verification rests on and cannot prove. */
  notes?: readonly string[];
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * Turns what was verified and checked into a verdict: any blocking failure denies, else a required check that
 * was not evaluated cannot tell, else it is allowed. `observe` always allows and makes no permission to act.
 *
 * @returns the verdict, and the one value that `act/` accepts where a verified release is allowed
 */
export function decide(input: DecideInput): { verdict: Verdict; allowed?: Allowed<Release> } {
  const level = RANK[input.policy.level] > RANK[input.level] ? input.policy.level : input.level;
  const blocking: Finding[] = [];
  const advisory: Finding[] = [];
  const notEvaluated: NotEvaluated[] = [];
  for (const result of input.results) {
    const rule = input.rules.get(result.code);
    if (!rule) throw new TypeError(`no rule ${result.code}`);
    if (result.status === "fail") {
      const blocks = RANK[level] >= RANK[rule.blocksAt] || input.policy.deny.includes(rule.code);
      (blocks && level !== "observe" ? blocking : advisory).push(...result.findings);
    } else if (result.status === "not-evaluated") {
      const { code, reason, coverage } = result;
      // What the manifest itself demands must be answered: not evaluated never counts as pass.
      const demanded = level !== "observe" && input.policy.deny.includes(code);
      notEvaluated.push({ code, reason, coverage, required: demanded || isRequired(rule, level) });
    }
  }
  const outcome = outcomeOf(blocking, notEvaluated);
  const verdict: Verdict = {
    outcome,
    reason: reasonOf(outcome, level, input.results, blocking, notEvaluated),
    door: input.door,
    target: input.target,
    level,
    agent: input.agent,
    ...(input.release ? { release: input.release.digest } : {}),
    trust: input.trust,
    signedBy: [...(input.verified?.signedBy ?? [])],
    blocking,
    advisory,
    notEvaluated,
    results: [...input.results],
    notes: [...(input.notes ?? [])],
    decidedAt: new Date(input.now).toISOString(),
    ...(input.verified ? { validUntil: new Date(input.verified.validUntil).toISOString() } : {}),
  };
  if (outcome !== "allow" || level === "observe" || !isVerified(input.verified)) return { verdict };
  const { value, validUntil } = input.verified;
  return { verdict, allowed: markAllowed(value, { door: input.door, target: input.target, validUntil }) };
}

/** At `strict` everything is; at `baseline` what says whether these are the signed bytes. */
function isRequired(rule: Rule, level: Level): boolean {
  if (level === "strict") return true;
  return level === "baseline" && ["integrity", "signature", "trust"].includes(rule.group);
}

/** At `observe` nothing blocks and nothing is required, so it always allows. */
function outcomeOf(blocking: readonly Finding[], notEvaluated: readonly NotEvaluated[]): Verdict["outcome"] {
  if (blocking.length > 0) return "deny";
  return notEvaluated.some((item) => item.required) ? "cannot-tell" : "allow";
}

function reasonOf(
  outcome: Verdict["outcome"],
  level: Level,
  results: readonly CheckResult[],
  blocking: readonly Finding[],
  notEvaluated: readonly NotEvaluated[],
): string {
  if (outcome === "deny") return blocking[0]!.message;
  if (outcome === "cannot-tell") {
    const first = notEvaluated.find((item) => item.required)!;
    return `${first.code} could not be evaluated: ${first.reason}`;
  }
  const passed = results.filter((result) => result.status === "pass").length;
  const failed = results.filter((result) => result.status === "fail").length;
  if (level === "observe" && failed > 0) return `observed only: ${failed} of ${results.length} checks failed`;
  return `${passed} of ${results.length} checks passed`;
}

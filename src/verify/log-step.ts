import type { Hex } from "../core/digest.ts";
import type { CheckResult, Finding, Rule } from "../core/finding.ts";
import type { Hash } from "../core/merkle.ts";
import { verifyConsistency } from "../core/proof.ts";
import type { LogInclusion } from "../sign/established.ts";
import { failed, passed, ruleFinding } from "./step-results.ts";

/** A head of a log that a door has accepted. */
export interface SeenHead {
  origin: string;
  logId: Hex;
  size: number;
  root: Hex;
}

/** What a door knows of logs beside what bundles say. Nothing in it is believed but the heads it remembers itself. */
export interface LogFacts {
  remembered: readonly SeenHead[];
  /** The head of this machine's own journal: what a log of which nothing is remembered is held against. */
  own?: SeenHead;
  /** Consistency proofs (RFC 6962 §2.1.2) out of whatever copy of the log is at hand. */
  proofs: readonly { logId: Hex; from: number; to: number; proof: readonly Hash[] }[];
}

export const LOG_RULE: Rule = {
  code: "WB-LOG-007",
  group: "freshness",
  title: "the log still holds what this door has seen of it",
  why: "A log is worth something because it only grows. One that shows this door another past than before was rewritten, or shows different people different things.",
  fix: "keep both checkpoints and ask the log's operator; until it is explained, no signature that rests on this log counts",
  blocksAt: "baseline",
};

/** The outcome, and the heads for the door to remember. */
export interface LogStep {
  result: CheckResult;
  remember: SeenHead[];
  notes: string[];
}

/**
 * Holds the checkpoints of accepted signatures against what this door remembers of the same logs, and against each
 * other: two trees of one size must be one, and of two sizes the smaller must be the beginning of the greater, where a
 * copy of the log is at hand to prove it.
 */
export function logConsistency(logged: readonly LogInclusion[], facts: LogFacts): LogStep {
  const heads = logged.flatMap(({ origin, logId, checkpoint }) =>
    checkpoint ? [{ origin, logId, size: checkpoint.size, root: checkpoint.root.toString("hex") }] : [],
  );
  const findings: Finding[] = [];
  const remember: SeenHead[] = [];
  const notes: string[] = [];
  let compared = 0;
  for (const [logId, found] of Map.groupBy(heads, (head) => head.logId)) {
    const known = facts.remembered.find((head) => head.logId === logId);
    const largest = found.reduce((a, b) => (b.size > a.size ? b : a));
    const own = facts.own?.logId === logId ? facts.own : undefined;
    const base = known ?? own ?? largest;
    let open = 0;
    for (const head of found) {
      const answer = compare(base, head, facts);
      if (answer === "unproved") open += 1;
      else if (answer === null) compared += 1;
      else findings.push(differs(base, head, answer, base !== largest));
    }
    if (open > 0)
      notes.push(
        `the log ${base.origin} has grown since this door saw it; no copy of it is at hand to prove that it only grew`,
      );
    if (!known || largest.size > known.size) remember.push(largest);
  }
  const coverage =
    heads.length === 0
      ? "no log entry with a checkpoint"
      : `${compared} of ${heads.length} checkpoints compared`;
  if (findings.length > 0) return { result: failed(LOG_RULE, findings, coverage), remember: [], notes };
  return { result: passed(LOG_RULE, coverage), remember, notes };
}

/** Null when the heads fit, "unproved" when nothing at hand says so, else why they do not. */
function compare(a: SeenHead, b: SeenHead, { proofs }: LogFacts): string | null {
  const [from, to] = a.size <= b.size ? [a, b] : [b, a];
  if (from.size === to.size) return from.root === to.root ? null : "two trees of one size";
  if (from.size === 0) return null;
  const found = proofs.find((p) => p.logId === a.logId && p.from === from.size && p.to === to.size);
  if (!found) return "unproved";
  return verifyConsistency({
    size1: from.size,
    size2: to.size,
    root1: Buffer.from(from.root, "hex"),
    root2: Buffer.from(to.root, "hex"),
    proof: found.proof,
  });
}

function differs(base: SeenHead, head: SeenHead, reason: string, isRemembered: boolean): Finding {
  const than = isRemembered ? "than the one that this door saw" : "in one signature than in another";
  return ruleFinding(LOG_RULE, `the log ${base.origin} has another past ${than}: ${reason}`, {
    expected: `size ${base.size}  root ${base.root}`,
    found: `size ${head.size}  root ${head.root}`,
    final: true,
  });
}

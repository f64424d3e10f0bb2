import { z } from "zod";
import { sha256 } from "../core/digest.ts";
import { DOORS, LEVELS } from "../core/finding.ts";
import type { Verdict } from "../core/verdict.ts";
import { hexSchema, makeStatement, nameSchema, type PredicateType } from "./predicate.ts";
import type { Statement } from "./statement.ts";
import { timestamp } from "./timestamp.ts";

export const VERDICT_TYPE = "https://slsa.dev/verification_summary/v1";

/** Who says so: the door's software; the key says which machine. */
const VERIFIER = "urn:waybill:door:v1";

/** Codes that one statement lists; beyond it the number alone says how many there were. */
const MAX_CODES = 200;

/** A verification summary (slsa.dev/spec/v1.0/verification_summary) with what a door's verdict adds to it. */
export interface VerdictPredicate {
  verifier: { id: string };
  timeVerified: string;
  resourceUri: string;
  /** The trust policy that was asked. */
  policy: { uri: string; digest: { sha256: string } };
  verificationResult: "PASSED" | "FAILED";
  verifiedLevels: string[];
  /** VSA readers ignore fields that they do not know. */
  waybill: {
    /** What the door did: `cannot-tell` is FAILED too, and so is an `allow` that rests on no trusted signature. */
    outcome: Verdict["outcome"];
    door: (typeof DOORS)[number];
    target: string;
    level: (typeof LEVELS)[number];
    agent: string;
    /** Codes that blocked, and those that were demanded and not evaluated. */
    blocking: string[];
    notEvaluated: string[];
  };
}

const codes = z.array(z.string().regex(/^WB-[A-Z]+-\d{3}$/)).max(MAX_CODES);

export const verdictPredicate: PredicateType<VerdictPredicate> = {
  uri: VERDICT_TYPE,
  short: "verdict",
  title: "what a door decided about a release",
  schema: z.object({
    verifier: z.object({ id: z.string().max(256) }),
    timeVerified: timestamp,
    resourceUri: z.string().max(1024),
    policy: z.object({ uri: z.string().max(1024), digest: z.object({ sha256: hexSchema }) }),
    verificationResult: z.enum(["PASSED", "FAILED"]),
    verifiedLevels: z.array(z.string().max(64)).max(16),
    waybill: z.strictObject({
      outcome: z.enum(["allow", "deny", "cannot-tell"]),
      door: z.enum(DOORS),
      target: nameSchema,
      level: z.enum(LEVELS),
      agent: nameSchema,
      blocking: codes,
      notEvaluated: codes,
    }),
  }),
};

/**
 * The statement that a door signs about a verdict. It is PASSED only where signers whom the operator's trust names
 * signed the release: what `observe` lets through with failures, what the door `ci` allows for its bytes alone, and
 * what trust from the agent's own folder accepts is FAILED, so that no reader takes it for a pass.
 *
 * @param about what names the agent where it makes no release: the text of its manifest
 * @param policy the text of the trust policy, empty where there was none
 */
export function makeVerdictStatement(verdict: Verdict, about: string, policy: string): Statement {
  const { agent, door, target, level, outcome, signedBy, trust } = verdict;
  const failed = verdict.results.some((result) => result.status === "fail");
  const isSigned = signedBy.length > 0 && trust.origin === "operator";
  const passed = outcome === "allow" && isSigned && (level !== "observe" || !failed);
  const required = verdict.notEvaluated.filter((item) => item.required).map((item) => item.code);
  const blocking = verdict.blocking.map((finding) => finding.code);
  const subject = verdict.release
    ? { name: agent, digest: { sha256: verdict.release } }
    : { name: `${agent}/waybill.yaml`, digest: { sha256: sha256(about) } };
  return makeStatement(verdictPredicate, [subject], {
    verifier: { id: VERIFIER },
    timeVerified: verdict.decidedAt,
    resourceUri: `urn:waybill:agent:${agent}`,
    policy: { uri: "urn:waybill:trust:v1", digest: { sha256: sha256(policy) } },
    verificationResult: passed ? "PASSED" : "FAILED",
    verifiedLevels: passed ? [`WAYBILL_${level.toUpperCase()}`] : [],
    waybill: {
      outcome,
      door,
      target,
      level,
      agent,
      blocking: unique(blocking),
      notEvaluated: unique(required),
    },
  });
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)].slice(0, MAX_CODES);
}

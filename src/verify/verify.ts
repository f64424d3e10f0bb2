import type { FolderFacts } from "../checks/check.ts";
import { INTEGRITY_CHECKS } from "../checks/integrity.ts";
import type { CheckResult, Door, Level, Rule } from "../core/finding.ts";
import { releaseOf } from "../core/lock.ts";
import type { Release } from "../core/release.ts";
import type { TrustOrigin } from "../core/verdict.ts";
import { channelFreshness } from "./channel-step.ts";
import { lockAgrees, lockExists, settingsAgree } from "./lock-steps.ts";
import { LOG_RULE, type LogFacts, logConsistency, type SeenHead } from "./log-step.ts";
import { MODEL_RULES } from "./model-rules.ts";
import { modelSignatures, type SignedModel } from "./model-step.ts";
import { releaseSignatures } from "./release-step.ts";
import { VERIFY_RULES } from "./rules.ts";
import { type BundleText, readStatements } from "./signed.ts";
import { failed, notEvaluated, passed, ruleFinding } from "./step-results.ts";
import type { Trust } from "./trust.ts";
import { trustExpired } from "./trust-judge.ts";
import {
  type TrustVersionStep,
  type TrustVersions,
  trustVersion,
  trustVersionSkipped,
} from "./trust-version.ts";
import { markVerified, type Verified } from "./verified.ts";

/** All that `verify` looks at. Flows collect it; nothing is read here. */
export interface VerifyFacts {
  folder: FolderFacts;
  /** The bundles in waybill.evidence. */
  bundles: readonly BundleText[];
  /** The models with the signatures that may be theirs; see `modelSignatures`. */
  models?: readonly SignedModel[];
  trust: { origin: TrustOrigin; policy?: Trust; versions?: TrustVersions };
  /** Channel statements that this door has accepted before. */
  remembered: readonly BundleText[];
  /** Heads of logs that this door has accepted before, and what can be proved about them. */
  logs?: LogFacts;
  door: Door;
  target: string;
  level: Level;
  now: Date;
}

/** The outcome of verification: results of every step, and the release where all of them passed. */
export interface Verification {
  results: CheckResult[];
  release?: Release;
  /** Present only when integrity, signature and trust all passed. */
  verified?: Verified<Release>;
  /** Channel bundles for the door to keep. */
  remember: BundleText[];
  /** Heads of logs for the door to keep. */
  rememberHeads: SeenHead[];
  /** True when the door should remember the trust policy as the one that it accepted last. */
  acceptTrust: boolean;
  /** What the results rest on and cannot prove, for people. */
  notes: string[];
}

/**
 * The one story, the same at every door: the lock exists and agrees with itself, the manifest says what was
 * locked, the bytes are the locked ones, trusted principals signed this very release for this agent, and the
 * releaser's newest word allows it here. At `ci`, where a change is only proposed, it ends with the bytes.
 */
export function verify(facts: VerifyFacts): Verification {
  const { folder, now } = facts;
  const { lock, manifest } = folder;
  if (!lock) {
    const steps = Object.values(VERIFY_RULES).slice(1).map(skipped);
    if (facts.door !== "ci") steps.push(skipped(LOG_RULE));
    const integrity = INTEGRITY_CHECKS.map((check) => check.run(folder));
    return {
      results: [lockExists(lock), ...integrity, ...(facts.door === "ci" ? steps.slice(0, 2) : steps)],
      ...NOTHING_TO_KEEP,
    };
  }

  const results = [lockExists(lock), lockAgrees(lock), settingsAgree(lock, manifest)];
  results.push(...INTEGRITY_CHECKS.map((check) => check.run(folder)));
  if (results[1]!.status === "fail") return { results, ...NOTHING_TO_KEEP };
  const release = releaseOf(lock);
  if (facts.door === "ci") return { results, release, ...NOTHING_TO_KEEP };

  const evidence = readStatements(facts.bundles);
  const { policy } = facts.trust;
  results.push(...trustSteps(facts));
  const version = versionStep(facts);
  results.push(...version.results);
  const leaves = lock.components.map((c) => c.leaf);
  const signatures = releaseSignatures(release, leaves, evidence, policy, now);
  results.push(...signatures.results);
  results.push(...modelSignatures(facts.models ?? [], release.document.agent, policy, now));
  const strict = facts.level === "strict";
  const channel = channelFreshness(release, facts.target, evidence.statements, facts.remembered, policy, {
    now,
    strict,
  });
  results.push(...channel.results);
  const log = logConsistency(
    [...signatures.logged, ...channel.logged],
    facts.logs ?? { remembered: [], proofs: [] },
  );
  results.push(log.result);
  const notes = [...version.notes, ...channel.notes, ...log.notes];
  // What a folder's own trust accepts says nothing: it must not become what this door goes by.
  const acceptTrust = facts.trust.origin === "operator" && version.accepted;
  const keep = {
    remember: acceptTrust ? channel.remember : [],
    rememberHeads: acceptTrust ? log.remember : [],
    acceptTrust,
    notes,
  };

  const unproved = results.some((r) => r.status !== "pass" && !isLater(r.code, strict));
  if (unproved || !policy) return { results, release, ...keep };
  // Below strict a channel statement may be past its end and yet not block: then it bounds nothing.
  const current = channel.results.every((result) => result.status === "pass");
  const validUntil = Math.min(
    Date.parse(policy.expires),
    signatures.until,
    current ? channel.expires : Number.POSITIVE_INFINITY,
  );
  return {
    results,
    release,
    verified: markVerified(release, signatures.signedBy, validUntil),
    ...keep,
  };
}

const NOTHING_TO_KEEP = { remember: [], rememberHeads: [], acceptTrust: false, notes: [] };

/** A step that the missing lock kept from being looked at. */
function skipped(rule: Rule): CheckResult {
  return notEvaluated(rule, `${VERIFY_RULES.noLock.code} failed first`);
}

/** What a lower level than strict does not demand before it calls a release verified. */
function isLater(code: string, strict: boolean): boolean {
  if (strict) return false;
  return [...Object.values(VERIFY_RULES), ...Object.values(MODEL_RULES)].some(
    (r) => r.code === code && r.blocksAt === "strict",
  );
}

/** Whether the policy is one that may follow what this door accepted last. The agent's own is never remembered. */
function versionStep({ trust, now }: VerifyFacts): TrustVersionStep {
  const { origin, policy, versions } = trust;
  if (origin === "operator" && policy)
    return trustVersion(policy, versions ?? { signatures: [], history: new Map() }, now);
  return trustVersionSkipped(policy);
}

function trustSteps({ trust, now }: VerifyFacts): CheckResult[] {
  const { noTrust, trustExpired: expired, selfAsserted } = VERIFY_RULES;
  const coverage = trust.policy ? `policy version ${trust.policy.version}` : "no policy";
  if (!trust.policy) {
    const reason = "no trust policy was named and none lies in the folder";
    return [noTrust, expired, selfAsserted].map((rule) => notEvaluated(rule, reason, coverage));
  }
  const ended = trustExpired(trust.policy, now);
  const fail = (rule: Rule, message: string) => failed(rule, [ruleFinding(rule, message)], coverage);
  return [
    passed(noTrust, coverage),
    ended === null ? passed(expired, coverage) : fail(expired, ended),
    trust.origin === "operator"
      ? passed(selfAsserted, coverage)
      : fail(selfAsserted, "the trust policy comes from the agent's own folder: it is self-asserted"),
  ];
}

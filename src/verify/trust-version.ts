import type { Hex } from "../core/digest.ts";
import { shortDigest } from "../core/digest.ts";
import type { CheckResult, Finding } from "../core/finding.ts";
import {
  readTrustVersionStatement,
  TRUST_VERSION_TYPE,
  type TrustVersion,
} from "../evidence/trust-version.ts";
import { VERIFY_RULES } from "./rules.ts";
import { type BundleText, judge, readStatements, type SignedStatement } from "./signed.ts";
import { failed, notEvaluated, passed, ruleFinding } from "./step-results.ts";
import type { Trust } from "./trust.ts";
import { missingSigners } from "./trust-judge.ts";

type RuleName = keyof typeof VERIFY_RULES;

const STEP = [
  "trustReplayed",
  "trustEquivocation",
  "trustUnsigned",
  "otherTrust",
] as const satisfies RuleName[];

/** Versions that a door follows in one go: one for every day of three years. */
export const MAX_VERSIONS = 1000;

/** What lies beside a trust policy, and what the door knows of it. */
export interface TrustVersions {
  /** Bundles about any version. */
  signatures: readonly BundleText[];
  /** Other versions at hand, by their number. */
  history: ReadonlyMap<number, Trust>;
  /** The version that this door accepted last, whole. */
  remembered?: Trust;
  /** The digest of the first version, where the operator gave it. */
  first?: Hex;
}

/** What the step found. */
export interface TrustVersionStep {
  results: CheckResult[];
  /** Whether the door should remember the policy. */
  accepted: boolean;
  notes: string[];
}

/**
 * Whether a policy may take the place of the one that this door accepted last: never a lower version, never other
 * content under one number, and where the last one names roots, every version since signed by a threshold of the
 * roots before it and by one of its own (as the root role of TUF 1.0 §5.3). Without roots the operator's hand
 * places it, and the version alone must not fall.
 *
 * @param policy the one at hand
 * @param now for windows of signers without a proved time
 */
export function trustVersion(policy: Trust, versions: TrustVersions, now: Date): TrustVersionStep {
  const { remembered, first } = versions;
  const signatures = versionSignatures(versions.signatures);
  const notes: string[] = [];
  const coverage = `version ${policy.version}, ${remembered ? `last accepted ${remembered.version}` : "none accepted before"}`;
  const end = (rule?: RuleName, message = "", more: Partial<Finding> = {}): TrustVersionStep => ({
    results: STEP.map((name): CheckResult => {
      const here = VERIFY_RULES[name];
      if (rule === undefined) return passed(here, coverage);
      if (name !== rule) return notEvaluated(here, `${VERIFY_RULES[rule].code} failed first`, coverage);
      const path = policy.source.file;
      return failed(here, [ruleFinding(here, message, { path, ...more })], coverage);
    }),
    accepted: rule === undefined,
    notes,
  });
  const found = { found: `version ${policy.version}  sha256:${policy.digest}` };
  const start = remembered ?? firstVersion(policy, versions);
  if (start === undefined)
    return end("otherTrust", `no version at hand has the digest sha256:${first}`, {
      expected: `sha256:${first}`,
      ...found,
    });
  if (start.digest === policy.digest) {
    if (remembered) return end();
    const missing = missingRoots(policy, policy, signatures, now);
    return missing === null
      ? end()
      : end("trustUnsigned", `the trust policy is not signed by its own roots: ${missing}`);
  }
  const expected = `version ${start.version} or higher  sha256:${start.digest}`;
  if (policy.version < start.version)
    return end(
      "trustReplayed",
      `the trust policy is version ${policy.version}; this door has accepted version ${start.version}`,
      { expected, ...found },
    );
  if (policy.version === start.version) {
    if (start.roots)
      return end("trustEquivocation", `two different trust policies bear the version ${policy.version}`, {
        expected,
        ...found,
      });
    notes.push(
      `the trust policy has changed and still is version ${policy.version}: raise its version, so that the older text cannot come back`,
    );
  }
  if (start.roots && policy.version > start.version) {
    const broken = brokenLink(start, policy, versions.history, signatures, now);
    if (broken !== null) return end("trustUnsigned", broken, { expected, ...found });
    if (!policy.roots)
      notes.push(
        `version ${policy.version} of the trust policy names no roots any more: from here on whoever can write the file decides`,
      );
    return end();
  }
  const missing = missingRoots(policy, policy, signatures, now);
  if (missing !== null)
    return end("trustUnsigned", `the trust policy is not signed by its own roots: ${missing}`);
  return end();
}

/** The step's results where there is no policy, or only the agent's own, which no door remembers. */
export function trustVersionSkipped(policy: Trust | undefined): TrustVersionStep {
  const results = STEP.map((name): CheckResult => {
    const rule = VERIFY_RULES[name];
    if (policy) return passed(rule, "self-asserted: no door remembers its versions");
    return notEvaluated(rule, "no trust policy was named and none lies in the folder", "no policy");
  });
  return { results, accepted: false, notes: [] };
}

/** The version with the digest that the operator gave; without one the policy itself. */
function firstVersion(policy: Trust, { first, history }: TrustVersions): Trust | undefined {
  if (first === undefined) return policy;
  return [policy, ...history.values()].find(({ digest }) => digest === first);
}

/** Where the way from one version to a later one breaks, or null. */
function brokenLink(
  start: Trust,
  policy: Trust,
  history: TrustVersions["history"],
  signatures: VersionSignatures,
  now: Date,
): string | null {
  if (policy.version - start.version > MAX_VERSIONS)
    return `version ${policy.version} is more than ${MAX_VERSIONS} versions after ${start.version}`;
  for (let before = start; before.version < policy.version; ) {
    const number = before.version + 1;
    const next = number === policy.version ? policy : history.get(number);
    if (!next || next.version !== number)
      return `version ${number}, between ${start.version} and ${policy.version}, is not at hand`;
    const old = before.roots ? missingRoots(before, next, signatures, now, before.digest) : null;
    if (old !== null)
      return `version ${number} is not signed by the roots of version ${before.version}: ${old}`;
    const own = missingRoots(next, next, signatures, now);
    if (own !== null) return `version ${number} is not signed by its own roots: ${own}`;
    before = next;
  }
  return null;
}

/** Well-formed signatures by the digest of the version that they are about. */
type VersionSignatures = ReadonlyMap<Hex, { said: TrustVersion; signed: SignedStatement }[]>;

/** Reads the bundles once, however many versions are followed. */
function versionSignatures(bundles: readonly BundleText[]): VersionSignatures {
  const known = readStatements(bundles).statements.flatMap((signed) => {
    if (signed.statement.predicateType !== TRUST_VERSION_TYPE) return [];
    const said = readTrustVersionStatement(signed.statement);
    return "problem" in said ? [] : [{ said, signed }];
  });
  return Map.groupBy(known, ({ said }) => said.digest);
}

/** Which signatures by the roots of one version another version lacks, or null; null too where there are no roots. */
function missingRoots(
  roots: Trust,
  version: Trust,
  signatures: VersionSignatures,
  now: Date,
  previous?: Hex,
): string | null {
  if (!roots.roots) return null;
  const claim = { evidence: "trust" };
  const problems: string[] = [];
  const signed = (signatures.get(version.digest) ?? []).flatMap(({ said, signed: signature }) => {
    if (said.version !== version.version) return [];
    // A root that names the version before stands for no other past than that.
    if (previous !== undefined && said.previous !== undefined && said.previous !== previous) {
      problems.push(`${signature.file} follows ${shortDigest(said.previous)}`);
      return [];
    }
    const signer = judge(signature, claim, roots, now);
    if (signer.ok) return [signer.principal];
    problems.push(`${signature.file}: ${signer.detail}`);
    return [];
  });
  const missing = missingSigners(roots, claim, signed);
  return missing === null ? null : [missing, ...problems].join("; ");
}

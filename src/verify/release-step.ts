import { type ComponentLeaf, componentId } from "../core/component.ts";
import { shortDigest } from "../core/digest.ts";
import type { CheckResult, Finding } from "../core/finding.ts";
import { lintIdentity } from "../core/identity-lint.ts";
import type { Release } from "../core/release.ts";
import { RELEASE_TYPE } from "../core/release.ts";
import type { SignedBy } from "../core/verdict.ts";
import { readReleaseStatement } from "../evidence/release.ts";
import type { Established, LogInclusion } from "../sign/established.ts";
import { hasQuorum } from "./quorum.ts";
import { VERIFY_RULES } from "./rules.ts";
import { judge, type SignedStatement } from "./signed.ts";
import { failed, notEvaluated, passed, ruleFinding } from "./step-results.ts";
import type { Trust } from "./trust.ts";
import { missingSigners } from "./trust-judge.ts";

type RuleName = keyof typeof VERIFY_RULES;

/** The rules of this step, each of which has a result. */
const STEP: readonly RuleName[] = [
  "unsigned",
  "invalid",
  "someoneElse",
  "otherAgent",
  "otherRelease",
  "revokedKey",
  "notYetValid",
  "expiredKey",
  "notAllowed",
  "ambiguousSigner",
  "threshold",
  "witnesses",
];

/** Who signed this release, judged by trust. */
export interface ReleaseSignatures {
  results: CheckResult[];
  signedBy: SignedBy[];
  /** Where those signatures were proved to be logged. */
  logged: LogInclusion[];
  /** When the first of their keys stops counting, in milliseconds since 1970. */
  until: number;
}

/**
 * Finds the signatures on this very release and holds their signers against trust. One satisfied rule of trust
 * is enough, and then other bundles in the folder do not matter; where none is, each bundle says what is wrong
 * with it.
 */
export function releaseSignatures(
  release: Release,
  components: readonly ComponentLeaf[],
  evidence: {
    statements: readonly SignedStatement[];
    malformed: readonly { file: string; problem: string }[];
  },
  trust: Trust | undefined,
  now: Date,
): ReleaseSignatures {
  const { unsigned } = VERIFY_RULES;
  const signed = evidence.statements.filter((s) => s.statement.predicateType === RELEASE_TYPE);
  if (trust === undefined) {
    const reason = "no trust policy says whose signature counts";
    const results = STEP.map((name) =>
      notEvaluated(VERIFY_RULES[name], reason, `${signed.length} signatures found`),
    );
    if (signed.length + evidence.malformed.length === 0)
      results[0] = failed(unsigned, [ruleFinding(unsigned, "the release is not signed")], "no bundle found");
    return { results, signedBy: [], logged: [], until: Number.NEGATIVE_INFINITY };
  }
  const { agent } = release.document;
  const findings: { rule: RuleName; finding: Finding }[] = [];
  const signedBy: SignedBy[] = [];
  const witnessed: string[] = [];
  const logged: LogInclusion[] = [];
  let until = Number.POSITIVE_INFINITY;
  const add = (rule: RuleName, message: string, more: Partial<Finding> = {}) =>
    findings.push({ rule, finding: ruleFinding(VERIFY_RULES[rule], message, more) });

  for (const bundle of evidence.malformed)
    add("invalid", `${bundle.file} is no valid signature: ${bundle.problem}`, {
      path: bundle.file,
      final: true,
    });
  for (const bundle of signed) {
    const at = { path: bundle.file };
    const signer = judge(bundle, { evidence: "release", agent }, trust, now);
    const trusted = signer.ok || !["someoneElse", "invalid", "revokedKey"].includes(signer.rule);
    const read = readReleaseStatement(bundle.statement);
    if (!trusted && !signer.ok)
      add(signer.rule, sentence(bundle.file, signer.rule, signer.detail), {
        ...at,
        ...meantIdentities(trust, signer.established),
      });
    else if ("problem" in read)
      add("invalid", `${bundle.file} is no release statement: ${read.problem}`, { ...at, final: true });
    else if (read.release.agent !== agent)
      add("otherAgent", `${bundle.file} signs another agent, ${read.release.agent}`, {
        ...at,
        expected: agent,
        found: read.release.agent,
      });
    else if (read.digest !== release.digest)
      add("otherRelease", `${bundle.file} signs another release, ${shortDigest(read.digest)}`, {
        ...at,
        expected: `sha256:${release.digest}  this folder`,
        found: `sha256:${read.digest}  signed`,
        details: changedComponents(components, read.components),
      });
    else if (signer.ok) {
      signedBy.push({ principal: signer.principal, ...signer.with });
      if (hasQuorum(trust, signer.established)) witnessed.push(signer.principal);
      logged.push(...signer.established.logged);
      until = Math.min(until, signer.notAfter);
    } else add(signer.rule, sentence(bundle.file, signer.rule, signer.detail), at);
  }
  const coverage = `${signed.length} signature${signed.length === 1 ? "" : "s"}, ${signedBy.length} by trusted signers`;
  const missing = missingSigners(
    trust,
    { evidence: "release", agent },
    signedBy.map((s) => s.principal),
  );
  if (missing === null)
    return {
      results: STEP.map((name) =>
        name === "witnesses" ? quorum(trust, agent, witnessed) : passed(VERIFY_RULES[name], coverage),
      ),
      signedBy,
      logged,
      until,
    };
  if (signedBy.length > 0) add("threshold", `not enough principals have signed: ${missing}`);
  if (findings.length === 0) add("unsigned", "the release is not signed");
  const first = findings[0]!.rule;
  const results = STEP.map((name): CheckResult => {
    const own = findings.filter((f) => f.rule === name).map((f) => f.finding);
    if (own.length > 0) return failed(VERIFY_RULES[name], own, coverage);
    return notEvaluated(VERIFY_RULES[name], `${VERIFY_RULES[first].code} failed first`, coverage);
  });
  return { results, signedBy: [], logged: [], until: Number.NEGATIVE_INFINITY };
}

/** Whether enough principals' signatures were seen by enough witnesses; where trust names none, nothing is asked. */
function quorum(trust: Trust, agent: string, witnessed: readonly string[]): CheckResult {
  const rule = VERIFY_RULES.witnesses;
  if (!trust.witnesses) return passed(rule, "trust names no witnesses");
  const { threshold, keys } = trust.witnesses;
  const coverage = `${witnessed.length} signatures seen by ${threshold} of ${keys.length} witnesses`;
  const missing = missingSigners(trust, { evidence: "release", agent }, witnessed);
  if (missing === null) return passed(rule, coverage);
  const message = `too few witnesses have seen the signatures logged: ${missing}`;
  return failed(rule, [ruleFinding(rule, message)], coverage);
}

function sentence(file: string, rule: RuleName, detail: string): string {
  const said: Partial<Record<RuleName, string>> = {
    invalid: "does not verify",
    expiredKey: "is by an expired key",
    notYetValid: "is by a key that is not valid yet",
  };
  return `the signature ${file} ${said[rule] ?? "does not count"}: ${detail}`;
}

/** Identities of the policy that no certificate can match: perhaps one of them was meant for this signer. */
function meantIdentities(trust: Trust, established: Established | undefined): { details?: string[] } {
  if (established?.signer.kind !== "certificate") return {};
  const details = trust.identities.flatMap((identity) =>
    lintIdentity(identity).map(({ problem, corrected }) => {
      const meant = Object.values(corrected ?? {}).join(", ");
      return `trust names ${identity.subject ?? identity.pattern}: ${problem}${meant === "" ? "" : `; ${meant}`}`;
    }),
  );
  return details.length === 0 ? {} : { details: details.slice(0, 12) };
}

/** In which components the signed release differs from the one at hand. */
function changedComponents(here: readonly ComponentLeaf[], signed: readonly ComponentLeaf[]): string[] {
  const say = (leaf: ComponentLeaf | undefined) => (leaf ? shortDigest(leaf.digest) : "absent");
  const byId = (leaves: readonly ComponentLeaf[]) => new Map(leaves.map((leaf) => [componentId(leaf), leaf]));
  const [mine, theirs] = [byId(here), byId(signed)];
  const ids = [...new Set([...theirs.keys(), ...mine.keys()])];
  const lines = ids
    .filter((id) => mine.get(id)?.digest !== theirs.get(id)?.digest)
    .map((id) => `${id}  signed ${say(theirs.get(id))}  here ${say(mine.get(id))}`);
  return lines.length > 0 ? lines.slice(0, 12) : ["the components are the same: only settings differ"];
}

import type { SignedBy } from "../core/verdict.ts";
import { parseTimestamp } from "../evidence/timestamp.ts";
import type { Signer } from "../sign/established.ts";
import type { Revocation, Trust, TrustedKey, TrustRule } from "./trust.ts";
import { describeIdentity, findIdentity } from "./trust-identity.ts";

/** What a signature is to count for. */
export interface Claim {
  /** Short name of the evidence (`evidence/predicate-names.ts`). */
  evidence: string;
  /** Absent for evidence that is about no agent, such as a lone image: then only rules for `*` hold. */
  agent?: string;
  /** The target of a channel statement; absent for evidence that has none. */
  target?: string;
}

/** Whether trust lets a signer sign something. Each refusal has its own name, so that each can have its own code. */
export type SignerJudgement =
  | {
      status: "trusted";
      principal: string;
      /** When it stops counting, in milliseconds since 1970: never, where its time is proved. */
      until: number;
    }
  | {
      status:
        | "unknown-key"
        | "unknown-identity"
        | "ambiguous"
        | "not-allowed"
        | "not-yet-valid"
        | "expired"
        | "revoked";
      principal?: string;
      /** The reason for people: lower case, no full stop. */
      detail: string;
    };

/** The key that trust names by one of these hints (key id, cosign's or OMS's form), to verify a signature with. */
export function findKey(trust: Trust, hints: readonly string[]): TrustedKey | undefined {
  return trust.keys.find((key) =>
    hints.some((hint) => hint === key.keyId || hint === key.cosign || hint === key.oms),
  );
}

/**
 * Judges the signer of a piece of evidence. It looks at who signed only: verify the signature first. Thresholds
 * are `missingSigners`' affair.
 *
 * Windows and revocations are held against the proved time of signing; where none is proved, windows against the
 * door's clock, and a revoked key counts for nothing: nobody can tell whether the signature is older (DESIGN §4).
 *
 * @param time when the signature was proved to exist, in milliseconds since 1970 (`earliestTime`); never what a
 *   statement says of itself
 * @param now the door's clock
 */
export function judgeSigner(
  trust: Trust,
  facts: Claim & { signer: Signer; time?: number | undefined; now: Date },
): SignerJudgement {
  return judgeBy(trust, facts, (principal) =>
    rulesFor(trust, facts).some((rule) => rule.principals.includes(principal))
      ? null
      : `${principal} may not sign ${describe(facts)}`,
  );
}

/**
 * Judges a signer of whom nobody knows yet what it signs, as a log does that is shown a digest alone: trust names it, it
 * is not revoked, and it is inside its window. That says nothing of what it may sign.
 */
export function judgeHolder(
  trust: Trust,
  facts: { signer: Signer; time?: number | undefined; now: Date },
): SignerJudgement {
  return judgeBy(trust, facts, () => null);
}

function judgeBy(
  trust: Trust,
  facts: { signer: Signer; time?: number | undefined; now: Date },
  refusal: (principal: string) => string | null,
): SignerJudgement {
  const { signer, time } = facts;
  const at = time ?? facts.now.getTime();
  const called = signer.kind === "key" ? "key" : "identity";
  const known = findSigner(trust, signer);
  const about = "principal" in known ? { principal: known.principal } : {};
  const revoked = revocations(trust, signer).find((entry) => !isOlder(entry, time));
  if (revoked) {
    const since = revoked.compromisedSince ? ` (compromised since ${revoked.compromisedSince})` : "";
    return {
      status: "revoked",
      ...about,
      detail: `the ${called} was revoked: ${revoked.reason}${since}`,
    };
  }
  if ("status" in known) return known;
  const { principal, windows } = known;
  const notAllowed = refusal(principal);
  if (notAllowed !== null) return { status: "not-allowed", ...about, detail: notAllowed };
  // Written so that an invalid date (NaN) is inside no window.
  const begun = windows.filter(({ notBefore }) => at >= notBefore);
  const when = time === undefined ? "" : `; it was signed by ${instant(time)}`;
  if (begun.length === 0) {
    const first = Math.min(...windows.map(({ notBefore }) => notBefore));
    return {
      status: "not-yet-valid",
      ...about,
      detail: `the ${called} counts from ${instant(first)}${when}`,
    };
  }
  const last = Math.max(...begun.map(({ notAfter }) => notAfter));
  if (!begun.some(({ notAfter }) => at < notAfter))
    return { status: "expired", ...about, detail: `the ${called} counted until ${instant(last)}${when}` };
  return { status: "trusted", principal, until: time === undefined ? last : Number.POSITIVE_INFINITY };
}

type Window = { notBefore: number; notAfter: number };

function findSigner(
  trust: Trust,
  signer: Signer,
): { principal: string; windows: readonly Window[] } | Exclude<SignerJudgement, { status: "trusted" }> {
  if (signer.kind === "key") {
    const key = trust.keys.find(({ keyId }) => keyId === signer.keyId);
    if (!key) return { status: "unknown-key", detail: "trust names no such key" };
    return { principal: key.principal, windows: [key] };
  }
  const match = findIdentity(trust.identities, signer.identity);
  if (match.status === "one") return { principal: match.identities[0].principal, windows: match.identities };
  const name = describeSigner(signer);
  if (match.status === "none")
    return { status: "unknown-identity", detail: `trust names no identity ${name}` };
  const several = match.principals.join(" and ");
  return {
    status: "ambiguous",
    detail: `the identity ${name} belongs to ${several}, so it counts for neither`,
  };
}

/** The key in short, or the identity, as people read it. */
export function describeSigner(signer: Signer): string {
  if (signer.kind === "key") return `key ${signer.keyId.slice(0, 12)}`;
  const { issuer, subjects } = signer.identity;
  const subject = subjects.join(", ") || "without a name";
  return describeIdentity({ ...(issuer === undefined ? {} : { issuer }), subject });
}

/** What a verdict says a principal has signed with. */
export function signedWith(signer: Signer): Omit<SignedBy, "principal"> {
  return signer.kind === "key" ? { key: signer.keyId } : { identity: describeSigner(signer) };
}

function revocations(trust: Trust, signer: Signer): Revocation[] {
  if (signer.kind === "key") {
    const entry = trust.revoked.get(signer.keyId);
    return entry ? [entry] : [];
  }
  const { issuer, subjects } = signer.identity;
  // Left out, the issuer means any: what is meant to refuse must not fail to by an omission.
  return trust.revokedIdentities.filter(
    ({ identity }) => (identity.issuer ?? issuer) === issuer && subjects.includes(identity.subject),
  );
}

/** True for a signature that was proved to exist before what its revocation is about. */
function isOlder({ compromisedSince }: Revocation, time: number | undefined): boolean {
  const since = compromisedSince === undefined ? undefined : parseTimestamp(compromisedSince);
  return since !== undefined && time !== undefined && time < since;
}

/**
 * Counts the signers of one statement against the rules for it; one satisfied rule is enough.
 *
 * @param principals those whose signatures were judged `trusted`; repetitions count once
 * @returns null when a threshold is met, else what is missing
 */
export function missingSigners(trust: Trust, claim: Claim, principals: readonly string[]): string | null {
  const signed = new Set(principals);
  const rules = rulesFor(trust, claim);
  if (rules.length === 0) return `no rule lets anyone sign ${describe(claim)}`;
  let nearest = "";
  let fewest = Number.POSITIVE_INFINITY;
  for (const rule of rules) {
    const named = new Set(rule.principals);
    const counted = named.intersection(signed).size;
    const missing = rule.threshold - counted;
    if (missing <= 0) return null;
    if (missing >= fewest) continue;
    fewest = missing;
    nearest = `${describe(claim)} needs ${rule.threshold} of ${[...named].join(", ") || "no one"}; ${counted} signed`;
  }
  return nearest;
}

/** The reason why a trust policy counts no longer, or null. From `expires` on it trusts no one. */
export function trustExpired(trust: Trust, now: Date): string | null {
  const expires = parseTimestamp(trust.expires);
  const current = expires !== undefined && now.getTime() < expires;
  return current ? null : `the trust policy expired at ${trust.expires}`;
}

function rulesFor(trust: Trust, { evidence, agent, target }: Claim): TrustRule[] {
  // Versions of the policy itself have a rule of their own, which no agent's rule can stand in for.
  if (evidence === "trust")
    return trust.roots ? [{ evidence, agents: ["*"], targets: ["*"], ...trust.roots }] : [];
  return trust.rules.filter(
    (rule) => rule.evidence === evidence && matches(rule.agents, agent) && matches(rule.targets, target),
  );
}

function matches(names: readonly string[], name: string | undefined): boolean {
  return names.includes("*") || (name !== undefined && names.includes(name));
}

function describe({ evidence, agent, target }: Claim): string {
  if (evidence === "trust") return "a version of the trust policy";
  const about = agent === undefined ? "" : ` for ${agent}`;
  return `${evidence} evidence${about}${target === undefined ? "" : ` at ${target}`}`;
}

function instant(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().replace(".000Z", "Z") : "no known time";
}

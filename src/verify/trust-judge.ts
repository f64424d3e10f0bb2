import type { Hex } from "../core/digest.ts";
import { parseTimestamp } from "../evidence/timestamp.ts";
import { keyIdOfHint } from "../sign/keys.ts";
import type { Trust, TrustedKey, TrustRule } from "./trust.ts";

/** What a signature is to count for. */
export interface Claim {
  /** Short name of the predicate. */
  evidence: string;
  agent: string;
  /** The target of a channel statement; absent for evidence that has none. */
  target?: string;
}

/** Whether trust lets a key sign something. Each refusal has its own name, so that each can have its own code. */
export type SignerJudgement =
  | { status: "trusted"; principal: string; keyId: Hex }
  | {
      status: "unknown-key" | "not-allowed" | "not-yet-valid" | "expired" | "revoked";
      principal?: string;
      keyId?: Hex;
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
 * Judges the signer of a piece of evidence. It looks at the name of the key only: verify the signature with
 * `findKey(trust, …).publicKey` first. Thresholds are `missingSigners`' affair.
 *
 * There is no trusted signing time yet, so windows are judged at `now`, and a revoked key is refused whatever its
 * `compromisedSince`: nobody can tell whether the signature is older (DESIGN §4).
 *
 * @param key key id, or the hint of a bundle
 * @param now the door's clock
 */
export function judgeSigner(trust: Trust, facts: Claim & { key: string; now: Date }): SignerJudgement {
  const known = findKey(trust, [facts.key]);
  const id = known?.keyId ?? keyIdOfHint(facts.key);
  const about = {
    ...(known ? { principal: known.principal } : {}),
    ...(id === undefined ? {} : { keyId: id }),
  };
  const revoked = id === undefined ? undefined : trust.revoked.get(id);
  if (revoked) {
    const since = revoked.compromisedSince ? ` (compromised since ${revoked.compromisedSince})` : "";
    return { status: "revoked", ...about, detail: `the key was revoked: ${revoked.reason}${since}` };
  }
  if (!known) return { status: "unknown-key", ...about, detail: "trust names no such key" };
  const { principal, keyId } = known;
  if (!rulesFor(trust, facts).some((rule) => rule.principals.includes(principal)))
    return { status: "not-allowed", ...about, detail: `${principal} may not sign ${describe(facts)}` };
  const now = facts.now.getTime();
  // Written so that an invalid date (NaN) is inside no window.
  if (!(now >= known.notBefore))
    return { status: "not-yet-valid", ...about, detail: `the key counts from ${instant(known.notBefore)}` };
  if (!(now < known.notAfter))
    return { status: "expired", ...about, detail: `the key counted until ${instant(known.notAfter)}` };
  return { status: "trusted", principal, keyId };
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
  return trust.rules.filter(
    (rule) =>
      rule.evidence === evidence &&
      matches(rule.agents, agent) &&
      (target === undefined ? rule.targets.includes("*") : matches(rule.targets, target)),
  );
}

function matches(names: readonly string[], name: string): boolean {
  return names.includes("*") || names.includes(name);
}

function describe({ evidence, agent, target }: Claim): string {
  return `${evidence} evidence for ${agent}${target === undefined ? "" : ` at ${target}`}`;
}

function instant(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString().replace(".000Z", "Z") : "no known time";
}

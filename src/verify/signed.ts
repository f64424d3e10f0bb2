import type { KeyObject } from "node:crypto";
import { sha256 } from "../core/digest.ts";
import { parseStatement, type Statement } from "../evidence/statement.ts";
import { type ParsedBundle, parseBundle, verifyBundleSignature } from "../sign/bundle.ts";
import type { VERIFY_RULES } from "./rules.ts";
import type { Trust } from "./trust.ts";
import { type Claim, findKey, judgeSigner } from "./trust-judge.ts";

/** A bundle as it lies in a folder. */
export interface BundleText {
  /** Relative to the agent's folder. */
  file: string;
  text: string;
  /** Why its text is not here. */
  problem?: string;
}

/** A well-formed statement in a bundle; who signed it is not judged yet. */
export interface SignedStatement {
  file: string;
  text: string;
  /** Hash of the signed bytes: two bundles with one payload say the same. */
  content: string;
  statement: Statement;
  bundle: ParsedBundle;
}

type RuleName = keyof typeof VERIFY_RULES;

/** Whether a signer counts for a claim, with the rule that fails where not. */
export type SignerResult =
  | { ok: true; principal: string; key: string /** Milliseconds since 1970. */; notAfter: number }
  | { ok: false; rule: RuleName; detail: string };

/** Reads the bundles of a folder: statements, and what is none. */
export function readStatements(bundles: readonly BundleText[]): {
  statements: SignedStatement[];
  malformed: { file: string; problem: string }[];
} {
  const statements: SignedStatement[] = [];
  const malformed: { file: string; problem: string }[] = [];
  for (const { file, text, problem } of bundles) {
    if (problem !== undefined) {
      malformed.push({ file, problem });
      continue;
    }
    const bundle = parseBundle(text);
    if ("problem" in bundle) {
      malformed.push({ file, problem: bundle.problem });
      continue;
    }
    const statement = parseStatement(bundle.payload);
    if ("problem" in statement) malformed.push({ file, problem: statement.problem });
    else statements.push({ file, text, content: sha256(bundle.payload), statement, bundle });
  }
  return { statements, malformed };
}

/** Verifies one signature and asks trust about its signer. */
export function judge(signed: SignedStatement, claim: Claim, trust: Trust, now: Date): SignerResult {
  const key = findKey(trust, signed.bundle.hints);
  const judgement = judgeSigner(trust, { ...claim, key: key?.keyId ?? signed.bundle.hints[0] ?? "", now });
  if (judgement.status === "revoked") return { ok: false, rule: "revokedKey", detail: judgement.detail };
  if (!key)
    return {
      ok: false,
      rule: "someoneElse",
      detail: `trust does not name its key ${describeHint(signed.bundle.hints)}`,
    };
  const invalid = verifyBundleSignature(signed.bundle, key.publicKey);
  if (invalid !== null) return { ok: false, rule: "invalid", detail: invalid };
  switch (judgement.status) {
    case "trusted":
      return { ok: true, principal: judgement.principal, key: judgement.keyId, notAfter: key.notAfter };
    case "expired":
      return { ok: false, rule: "expiredKey", detail: judgement.detail };
    case "not-yet-valid":
      return { ok: false, rule: "notYetValid", detail: judgement.detail };
    case "not-allowed":
      return { ok: false, rule: "notAllowed", detail: judgement.detail };
    case "unknown-key":
      return { ok: false, rule: "someoneElse", detail: judgement.detail };
  }
}

/** True when a statement's signature is by this very key, whatever its bundle names. */
export function isSignedBy(signed: SignedStatement, publicKey: KeyObject): boolean {
  return verifyBundleSignature(signed.bundle, publicKey) === null;
}

/** The key id in short, whichever form the bundle names it by. */
function describeHint(hints: readonly string[]): string {
  const hint = hints[0] ?? "";
  const hex = /^[0-9a-f]{64}$/.test(hint) ? hint : Buffer.from(hint, "base64").toString("hex");
  return hex.slice(0, 12) || "without a name";
}

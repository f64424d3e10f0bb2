import type { KeyObject } from "node:crypto";
import { sha256 } from "../core/digest.ts";
import type { SignedBy } from "../core/verdict.ts";
import { parseStatement, type Statement } from "../evidence/statement.ts";
import { type ParsedBundle, parseBundle, verifyBundleSignature } from "../sign/bundle.ts";
import { type Established, earliestTime } from "../sign/established.ts";
import { keyIdOfHint } from "../sign/keys.ts";
import { verifyBundle } from "../sign/verify-bundle.ts";
import type { VERIFY_RULES } from "./rules.ts";
import type { Trust } from "./trust.ts";
import { type Claim, findKey, judgeSigner, signedWith } from "./trust-judge.ts";

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
  | {
      ok: true;
      principal: string;
      with: Omit<SignedBy, "principal">;
      /** Milliseconds since 1970. */
      notAfter: number;
      established: Established;
    }
  | {
      ok: false;
      rule: RuleName;
      detail: string;
      /** Whose it would be. */
      principal?: string;
      /** Present where the signature itself is good. */
      established?: Established;
    };

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
    if (bundle.content.kind !== "dsse") {
      malformed.push({ file, problem: "a signature over a file, not over a statement" });
      continue;
    }
    const { payload } = bundle.content;
    const statement = parseStatement(payload);
    if ("problem" in statement) malformed.push({ file, problem: statement.problem });
    else statements.push({ file, text, content: sha256(payload), statement, bundle });
  }
  return { statements, malformed };
}

/**
 * Verifies one signature and asks trust about its signer: what the bundle's key, certificate, log entries and
 * timestamps prove is `verifyBundle`'s affair, whether that signer may say this is `judgeSigner`'s.
 */
export function judge(
  signed: Pick<SignedStatement, "bundle">,
  claim: Claim,
  trust: Trust,
  now: Date,
): SignerResult {
  const { signer: named } = signed.bundle;
  const key = named.kind === "key" ? findKey(trust, named.hints) : undefined;
  if (named.kind === "key") {
    const id = key?.keyId ?? keyIdOfHint(named.hints[0] ?? "");
    // Said even where no principal has the key any more, or its signature cannot be verified.
    const revoked = id === undefined ? undefined : trust.revoked.get(id);
    if (!key && revoked)
      return { ok: false, rule: "revokedKey", detail: `the key was revoked: ${revoked.reason}` };
    if (!key)
      return {
        ok: false,
        rule: "someoneElse",
        detail: `trust does not name its key ${describeHint(named.hints)}`,
      };
  }
  const established = verifyBundle(signed.bundle, authorityOf(trust));
  if ("problem" in established) {
    const revoked = key && trust.revoked.get(key.keyId);
    if (revoked)
      return {
        ok: false,
        rule: "revokedKey",
        detail: `the key was revoked: ${revoked.reason}`,
        principal: key.principal,
      };
    const { code, detail } = established.problem;
    if (code === "WB-SIGN-003") return { ok: false, rule: "invalid", detail };
    // Nobody whom trust names has issued the certificate: a stranger's, however well it was made.
    const rule = code === "WB-SIGN-011" ? "someoneElse" : "invalid";
    return { ok: false, rule, detail: `${detail} (${code})` };
  }
  const { signer } = established;
  const time = earliestTime(established);
  const judgement = judgeSigner(trust, { ...claim, signer, time, now });
  if (judgement.status === "trusted")
    return {
      ok: true,
      principal: judgement.principal,
      with: signedWith(signer),
      notAfter: judgement.until,
      established,
    };
  const { detail, principal } = judgement;
  return {
    ok: false,
    rule: REFUSED[judgement.status],
    detail,
    ...(principal === undefined ? {} : { principal }),
    established,
  };
}

/** What a bundle is verified against. */
export function authorityOf(trust: Trust): Parameters<typeof verifyBundle>[1] {
  return {
    roots: trust.trustedRoots,
    findKey: (hints) => findKey(trust, hints)?.publicKey,
    ...(trust.witnesses ? { witnesses: trust.witnesses.keys } : {}),
  };
}

const REFUSED = {
  revoked: "revokedKey",
  "unknown-key": "someoneElse",
  "unknown-identity": "someoneElse",
  ambiguous: "ambiguousSigner",
  "not-allowed": "notAllowed",
  "not-yet-valid": "notYetValid",
  expired: "expiredKey",
} as const satisfies Record<string, RuleName>;

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

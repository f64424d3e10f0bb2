import type { KeyObject } from "node:crypto";
import { type Hex, sha256 } from "../core/digest.ts";
import { type ParsedBundle, signedBytes } from "./bundle.ts";
import type { BundleProblem, BundleProblemCode } from "./bundle-problem.ts";
import type { Established } from "./established.ts";
import { spkiOf } from "./keys.ts";
import type { PrehashVerifier } from "./prehash.ts";
import { isSubject, readSubjects } from "./statement-subjects.ts";
import { verifySignature } from "./verify-signature.ts";

// Not `import`, which would load WebCrypto too: this is on the path of a program that must start fast.
const { hash } = process.getBuiltinModule("node:crypto");

// What needs no authority: the signature itself and what it is about. Apart from `verify-bundle.ts` so that a
// program which trusts a key and nothing else loads nothing else.

/**
 * What a bundle must be about: a file by its bytes or by its digest. By the digest a signature over the file itself
 * is verified only with `prehashed`, where it is by a P-256 key.
 */
export type Artifact = { sha256: Hex; prehashed?: PrehashVerifier } | { bytes: Uint8Array };

/** Hash of the bytes that are signed, by Node's name of the algorithm. */
export type SignedHash = (algorithm: string) => Buffer;

/** A bundle is refused; turned into a `BundleProblem` where the story begins. */
export class Refusal extends Error {
  readonly code: BundleProblemCode;

  constructor(code: BundleProblemCode, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** Runs a story that ends in a result or a `Refusal`. */
export function refusals<T>(story: () => T): T | { problem: BundleProblem } {
  try {
    return story();
  } catch (error) {
    if (error instanceof Refusal) return { problem: { code: error.code, detail: error.message } };
    throw error;
  }
}

/**
 * Verifies a bundle by a key alone: `verifyBundle` where no root is trusted, so that log entries and timestamps
 * count as if they were not there.
 *
 * @param findKey the key that the bundle's hints name
 */
export function verifyByKey(
  parsed: ParsedBundle,
  findKey: (hints: readonly string[]) => KeyObject | undefined,
  artifact?: Artifact,
): Established | { problem: BundleProblem } {
  return refusals(() => {
    const publicKey = keyOf(parsed, findKey);
    checkSignature(parsed, publicKey, artifact);
    checkSubject(parsed, artifact);
    return { signer: keySigner(publicKey), times: [], logged: [] };
  });
}

/** The key of a bundle that names one; throws Refusal. */
export function keyOf(
  { signer }: ParsedBundle,
  findKey: (hints: readonly string[]) => KeyObject | undefined,
): KeyObject {
  if (signer.kind !== "key")
    throw new Refusal("WB-SIGN-011", "it is signed with a certificate, and no authority is trusted");
  const publicKey = findKey(signer.hints);
  if (publicKey === undefined) throw new Refusal("WB-SIGN-002", "its key is not one that is trusted");
  return publicKey;
}

/** Who signed, for a key of any kind. */
export function keySigner(publicKey: KeyObject): Established["signer"] {
  return { kind: "key", keyId: sha256(spkiOf(publicKey)) };
}

/** Verifies the signature, and a stated digest of the file; gives the hash of the signed bytes; throws Refusal. */
export function checkSignature(parsed: ParsedBundle, publicKey: KeyObject, artifact?: Artifact): SignedHash {
  const { content, signature } = parsed;
  if (content.kind === "message" && artifact && "sha256" in artifact && artifact.prehashed)
    return checkPrehashed(content.digest, signature, publicKey, artifact.sha256, artifact.prehashed);
  const bytes = artifact && "bytes" in artifact ? artifact.bytes : undefined;
  if (content.kind === "message" && content.digest && bytes) {
    const { algorithm, value } = content.digest;
    if (!hash(algorithm, bytes, "buffer").equals(value))
      throw new Refusal("WB-SIGN-012", "it is a signature over another file");
  }
  const data = signedBytes(content, bytes);
  if (data === undefined)
    throw new Refusal("WB-SIGN-012", "it is a signature over a file, and the file is not given");
  const invalid = verifySignature(data, signature, publicKey);
  if (invalid !== null) throw new Refusal("WB-SIGN-003", invalid);
  return (algorithm) => hash(algorithm, data, "buffer");
}

function checkPrehashed(
  stated: { algorithm: string; value: Buffer } | undefined,
  signature: Buffer,
  publicKey: KeyObject,
  sha256: Hex,
  verify: PrehashVerifier,
): SignedHash {
  const digest = Buffer.from(sha256, "hex");
  if (
    publicKey.asymmetricKeyDetails?.namedCurve !== "prime256v1" ||
    (stated && stated.algorithm !== "sha256")
  )
    throw new Refusal("WB-SIGN-012", "it is not over the SHA-256 of a file: give the file");
  if (stated && !stated.value.equals(digest))
    throw new Refusal("WB-SIGN-012", "it is a signature over another file");
  const invalid = verify(digest, signature, publicKey);
  if (invalid !== null) throw new Refusal("WB-SIGN-003", invalid);
  return (algorithm) => {
    if (algorithm === "sha256") return digest;
    throw new Refusal("WB-LOG-003", "a log entry has another hash than SHA-256: give the file");
  };
}

/**
 * A statement is about an artifact when one of its subjects is. That it is a statement is demanded in any case.
 * Throws Refusal.
 */
export function checkSubject({ content }: ParsedBundle, artifact?: Artifact): void {
  if (content.kind !== "dsse") return;
  const statement = readSubjects(content.payload);
  if ("problem" in statement)
    throw new Refusal("WB-SIGN-010", `its payload is no statement: ${statement.problem}`);
  if (artifact === undefined) return;
  const digestOf = (algorithm: string): string | undefined => {
    if ("bytes" in artifact) return hash(algorithm, artifact.bytes, "hex");
    return algorithm === "sha256" ? artifact.sha256 : undefined;
  };
  if (!statement.subjects.some((subject) => isSubject(subject, digestOf)))
    throw new Refusal("WB-SIGN-012", "none of the statement's subjects is this artifact");
}

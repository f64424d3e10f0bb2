import type { KeyObject } from "node:crypto";
import { WaybillError } from "../core/errors.ts";
import { curveOf } from "./keys.ts";

/**
 * Verifies an ECDSA signature over a digest: SHA-256, SHA-384 or SHA-512 as goes with the key's curve. The signature
 * is DER (RFC 3279 §2.2.3); a high S is accepted, as other signers write it. Gives null when it is valid, else the
 * reason; throws WaybillError WB-INPUT-016 for a key that is not accepted.
 */
export type PrehashVerifier = (
  digest: Uint8Array,
  signature: Uint8Array,
  publicKey: KeyObject,
) => string | null;

/**
 * A verifier of signatures for when only the digest of what was signed is at hand, as in a log entry. Node's own
 * crypto hashes what it verifies and cannot be given a digest, so this loads the optional `@noble/curves`.
 *
 * @throws WaybillError WB-INPUT-018 when the package is not installed
 */
export async function loadPrehashVerifier(): Promise<PrehashVerifier> {
  const curves = await load();
  return (digest, signature, publicKey) => verifyWith(curves, digest, signature, publicKey);
}

/** `loadPrehashVerifier`, once. */
export async function verifyPrehashed(
  ...[digest, signature, publicKey]: Parameters<PrehashVerifier>
): Promise<string | null> {
  curveOf(publicKey);
  return (await loadPrehashVerifier())(digest, signature, publicKey);
}

type Curves = typeof import("@noble/curves/nist.js");

function verifyWith(
  { p256, p384, p521 }: Curves,
  digest: Uint8Array,
  signature: Uint8Array,
  publicKey: KeyObject,
): string | null {
  const curve = curveOf(publicKey);
  const { x, y } = publicKey.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x!, "base64url"), Buffer.from(y!, "base64url")]);
  const size = { "P-256": 32, "P-384": 48, "P-521": 64 }[curve];
  if (digest.length !== size) return `a digest of ${digest.length} bytes does not go with a ${curve} key`;
  const verifier = { "P-256": p256, "P-384": p384, "P-521": p521 }[curve];
  const refused = "the signature is not by this key over this digest";
  try {
    const valid = verifier.verify(signature, digest, point, { prehash: false, lowS: false, format: "der" });
    return valid ? null : refused;
  } catch {
    // It throws for a signature that is longer than any can be.
    return refused;
  }
}

async function load(): Promise<Curves> {
  try {
    return await import("@noble/curves/nist.js");
  } catch (cause) {
    throw new WaybillError("WB-INPUT-018", "checking a signature by its digest needs @noble/curves", {
      hint: "npm install @noble/curves@2.4.0",
      cause,
    });
  }
}

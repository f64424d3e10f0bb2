import type { KeyObject } from "node:crypto";
import { hashOf } from "./dsse.ts";

// Not `import`, which would load WebCrypto too: this is on the path of a program that must start fast.
const { verify } = process.getBuiltinModule("node:crypto");

/**
 * Verifies a signature over bytes by a key of any kind that Sigstore knows: ECDSA with the hash of the curve,
 * Ed25519, RSA with PKCS #1 v1.5 and SHA-256.
 *
 * @returns null when it is valid, else the reason
 */
export function verifySignature(
  data: Uint8Array,
  signature: Uint8Array,
  publicKey: KeyObject,
): string | null {
  try {
    return verify(digestAlgorithmOf(publicKey), data, publicKey, signature)
      ? null
      : "the signature does not fit what was signed and this key";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The digest algorithm that goes with a key: that of its curve; null where the scheme brings its own (Ed25519). */
function digestAlgorithmOf(key: KeyObject): string | null {
  if (key.asymmetricKeyType === "ed25519") return null;
  return key.asymmetricKeyType === "rsa" ? "sha256" : hashOf(key);
}

import { createHash, type KeyObject, verify } from "node:crypto";
import { preAuthEncoding } from "../../sign/dsse.ts";
import type { BundleFacts } from "./anatomy.ts";

/** How a signature was made: the hash that was signed, `ed25519` where the message itself was, or by another key. */
export type SignedWith = "sha256" | "sha384" | "sha512" | "ed25519" | "another key" | "unknown";

const HASHES = ["sha256", "sha384", "sha512"] as const;

/**
 * Tells with which hash this key made the bundle's signature. The format does not say it, and verifiers differ: cosign
 * takes SHA-256 for every key that it is handed, OMS takes the hash that belongs to the curve.
 *
 * @param artifact the signed bytes of a message signature, where they are at hand
 * @returns `unknown` where a message signature cannot be checked without its artifact
 */
export function signedWith(facts: BundleFacts, key: KeyObject, artifact?: Uint8Array): SignedWith {
  const { content } = facts;
  if (!content) return "unknown";
  const signature = content.kind === "dsse" ? content.signatures[0] : content.signature;
  if (!signature) return "unknown";
  const message = content.kind === "dsse" ? preAuthEncoding(content.payloadType, content.payload) : artifact;
  if (message === undefined) return "unknown";
  const by = (hash: string | null) => {
    try {
      return verify(hash, message, key, signature);
    } catch {
      return false;
    }
  };
  if (key.asymmetricKeyType === "ed25519") return by(null) ? "ed25519" : "another key";
  return HASHES.find((hash) => by(hash)) ?? "another key";
}

/** The hash that OMS v1.0 binds to a key: that of its curve. */
export function hashOfCurve(key: KeyObject): SignedWith | undefined {
  const curve = key.asymmetricKeyDetails?.namedCurve ?? "";
  return ({ prime256v1: "sha256", secp384r1: "sha384", secp521r1: "sha512" } as const)[curve];
}

/** Hex SHA-256 of a key's PEM as OpenSSL writes it: the hint of OMS v1.0. */
export function omsHint(key: KeyObject): string {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "pem" }))
    .digest("hex");
}

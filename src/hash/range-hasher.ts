import { createHash } from "node:crypto";
import { WaybillError } from "../core/errors.ts";

/** By OpenSSL's names where Node has them. */
export type RangeAlgorithm = "sha256" | "blake2b512" | "blake3";

/** A hash that takes bytes and at the end gives its digest in hex. */
export interface RangeHasher {
  update(bytes: Uint8Array): unknown;
  hex(): string;
}

/**
 * Makes hashers of one algorithm. BLAKE3, which Node has not, comes from the optional `@noble/hashes`.
 *
 * @throws WaybillError WB-INPUT-018 for BLAKE3 when that package is not installed
 */
export async function rangeHasher(algorithm: RangeAlgorithm): Promise<() => RangeHasher> {
  if (algorithm !== "blake3")
    return () => {
      const hash = createHash(algorithm);
      return { update: (bytes) => hash.update(bytes), hex: () => hash.digest("hex") };
    };
  let blake3: typeof import("@noble/hashes/blake3.js")["blake3"];
  try {
    ({ blake3 } = await import("@noble/hashes/blake3.js"));
  } catch (cause) {
    throw new WaybillError("WB-INPUT-018", "a model signed with BLAKE3 needs @noble/hashes", {
      hint: "npm install @noble/hashes@2.4.0",
      cause,
    });
  }
  return () => {
    const hash = blake3.create();
    return { update: (bytes) => hash.update(bytes), hex: () => Buffer.from(hash.digest()).toString("hex") };
  };
}

import type { Json } from "../core/canonical-json.ts";
import type { Hash } from "../core/merkle.ts";
import { ENTRY_KIND } from "./entry.ts";

/**
 * A Sigstore TransparencyLogEntry as JSON (protobuf-specs, sigstore_rekor.proto): what a bundle carries as
 * `tlogEntries[0]`. As a Rekor v2 entry it has neither `integratedTime` nor `inclusionPromise`.
 */
export function encodeLogEntry(entry: {
  /** The whole key id of the log, hex. */
  logId: string;
  index: number;
  /** The entry's bytes. */
  body: Uint8Array;
  proof: readonly Hash[];
  root: Hash;
  size: number;
  /** The signed note of that size and root. */
  checkpoint: string;
}): Json {
  const { logId, index, body, proof, root, size, checkpoint } = entry;
  return {
    logIndex: String(index),
    logId: { keyId: Buffer.from(logId, "hex").toString("base64") },
    kindVersion: { ...ENTRY_KIND },
    inclusionProof: {
      logIndex: String(index),
      rootHash: base64(root),
      treeSize: String(size),
      hashes: proof.map(base64),
      checkpoint: { envelope: checkpoint },
    },
    canonicalizedBody: base64(body),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

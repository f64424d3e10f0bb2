import type { Json } from "../core/canonical-json.ts";
import { bytesOf, countOf, fieldsOf, listOf, optional, ShapeError, textOf } from "./json-shape.ts";

/**
 * An entry of a transparency log as a bundle carries it (sigstore/protobuf-specs, sigstore_rekor.proto,
 * TransparencyLogEntry). Nothing in it is to be believed before `checkLogEntry`.
 */
export interface LogEntry {
  /** Key id of the log: 32 bytes in all logs of today. */
  logId: Buffer;
  /** Position in the log; in Rekor v1 over all of its shards. */
  logIndex: number;
  kind: string;
  version: string;
  /** Seconds since 1970; 0 where the log has none (Rekor v2). Only a SET makes it worth something. */
  integratedTime: number;
  /** Signed entry timestamp (SET) of a Rekor v1 log. */
  promise?: Buffer;
  proof?: InclusionProof;
  /** What was logged: the leaf. */
  body: Buffer;
}

/** An inclusion proof with the signed checkpoint that it leads to. */
export interface InclusionProof {
  /** Position in the tree of the checkpoint. */
  logIndex: number;
  /** What the proof says of the tree; the checkpoint decides. Absent in some writers. */
  rootHash?: Buffer;
  treeSize?: number;
  hashes: readonly Buffer[];
  /** Signed note. Absent only in bundles v0.1, where the proof then proves nothing. */
  checkpoint?: string;
}

/** The last second of the year 9999: what lies beyond is no time. */
const LAST_SECOND = 253_402_300_799;

/** Most bytes of a logged body: an intoto entry carries certificates, never the payload. */
const MAX_BODY = 1 << 20;

/** Reads one of `tlogEntries`. @throws ShapeError */
export function readLogEntry(value: Json, at: string): LogEntry {
  const entry = fieldsOf(value, at, [
    "logIndex",
    "logId",
    "kindVersion",
    "integratedTime",
    "inclusionPromise",
    "inclusionProof",
    "canonicalizedBody",
  ]);
  const kindVersion = fieldsOf(entry.kindVersion, `${at}.kindVersion`, ["kind", "version"]);
  const promise = optional(entry, "inclusionPromise");
  const proof = optional(entry, "inclusionProof");
  return {
    // Absent is 0: the JSON form of protocol buffers leaves defaults out.
    logIndex: countOf(optional(entry, "logIndex") ?? 0, `${at}.logIndex`),
    logId: bytesOf(fieldsOf(entry.logId, `${at}.logId`, ["keyId"]).keyId, `${at}.logId.keyId`, 64),
    kind: textOf(kindVersion.kind, `${at}.kindVersion.kind`, 64),
    version: textOf(kindVersion.version, `${at}.kindVersion.version`, 64),
    integratedTime: readSeconds(optional(entry, "integratedTime"), `${at}.integratedTime`),
    ...(promise === undefined ? {} : { promise: readPromise(promise, `${at}.inclusionPromise`) }),
    ...(proof === undefined ? {} : { proof: readProof(proof, `${at}.inclusionProof`) }),
    body: bytesOf(entry.canonicalizedBody, `${at}.canonicalizedBody`, MAX_BODY),
  };
}

function readSeconds(value: Json | undefined, at: string): number {
  const seconds = countOf(value ?? 0, at);
  if (seconds > LAST_SECOND) throw new ShapeError(`${at}: after the year 9999`);
  return seconds;
}

function readPromise(value: Json, at: string): Buffer {
  const promise = fieldsOf(value, at, ["signedEntryTimestamp"]);
  return bytesOf(promise.signedEntryTimestamp, `${at}.signedEntryTimestamp`, 4096);
}

function readProof(value: Json, at: string): InclusionProof {
  const proof = fieldsOf(value, at, ["logIndex", "rootHash", "treeSize", "hashes", "checkpoint"]);
  const rootHash = optional(proof, "rootHash");
  const treeSize = optional(proof, "treeSize");
  const checkpoint = optional(proof, "checkpoint");
  const hashes = listOf(optional(proof, "hashes"), `${at}.hashes`, 64).map((hash) => {
    const bytes = bytesOf(hash, `${at}.hashes`, 32);
    if (bytes.length !== 32) throw new ShapeError(`${at}.hashes: not 32 bytes`);
    return bytes;
  });
  const envelope =
    checkpoint === undefined
      ? undefined
      : textOf(
          fieldsOf(checkpoint, `${at}.checkpoint`, ["envelope"]).envelope,
          `${at}.checkpoint.envelope`,
          1 << 16,
        );
  return {
    logIndex: countOf(optional(proof, "logIndex") ?? 0, `${at}.logIndex`),
    ...(rootHash === undefined || rootHash === ""
      ? {}
      : { rootHash: bytesOf(rootHash, `${at}.rootHash`, 32) }),
    ...(treeSize === undefined ? {} : { treeSize: countOf(treeSize, `${at}.treeSize`) }),
    hashes,
    ...(envelope === undefined || envelope === "" ? {} : { checkpoint: envelope }),
  };
}

import { canonicalJson, type Json } from "./canonical-json.ts";
import { type Hash, inclusionPath, leafHash, merkleRoot } from "./merkle.ts";
import { type ProofResult, verifyInclusion } from "./proof.ts";

const TAG = "waybill-access";

/** One access as a service saw it. */
export interface AccessRecord {
  /** RFC 3339. */
  at: string;
  /** Who asked: a principal, a key id, or `anonymous`. */
  who: string;
  /** What was asked, such as `add-entry` or `read-tile`. */
  what: string;
  /** The thing asked for, such as a digest or a path. */
  object: string;
  outcome: "served" | "refused";
}

/** A record with the salt that keeps its leaf from being guessed: 32 hex digits. */
export interface SaltedRecord {
  salt: string;
  record: AccessRecord;
}

/** The leaf of one record: tagged, over the canonical JSON of record and salt. */
export function accessLeaf(salted: SaltedRecord): Hash {
  return leafHash(Buffer.from(canonicalJson(salted as unknown as Json)), TAG);
}

/** The root of a window over its records in the order in which they were made durable. */
export function accessRoot(records: readonly SaltedRecord[]): Hash {
  return merkleRoot(records.map(accessLeaf));
}

/** The proof that a record is in the window, to show one record without the others. */
export function proveAccess(records: readonly SaltedRecord[], index: number): Hash[] {
  return inclusionPath(records.map(accessLeaf), index);
}

/** Verifies that a record is number `index` of the `count` in a window with this root. */
export function verifyAccess(claim: {
  salted: SaltedRecord;
  index: number;
  count: number;
  proof: readonly Hash[];
  root: Hash;
}): ProofResult {
  const { salted, index, count, proof, root } = claim;
  return verifyInclusion({ index, size: count, leafHash: accessLeaf(salted), proof, root });
}

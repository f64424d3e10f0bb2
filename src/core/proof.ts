import { EMPTY_ROOT, HASH_SIZE, type Hash, nodeHash } from "./merkle.ts";

// Every verifier here gives null when the proof holds, else the reason why not, for people. Never a boolean:
// a forgotten `!` would turn a refusal into a pass. Nothing throws, whatever the shape of the input.

/** An index or a size: 0 to 2^64 - 1. A number above 2^53 - 1 is refused (it may not be the one meant): use bigint. */
export type Count = number | bigint;

/** The hashes of a proof; null, as some encoders write it, is an empty one. */
export type Proof = readonly Hash[] | null;

/** What was found wrong with a proof, or null when nothing is. */
export type ProofResult = string | null;

/** Verifies that `leafHash` is leaf `index` of the tree of `size` leaves with this root: RFC 9162 §2.1.3.2. */
export function verifyInclusion(claim: {
  index: Count;
  size: Count;
  leafHash: Hash;
  proof: Proof;
  root: Hash;
}): ProofResult {
  const { index, size: end, leafHash, proof, root } = claim;
  return verifySubtreeInclusion({ index, start: 0, end, leafHash, proof, root });
}

/**
 * Verifies that `leafHash` is leaf `index` (counted in the whole tree) of the subtree [start, end) with this
 * root: draft-ietf-plants-merkle-tree-certs §4.3. A subtree is a tree of its own, so the proof is that of leaf
 * index - start among end - start.
 */
export function verifySubtreeInclusion(claim: {
  index: Count;
  start: Count;
  end: Count;
  leafHash: Hash;
  proof: Proof;
  root: Hash;
}): ProofResult {
  const [index, start, end] = [u64(claim.index), u64(claim.start), u64(claim.end)];
  if (index === null || start === null || end === null) return NOT_U64;
  const invalid = subtreeError(start, end);
  if (invalid !== null) return invalid;
  if (index < start || index >= end) return `index ${index} is outside [${start}, ${end})`;
  if (!isHash(claim.leafHash)) return "the leaf hash does not have 32 bytes";
  const proof = hashes(claim.proof);
  if (typeof proof === "string") return proof;

  let node = index - start;
  let last = end - start - 1n;
  let hash = claim.leafHash;
  for (const sibling of proof) {
    if (last === 0n) return TOO_LONG;
    if ((node & 1n) === 1n || node === last) {
      hash = nodeHash(sibling, hash);
      // On the right edge a node without a sibling is carried up unchanged.
      for (; (node & 1n) === 0n; node >>= 1n) last >>= 1n;
    } else {
      hash = nodeHash(hash, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  if (last !== 0n) return TOO_SHORT;
  return equal(hash, claim.root) ? null : "the proof leads to another root";
}

/**
 * Verifies that the tree of `size2` leaves with `root2` begins with the tree of `size1` leaves with `root1`:
 * RFC 9162 §2.1.4.2. Trees of one size are consistent when their roots are equal and the proof is empty. From
 * the empty tree nothing can be proved: refused, so that no one reads "consistent with nothing" as evidence
 * (a caller that has seen no tree yet has nothing to verify and must say so itself).
 */
export function verifyConsistency(claim: {
  size1: Count;
  size2: Count;
  root1: Hash;
  root2: Hash;
  proof: Proof;
}): ProofResult {
  const { size1, size2, root1, root2, proof } = claim;
  if (u64(size1) === 0n) return "a consistency proof from the empty tree is meaningless";
  return verifySubtreeConsistency({ start: 0, end: size1, size: size2, root1, root2, proof });
}

/**
 * Verifies that the subtree [start, end) with `root1` is part of the tree of `size` leaves with `root2`:
 * draft-ietf-plants-merkle-tree-certs §4.4.3, "Verifying a Subtree Consistency Proof". An empty subtree is part
 * of any tree: its root is SHA-256 of nothing, its proof empty, and `root2` is not looked at.
 */
export function verifySubtreeConsistency(claim: {
  start: Count;
  end: Count;
  size: Count;
  root1: Hash;
  root2: Hash;
  proof: Proof;
}): ProofResult {
  const { root1, root2 } = claim;
  const [start, end, size] = [u64(claim.start), u64(claim.end), u64(claim.size)];
  if (start === null || end === null || size === null) return NOT_U64;
  const invalid = subtreeError(start, end);
  if (invalid !== null) return invalid;
  if (end > size) return `the older part ends at ${end}, after the tree's ${size} leaves`;
  const proof = hashes(claim.proof);
  if (typeof proof === "string") return proof;
  if (start === end) {
    if (proof.length > 0) return TOO_LONG;
    return equal(root1, EMPTY_ROOT) ? null : "the first root is not that of an empty tree";
  }
  if (start === 0n && end === size) {
    if (proof.length > 0) return TOO_LONG;
    return equal(root1, root2) ? null : "trees of one size have different roots";
  }
  if (!isHash(root1)) return "the first root does not have 32 bytes";

  // The paths of the subtree's first and last leaf and of the tree's last leaf, climbing together.
  let [first, last, tree] = [start, end - 1n, size - 1n];
  const climb = () => {
    first >>= 1n;
    last >>= 1n;
    tree >>= 1n;
  };
  // Up to the node that both trees contain: the whole subtree, or the last perfect part of it.
  const flush = last === tree;
  while (first !== last && (flush || (last & 1n) === 1n)) climb();
  // When that is the whole subtree, its hash is known and left out of the proof.
  const known = first === last;
  const seed = known ? root1 : proof[0];
  if (seed === undefined) return TOO_SHORT;
  let hash1 = seed;
  let hash2 = seed;
  for (const sibling of known ? proof : proof.slice(1)) {
    if (tree === 0n) return TOO_LONG;
    if ((last & 1n) === 1n || last === tree) {
      if (first < last) hash1 = nodeHash(sibling, hash1);
      hash2 = nodeHash(sibling, hash2);
      while ((last & 1n) === 0n) climb();
    } else {
      hash2 = nodeHash(hash2, sibling);
    }
    climb();
  }
  if (tree !== 0n) return TOO_SHORT;
  if (!equal(hash1, root1)) return "the proof leads to another first root";
  return equal(hash2, root2) ? null : "the proof leads to another second root";
}

const NOT_U64 = "an index or a size is not an integer from 0 to 2^64 - 1 (above 2^53 - 1: a bigint)";
const TOO_LONG = "the proof has too many hashes";
const TOO_SHORT = "the proof has too few hashes";

/**
 * Why [start, end) is no subtree, or null: start <= end, and start is a multiple of the smallest power of two
 * that is at least end - start (draft-ietf-plants-merkle-tree-certs §4.1). [0, n) and [n, n) always are.
 */
function subtreeError(start: bigint, end: bigint): string | null {
  if (start > end) return `[${start}, ${end}) ends before it starts`;
  let width = 1n;
  while (width < end - start) width <<= 1n;
  return start % width === 0n
    ? null
    : `[${start}, ${end}) is not a subtree: ${start} is no multiple of ${width}`;
}

/** The value as a bigint, or null when it is not a uint64 or may have been rounded. */
function u64(value: unknown): bigint | null {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : null;
  return typeof value === "bigint" && value >= 0n && value < 1n << 64n ? value : null;
}

/** The hashes of a proof, or what is wrong with its shape. */
function hashes(proof: unknown): readonly Hash[] | string {
  if (proof === null) return [];
  if (!Array.isArray(proof)) return "the proof is not a list of hashes";
  // No proof in a tree of 2^64 leaves is longer: refuse before looking at what may be millions of entries.
  if (proof.length > 65) return TOO_LONG;
  // Not every(): it skips the holes of a sparse array.
  for (const hash of proof) if (!isHash(hash)) return "a hash in the proof does not have 32 bytes";
  return proof;
}

function isHash(value: unknown): value is Hash {
  return value instanceof Uint8Array && value.length === HASH_SIZE;
}

/** Roots are public: no need for constant time. */
function equal(a: unknown, b: unknown): boolean {
  if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.length !== b.length) return false;
  return a.every((byte, i) => byte === b[i]);
}

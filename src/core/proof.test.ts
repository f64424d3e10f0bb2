import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  consistencyPath,
  EMPTY_ROOT,
  type Hash,
  inclusionPath,
  leafHash,
  merkleRoot,
  nodeHash,
} from "./merkle.ts";
import {
  type Proof,
  type ProofResult,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from "./proof.ts";

// Leaves d[i] = one byte i, as in appendix C.1 of draft-ietf-plants-merkle-tree-certs.
const D = Array.from({ length: 130 }, (_, i) => leafHash(Uint8Array.of(i)));
const hex = (hash: Uint8Array) => Buffer.from(hash).toString("hex");

const roots = new Map<string, Hash>();
/** MTH(D[start:end]), remembered: the tests ask for the same ones again and again. */
function mth(start: number, end: number): Hash {
  const key = `${start} ${end}`;
  let root = roots.get(key);
  if (root === undefined) {
    root = merkleRoot(D.slice(start, end));
    roots.set(key, root);
  }
  return root;
}

/** §4.1, word for word. */
function validSubtree(start: number, end: number): boolean {
  let ceil = 1;
  while (ceil < end - start) ceil *= 2;
  return start <= end && start % ceil === 0;
}

/** Every valid subtree with end <= size, empty ones included. */
function* subtrees(size: number): Generator<[number, number]> {
  for (let end = 0; end <= size; end += 1)
    for (let start = 0; start <= end; start += 1) if (validSubtree(start, end)) yield [start, end];
}

/** PATH(index - start, D[start:end]). */
function subtreePath(index: number, start: number, end: number): Hash[] {
  return inclusionPath(D.slice(start, end), index - start);
}

/** SUBTREE_PROOF(start, end, D[first:first + size]) of §4.4.1, word for word; `base` is where a part of D begins. */
function subtreeProof(start: number, end: number, size: number, first = 0): Hash[] {
  const sub = (from: number, to: number, base: number, n: number, known: boolean): Hash[] => {
    if (from === 0 && to === n) return known ? [] : [mth(base, base + n)];
    let k = 1;
    while (k * 2 < n) k *= 2;
    if (to <= k) return [...sub(from, to, base, k, known), mth(base + k, base + n)];
    if (k <= from) return [...sub(from - k, to - k, base + k, n - k, known), mth(base, base + k)];
    return [...sub(0, to - k, base + k, n - k, false), mth(base, base + k)];
  };
  return start === end ? [] : sub(start, end, first, size, true);
}

function flipped(hash: Hash, bit: number): Hash {
  const copy = Uint8Array.from(hash);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

/** A proof verifies, and no proof that differs from it by one bit, one hash or one byte does. */
function onlyThis(proof: readonly Hash[], verify: (proof: Proof) => ProofResult, salt = 0): void {
  assert.equal(verify(proof), null);
  const refused = (changed: Proof, what: string) => assert.equal(typeof verify(changed), "string", what);
  for (const [i, hash] of proof.entries()) {
    refused(proof.with(i, flipped(hash, (salt + 37 * i) % 256)), `bit of ${i}`);
    refused(proof.toSpliced(i, 1), `without ${i}`);
    refused(proof.toSpliced(i, 0, hash), `${i} twice`);
    refused(proof.with(i, hash.subarray(1)), `${i} cut`);
  }
  refused([...proof, D[0]!], "one more");
  refused([D[0]!, ...proof], "one before");
  refused([...proof, new Uint8Array(0)], "an empty one more");
  if (proof.length > 0) refused(null, "none");
  else assert.equal(verify(null), null);
}

test("inclusion: every leaf of every tree up to 70, and nothing near it", () => {
  for (let size = 1; size <= 70; size += 1) {
    const root = mth(0, size);
    const leaves = D.slice(0, size);
    for (let index = 0; index < size; index += 1) {
      const claim = { index, size, leafHash: D[index]!, root };
      const proof = inclusionPath(leaves, index);
      onlyThis(proof, (changed) => verifyInclusion({ ...claim, proof: changed }), size + index);
      for (const change of [
        { index: index + 1 },
        { index: index - 1 },
        { index: index ^ 2 },
        { leafHash: D[index + 1]! },
        { leafHash: flipped(D[index]!, size) },
        { root: flipped(root, index) },
        { root: EMPTY_ROOT },
        { root: new Uint8Array(0) },
      ]) {
        assert.equal(typeof verifyInclusion({ ...claim, proof, ...change }), "string");
      }
    }
  }
});

test("consistency: every pair of sizes up to 70, and nothing near it", () => {
  for (let size2 = 1; size2 <= 70; size2 += 1) {
    for (let size1 = 1; size1 <= size2; size1 += 1) {
      const claim = { size1, size2, root1: mth(0, size1), root2: mth(0, size2) };
      const proof = consistencyPath(D.slice(0, size2), size1);
      assert.deepEqual(subtreeProof(0, size1, size2).map(hex), proof.map(hex));
      onlyThis(proof, (changed) => verifyConsistency({ ...claim, proof: changed }), size1 + size2);
      const refused = [
        { size1: size1 + 70 },
        { size1: 0 },
        { size2: 0 },
        { root1: flipped(claim.root1, size2) },
        { root2: flipped(claim.root2, size1) },
        { root1: new Uint8Array(0) },
        { root2: claim.root2.subarray(1) },
        ...(size1 === size2
          ? []
          : [{ root1: claim.root2, root2: claim.root1 }, { size1: size2 }, { size2: size1 }]),
      ];
      for (const change of refused) {
        assert.equal(typeof verifyConsistency({ ...claim, proof, ...change }), "string");
      }
    }
  }
});

test("subtree proofs: every valid subtree of every tree up to 40, and nothing near it", () => {
  for (let size = 0; size <= 40; size += 1) {
    for (const [start, end] of subtrees(size)) {
      const claim = { start, end, size, root1: mth(start, end), root2: mth(0, size) };
      const proof = subtreeProof(start, end, size);
      onlyThis(proof, (changed) => verifySubtreeConsistency({ ...claim, proof: changed }), size);
      const wrong = flipped(claim.root1, end);
      assert.equal(typeof verifySubtreeConsistency({ ...claim, proof, root1: wrong }), "string");
      if (start === end) continue;
      assert.equal(typeof verifySubtreeConsistency({ ...claim, proof, root2: wrong }), "string");
      assert.equal(typeof verifySubtreeConsistency({ ...claim, proof, size: end - 1 }), "string");
    }
  }
  for (const [start, end] of subtrees(40)) {
    for (let index = start; index < end; index += 1) {
      const claim = { index, start, end, leafHash: D[index]!, root: mth(start, end) };
      onlyThis(subtreePath(index, start, end), (proof) => verifySubtreeInclusion({ ...claim, proof }), index);
    }
  }
});

test("the generators are those of appendix C.1 of the subtree draft", () => {
  const [hashes, inclusion, consistency] = Array.from({ length: 3 }, () => createHash("sha256"));
  const line = (proof: readonly Hash[]) => `${proof.map((hash) => ` ${hex(hash)}`).join("")}\n`;
  for (const [start, end] of subtrees(130)) {
    hashes!.update(`[${start}, ${end}) ${hex(mth(start, end))}\n`);
    for (let i = start; i < end; i += 1) {
      // An inclusion proof is the subtree proof of the leaf alone, made here from remembered roots.
      const proof = subtreeProof(i - start, i - start + 1, end - start, start);
      inclusion!.update(`${i} [${start}, ${end})${line(proof)}`);
      assert.equal(
        verifySubtreeInclusion({ index: i, start, end, leafHash: D[i]!, proof, root: mth(start, end) }),
        null,
      );
    }
  }
  for (let size = 0; size <= 130; size += 1) {
    for (const [start, end] of subtrees(size)) {
      consistency!.update(`[${start}, ${end}) ${size}${line(subtreeProof(start, end, size))}`);
    }
  }
  assert.deepEqual(
    [hashes, inclusion, consistency].map((hash) => hash!.digest("hex")),
    [
      "b82806ad4265bb151c1119c0f4db437bb4d1a1f887b3a7fba1cd4ebf552e3e81",
      "ac2a8f989e44d99e399db448050ff5f19757df53cfb716aa81015d3955d8163f",
      "10fa99b37bf9bf9ffa26b412fbd98bd75363256d0b75d61bc4538b9c9c5a0a74",
    ],
  );
});

test("empty trees and empty subtrees", () => {
  const root = mth(0, 8);
  assert.match(
    verifyInclusion({ index: 0, size: 0, leafHash: D[0]!, proof: [], root: EMPTY_ROOT })!,
    /outside/,
  );
  assert.match(
    verifySubtreeInclusion({
      index: 4,
      start: 4,
      end: 4,
      leafHash: EMPTY_ROOT,
      proof: [],
      root: EMPTY_ROOT,
    })!,
    /outside/,
  );
  const empty = { size1: 0, root1: EMPTY_ROOT, proof: [] };
  assert.match(verifyConsistency({ ...empty, size2: 8, root2: root })!, /meaningless/);
  assert.match(verifyConsistency({ ...empty, size2: 0, root2: EMPTY_ROOT })!, /meaningless/);
  for (const at of [0, 3, 8]) {
    const claim = { start: at, end: at, size: 8, root1: EMPTY_ROOT, root2: root, proof: [] };
    assert.equal(verifySubtreeConsistency(claim), null);
    // Draft §4.4.3 step 2: an empty subtree says nothing about the tree.
    assert.equal(verifySubtreeConsistency({ ...claim, root2: D[0]! }), null);
    assert.match(verifySubtreeConsistency({ ...claim, proof: [EMPTY_ROOT] })!, /too many/);
    assert.match(verifySubtreeConsistency({ ...claim, root1: D[0]! })!, /empty tree/);
    assert.match(verifySubtreeConsistency({ ...claim, root1: new Uint8Array(0) })!, /empty tree/);
    assert.match(verifySubtreeConsistency({ ...claim, size: at - 1 })!, /after the tree|not an integer/);
  }
});

test("which intervals are subtrees, to the end of uint64 (draft appendix C.2)", () => {
  const verdict = (start: bigint, end: bigint) =>
    verifySubtreeInclusion({ index: start, start, end, leafHash: D[0]!, proof: [], root: D[0]! }) ??
    "verified";
  const valid: [bigint, bigint][] = [
    [0n, 2n ** 62n + 1n],
    [0n, 2n ** 63n - 1n],
    [0n, 2n ** 63n + 1n],
    [0n, 2n ** 64n - 1n],
    [2n ** 62n, 2n ** 63n],
    [8n, 13n],
    [2n ** 63n, 2n ** 64n - 1n],
  ];
  for (const [start, end] of valid) assert.match(verdict(start, end), /too few/);
  const invalid: [bigint, bigint][] = [
    [2n ** 46n, 2n ** 47n + 1n],
    [2n ** 46n, 2n ** 48n - 1n],
    [2n ** 61n, 2n ** 62n + 1n],
    [2n ** 61n, 2n ** 63n - 1n],
    [2n ** 62n, 2n ** 63n + 1n],
    [2n ** 62n, 2n ** 64n - 1n],
    [1n, 2n ** 63n + 2n],
    [3n, 5n],
    [4n, 9n],
  ];
  for (const [start, end] of invalid) {
    assert.match(verdict(start, end), /is not a subtree/);
    assert.match(
      verifySubtreeConsistency({
        start,
        end,
        size: 2n ** 64n - 1n,
        root1: D[0]!,
        root2: D[0]!,
        proof: [D[0]!],
      })!,
      /is not a subtree/,
    );
  }
  assert.match(verdict(5n, 4n), /ends before it starts/);
  assert.equal(verdict(2n ** 64n - 2n, 2n ** 64n - 1n), "verified");
});

test("property: proofs in trees of up to 2^64 - 1 leaves have one length and one order of hashes", () => {
  const u64 = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
  const bits = (n: bigint) => (n === 0n ? "" : n.toString(2));
  fc.assert(
    fc.property(u64, u64, fc.bigInt({ min: 0n, max: 62n }), (a, size, level) => {
      // The two stages of RFC 9162 proofs: left or right by the digits of the index, then left only.
      const width = 1n << level;
      const last = (size - 1n) / width;
      const index = (a % size) / width;
      const inner = bits(index ^ last).length;
      const left = bits(index >> BigInt(inner)).replaceAll("0", "").length;
      const proof = D.slice(1, 1 + inner + left);
      const root = proof.reduce(
        (hash, sibling, i) =>
          i < inner && ((index >> BigInt(i)) & 1n) === 0n ? nodeHash(hash, sibling) : nodeHash(sibling, hash),
        D[0]!,
      );
      onlyThis(proof, (changed) =>
        verifyInclusion({ index, size: last + 1n, leafHash: D[0]!, proof: changed, root }),
      );
      // The node over [start, end) is leaf `index` of the tree `level` floors up.
      const [start, end] = [index * width, (index + 1n) * width];
      if (end > size) return;
      onlyThis(proof, (changed) =>
        verifySubtreeConsistency({ start, end, size, root1: D[0]!, root2: root, proof: changed }),
      );
    }),
    { numRuns: 15 },
  );
});

test("values that are no uint64, or that a double may have rounded, are refused", () => {
  const inclusion = { index: 0, size: 1, leafHash: D[0]!, proof: null, root: D[0]! };
  assert.equal(verifyInclusion(inclusion), null);
  assert.equal(verifyInclusion({ ...inclusion, index: 0n, size: 1n }), null);
  const consistency = { size1: 1, size2: 1, root1: D[0]!, root2: D[0]!, proof: null };
  assert.equal(verifyConsistency(consistency), null);
  for (const bad of [
    -1,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    -1n,
    2n ** 64n,
    "1",
    null,
    undefined,
  ]) {
    const value = bad as number;
    for (const result of [
      verifyInclusion({ ...inclusion, index: value }),
      verifyInclusion({ ...inclusion, size: value }),
      verifySubtreeInclusion({ ...inclusion, start: value, end: 1 }),
      verifyConsistency({ ...consistency, size1: value }),
      verifyConsistency({ ...consistency, size2: value }),
      verifySubtreeConsistency({ ...consistency, start: value, end: 1, size: 1 }),
    ]) {
      assert.match(result!, /not an integer from 0 to 2\^64 - 1/);
    }
  }
});

test("shapes that are no hash and no proof are refused, never thrown", () => {
  const bad = [
    undefined,
    null,
    "",
    "x",
    1,
    {},
    [],
    new Uint8Array(31),
    new Uint8Array(33),
  ] as unknown as Hash[];
  const proofs = [
    ...bad.map((hash) => [hash, hash]),
    new Array(2),
    undefined,
    "x",
    {},
    D,
  ] as unknown as Proof[];
  const inclusion = {
    index: 1,
    size: 4,
    leafHash: D[1]!,
    proof: inclusionPath(D.slice(0, 4), 1),
    root: mth(0, 4),
  };
  const consistency = {
    size1: 3,
    size2: 4,
    root1: mth(0, 3),
    root2: mth(0, 4),
    proof: subtreeProof(0, 3, 4),
  };
  assert.equal(verifyInclusion(inclusion), null);
  assert.equal(verifyConsistency(consistency), null);
  for (const hash of bad) {
    assert.equal(typeof verifyInclusion({ ...inclusion, leafHash: hash }), "string");
    assert.equal(typeof verifyInclusion({ ...inclusion, root: hash }), "string");
    assert.equal(typeof verifyConsistency({ ...consistency, root1: hash }), "string");
    assert.equal(typeof verifyConsistency({ ...consistency, root2: hash }), "string");
  }
  for (const proof of proofs) {
    assert.equal(typeof verifyInclusion({ ...inclusion, proof }), "string");
    assert.equal(typeof verifyConsistency({ ...consistency, proof }), "string");
  }
});

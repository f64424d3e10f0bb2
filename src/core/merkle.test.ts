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
  RootAccumulator,
} from "./merkle.ts";

const hex = (hash: Uint8Array) => Buffer.from(hash).toString("hex");
const sha256 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

// The eight entries, and the roots of their first n, that the Certificate Transparency code bases share.
const ENTRIES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const LEAVES = ENTRIES.map((entry) => leafHash(Buffer.from(entry, "hex")));

/** RFC 6962 §2.1 word for word, against the code's other way of computing it. */
function mth(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return nodeHash(mth(leaves.slice(0, k)), mth(leaves.slice(k)));
}

function numbered(count: number): Hash[] {
  return Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));
}

test("the known roots of 0 to 8 entries", () => {
  for (const [size, root] of ROOTS.entries()) assert.equal(hex(merkleRoot(LEAVES.slice(0, size))), root);
});

test("the known proofs over 7 entries (RFC 6962 §2.1.3)", () => {
  const leaves = LEAVES.slice(0, 7);
  const part = (start: number, end: number) => mth(leaves.slice(start, end));
  const abcd = part(0, 4);
  assert.deepEqual(inclusionPath(leaves, 0), [leaves[1], part(2, 4), part(4, 7)]);
  assert.deepEqual(inclusionPath(leaves, 3), [leaves[2], part(0, 2), part(4, 7)]);
  assert.deepEqual(inclusionPath(leaves, 4), [leaves[5], leaves[6], abcd]);
  assert.deepEqual(inclusionPath(leaves, 6), [part(4, 6), abcd]);
  assert.deepEqual(consistencyPath(leaves, 3), [leaves[2], leaves[3], part(0, 2), part(4, 7)]);
  assert.deepEqual(consistencyPath(leaves, 4), [part(4, 7)]);
  assert.deepEqual(consistencyPath(leaves, 6), [part(4, 6), leaves[6], abcd]);
  assert.deepEqual(consistencyPath(leaves, 7), []);
});

test("leaves and nodes are prefixed, tags come after the prefix, size makes no difference", () => {
  for (const size of [0, 1, 4082, 4083, 4095, 4096, 5000]) {
    const data = Buffer.alloc(size, 7);
    assert.equal(hex(leafHash(data)), sha256("\0", data));
    assert.equal(hex(leafHash(data, "waybill-chunk")), sha256("\0waybill-chunk", data));
  }
  assert.equal(hex(leafHash(Buffer.from("x"), "é")), sha256("\0é", "x"));
  assert.equal(hex(nodeHash(LEAVES[0]!, LEAVES[1]!)), sha256("\x01", LEAVES[0]!, LEAVES[1]!));
  // The scratch buffers are shared: a result must not change with the next call.
  const kept = leafHash(Buffer.from("a"));
  const before = hex(kept);
  leafHash(Buffer.from("b"));
  assert.equal(hex(kept), before);
});

test("hashes that are not 32 bytes and positions outside the tree are refused", () => {
  const short = new Uint8Array(31);
  assert.throws(() => nodeHash(short, LEAVES[0]!), RangeError);
  assert.throws(() => nodeHash(LEAVES[0]!, new Uint8Array(33)), RangeError);
  assert.throws(() => merkleRoot([short]), RangeError);
  for (const index of [-1, 8, 0.5, Number.NaN]) assert.throws(() => inclusionPath(LEAVES, index), RangeError);
  for (const size of [-1, 0, 9, 0.5, Number.NaN])
    assert.throws(() => consistencyPath(LEAVES, size), RangeError);
  assert.throws(() => inclusionPath([], 0), RangeError);
});

test("the accumulator has the root of every prefix, and as merkleRoot has it", () => {
  const leaves = numbered(140);
  const tree = new RootAccumulator();
  for (let size = 0; size <= leaves.length; size += 1) {
    const expected = hex(mth(leaves.slice(0, size)));
    assert.equal(tree.size, size);
    assert.equal(hex(tree.root()), expected);
    assert.equal(hex(merkleRoot(leaves.slice(0, size))), expected);
    if (size < leaves.length) tree.push(leaves[size]!);
  }
});

test("property: any change of the leaves changes the root", () => {
  const entries = fc.array(fc.uint8Array({ maxLength: 4 }), { maxLength: 40 });
  fc.assert(
    fc.property(entries, entries, (a, b) => {
      const same = a.length === b.length && a.every((entry, i) => hex(entry) === hex(b[i]!));
      const roots = [a, b].map((list) => hex(merkleRoot(list.map((entry) => leafHash(entry)))));
      assert.equal(roots[0] === roots[1], same);
    }),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { consistencyPath, EMPTY_ROOT, type Hash, inclusionPath, leafHash, merkleRoot } from "./merkle.ts";
import { verifyConsistency, verifyInclusion } from "./proof.ts";
import { openTileTree, type TileReader, type TileTree } from "./tile-tree.ts";
import { hashesAt, hashTiles, tilePath } from "./tlog-tiles.ts";

const LEAVES = Array.from({ length: 66_000 }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));
const hex = (hash: Hash) => Buffer.from(hash).toString("hex");

/** Every tile of a tree by its path, made from the definition: MTH(D[k * 256^l : (k + 1) * 256^l]). */
function tilesOf(size: number): Map<string, Buffer> {
  const tiles = new Map<string, Buffer>();
  let hashes = LEAVES.slice(0, size);
  for (let level = 0; hashes.length > 0; level += 1) {
    assert.equal(hashes.length, hashesAt(level, size));
    for (const tile of hashTiles(size)) {
      if (tile.level !== level) continue;
      const part = hashes.slice(tile.index * 256, tile.index * 256 + tile.width);
      tiles.set(tilePath(tile), Buffer.concat(part));
    }
    const above: Hash[] = [];
    for (let i = 0; i + 256 <= hashes.length; i += 256) above.push(merkleRoot(hashes.slice(i, i + 256)));
    hashes = above;
  }
  return tiles;
}

const readerOf =
  (tiles: ReadonlyMap<string, Buffer>, reads: string[] = []): TileReader =>
  (level, index, width) => {
    const path = tilePath({ level, index, width });
    reads.push(path);
    return tiles.get(path);
  };

async function treeOf(read: TileReader, size: number): Promise<TileTree> {
  const tree = await openTileTree(read, { size, root: merkleRoot(LEAVES.slice(0, size)) });
  if ("problem" in tree) assert.fail(tree.problem);
  return tree;
}

function good<T extends object>(value: T | { problem: string }): T {
  if ("problem" in value) assert.fail(String(value.problem));
  return value;
}

/** Proofs out of tiles are those over the leaves. */
async function agrees(tree: TileTree, index: number, oldSize: number): Promise<void> {
  const leaves = LEAVES.slice(0, tree.size);
  const root = merkleRoot(leaves);
  const inclusion = good(await tree.inclusion(index));
  assert.deepEqual(inclusion.proof.map(hex), inclusionPath(leaves, index).map(hex));
  assert.equal(verifyInclusion({ index, size: tree.size, root, ...inclusion }), null);
  assert.equal(hex(good(await tree.leaf(index))), hex(LEAVES[index]!));
  const consistency = good(await tree.consistency(oldSize));
  assert.deepEqual(consistency.proof.map(hex), consistencyPath(leaves, oldSize).map(hex));
  const root1 = merkleRoot(LEAVES.slice(0, oldSize));
  assert.equal(hex(consistency.root), hex(root1));
  assert.equal(hex(good(await tree.rootAt(oldSize))), hex(root1));
  const claim = { size1: oldSize, size2: tree.size, root1, root2: root, proof: consistency.proof };
  assert.equal(verifyConsistency(claim), null);
}

test("proofs out of tiles are those over the leaves, at every size around the edges of tiles", async () => {
  for (const size of [1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 600, 65_536, 65_537]) {
    const tree = await treeOf(readerOf(tilesOf(size)), size);
    for (const index of size > 1000 ? [255, size - 1] : [0, 1, 254, 255, 256, 511, size >> 1, size - 1])
      if (index < size) await agrees(tree, index, index + 1);
  }
});

test("proofs out of tiles are those over the leaves, for any size, leaf and older size", async () => {
  const arbitrary = fc
    .integer({ min: 1, max: 600 })
    .chain((size) =>
      fc.tuple(fc.constant(size), fc.nat({ max: size - 1 }), fc.integer({ min: 1, max: size })),
    );
  await fc.assert(
    fc.asyncProperty(arbitrary, async ([size, index, oldSize]) => {
      await agrees(await treeOf(readerOf(tilesOf(size)), size), index, oldSize);
    }),
    { numRuns: 150 },
  );
});

test("a question reads O(log n) tiles, each once", async () => {
  const reads: string[] = [];
  const tree = await treeOf(readerOf(tilesOf(66_000), reads), 66_000);
  good(await tree.inclusion(12_345));
  good(await tree.consistency(54_321));
  assert.ok(reads.length <= 6, reads.join(" "));
  assert.equal(new Set(reads).size, reads.length);
});

test("every changed byte of every tile that is read is found", async () => {
  const size = 66_000;
  const tiles = tilesOf(size);
  const index = 12_345;
  const reads: string[] = [];
  good(await (await treeOf(readerOf(tiles, reads), size)).inclusion(index));
  const root = merkleRoot(LEAVES.slice(0, size));
  for (const path of reads) {
    const original = tiles.get(path)!;
    for (let at = 0; at < original.length; at += 31) {
      const changed = Buffer.from(original);
      changed[at]! ^= 1 << (at % 8);
      const read = readerOf(new Map([...tiles, [path, changed]]));
      const tree = await openTileTree(read, { size, root });
      const found = "problem" in tree ? tree : await tree.inclusion(index);
      assert.ok("problem" in found, `${path} byte ${at}`);
    }
  }
});

test("missing and cut tiles are problems, a dropped partial tile is read out of the full one", async () => {
  const size = 300;
  const tiles = tilesOf(size);
  const root = merkleRoot(LEAVES.slice(0, size));
  for (const [path, bytes] of tiles) {
    for (const changed of [undefined, bytes.subarray(32), Buffer.concat([bytes, bytes]), Buffer.alloc(0)]) {
      const files = new Map(tiles);
      if (changed === undefined) files.delete(path);
      else files.set(path, changed);
      const tree = await openTileTree(readerOf(files), { size, root });
      const found = "problem" in tree ? tree : await tree.inclusion(0);
      assert.ok("problem" in found, path);
    }
  }
  const grown = tilesOf(512);
  const tree = await treeOf(
    (level, index, width) =>
      width < 256 && level === 0
        ? undefined
        : (grown.get(tilePath({ level, index, width })) ?? tiles.get(tilePath({ level, index, width }))),
    size,
  );
  await agrees(tree, 299, 270);
});

test("another root, the empty tree and questions beyond the tree", async () => {
  const tiles = readerOf(tilesOf(5));
  assert.ok("problem" in (await openTileTree(tiles, { size: 5, root: EMPTY_ROOT })));
  assert.ok("problem" in (await openTileTree(tiles, { size: 0, root: merkleRoot(LEAVES.slice(0, 5)) })));
  const empty = await treeOf(tiles, 0);
  assert.equal(hex(good(await empty.rootAt(0))), hex(EMPTY_ROOT));
  assert.ok("problem" in (await empty.inclusion(0)));
  assert.ok("problem" in (await empty.consistency(0)));
  const tree = await treeOf(tiles, 5);
  for (const bad of [-1, 5, 0.5, Number.NaN, 2 ** 60]) {
    assert.ok("problem" in (await tree.inclusion(bad)));
    assert.ok("problem" in (await tree.leaf(bad)));
    assert.ok("problem" in (await tree.consistency(bad + 1)));
  }
  assert.ok("problem" in (await tree.rootAt(6)));
  assert.ok("problem" in (await tree.consistency(0)), "nothing is proved about the empty tree");
});

test("what a reader throws goes to the caller", async () => {
  const read = () => {
    throw new Error("the disk is gone");
  };
  await assert.rejects(openTileTree(read, { size: 5, root: EMPTY_ROOT }), /disk is gone/);
});

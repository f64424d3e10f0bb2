import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { inclusionPath, leafHash, merkleRoot } from "../core/merkle.ts";
import { hashesAt, tilePath } from "../core/tlog-tiles.ts";
import { Frontier } from "./frontier.ts";
import { InclusionPaths } from "./inclusion-paths.ts";

const leaves = Array.from({ length: 70_000 }, (_, i) => leafHash(Buffer.from(String(i))));

/** The tiles of a tree, by path, made from the definition. */
function tilesOf(size: number): (level: number, index: number, width: number) => Uint8Array | undefined {
  const rows = [leaves.slice(0, size)];
  for (let level = 1; hashesAt(level, size) > 0; level += 1)
    rows.push(
      Array.from({ length: hashesAt(level, size) }, (_, i) =>
        merkleRoot(rows[level - 1]!.slice(i * 256, i * 256 + 256)),
      ),
    );
  return (level, index, width) => {
    const hashes = rows[level]?.slice(index * 256, index * 256 + width);
    return hashes?.length === width ? Buffer.concat(hashes) : undefined;
  };
}

test("the edge of a growing tree gives RFC 6962's root at every size, and the nodes that tiles hold", () => {
  const frontier = new Frontier();
  const marks = new Set([0, 1, 2, 3, 255, 256, 257, 511, 512, 1000, 65_535, 65_536, 65_537, 66_000]);
  for (let size = 0; size <= 66_000; size += 1) {
    if (marks.has(size))
      assert.deepEqual(Buffer.from(frontier.root()), Buffer.from(merkleRoot(leaves.slice(0, size))));
    for (const { level, index, hash } of frontier.push(leaves[size]!)) {
      const width = 256 ** level;
      assert.deepEqual(
        Buffer.from(hash),
        Buffer.from(merkleRoot(leaves.slice(index * width, (index + 1) * width))),
      );
    }
  }
});

test("an edge is made again out of what tiles hold, and only out of as many hashes as the size has", () => {
  const size = 65_536 + 3 * 256 + 7;
  const tiles = tilesOf(size);
  const split = (bytes: Uint8Array | undefined) =>
    Array.from({ length: (bytes?.length ?? 0) / 32 }, (_, i) => bytes!.subarray(i * 32, i * 32 + 32));
  const levels = [split(tiles(0, 259, 7)), split(tiles(1, 1, 3)), split(tiles(2, 0, 1))];
  const frontier = new Frontier(size, levels);
  assert.deepEqual(Buffer.from(frontier.root()), Buffer.from(merkleRoot(leaves.slice(0, size))));
  assert.throws(() => new Frontier(size + 1, levels), RangeError);
  assert.throws(() => new Frontier(size, levels.slice(0, 2)), RangeError);
  assert.throws(() => new Frontier(size, [...levels, [leaves[0]!]]), RangeError);
});

test("paths out of tiles are those of RFC 6962 for any size and index", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fc.nat(), (size, pick) => {
      const index = pick % size;
      const path = new InclusionPaths(size, tilesOf(size)).path(index);
      assert.deepEqual(
        path?.map((hash) => Buffer.from(hash)),
        inclusionPath(leaves.slice(0, size), index).map((hash) => Buffer.from(hash)),
      );
    }),
    { numRuns: 60 },
  );
  const size = 65_536 + 300;
  const paths = new InclusionPaths(size, tilesOf(size));
  for (const index of [0, 255, 256, 65_535, 65_536, size - 1])
    assert.deepEqual(
      paths.path(index)?.map((hash) => Buffer.from(hash)),
      inclusionPath(leaves.slice(0, size), index).map((hash) => Buffer.from(hash)),
    );
});

test("a missing or short tile gives no path", () => {
  const tiles = tilesOf(300);
  const without = (path: string) => (level: number, index: number, width: number) =>
    tilePath({ level, index, width }) === path ? undefined : tiles(level, index, width);
  assert.equal(new InclusionPaths(300, without("tile/0/000")).path(0), undefined);
  const short = (level: number, index: number, width: number) => tiles(level, index, width)?.subarray(32);
  assert.equal(new InclusionPaths(300, short).path(299), undefined);
});

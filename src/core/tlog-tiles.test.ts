import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { leafHash, merkleRoot } from "./merkle.ts";
import {
  encodeEntryBundle,
  hashesAt,
  hashOverTile,
  hashTiles,
  MAX_ENTRY,
  newEntryBundles,
  newHashTiles,
  parseEntryBundle,
  parseTilePath,
  type TileAddress,
  tilePath,
  tileWidth,
} from "./tlog-tiles.ts";

const address = (level: TileAddress["level"], index: number, width = 256): TileAddress => ({
  level,
  index,
  width,
});

test("paths as the specification writes them", () => {
  const cases: [string, TileAddress][] = [
    ["tile/0/x001/x234/067", address(0, 1_234_067)],
    ["tile/0/x001/x234/067.p/8", address(0, 1_234_067, 8)],
    ["tile/entries/x001/234.p/255", address("entries", 1234, 255)],
    ["tile/0/000", address(0, 0)],
    ["tile/63/999", address(63, 999)],
    ["tile/1/x001/000", address(1, 1000)],
    ["tile/0/x009/x007/x199/x254/x740/991", address(0, Number.MAX_SAFE_INTEGER)],
  ];
  for (const [path, expected] of cases) {
    assert.equal(tilePath(expected), path);
    assert.deepEqual(parseTilePath(path), expected);
  }
});

test("any other spelling of a path is refused", () => {
  for (const path of [
    "",
    "tile",
    "/tile/0/000",
    "tile/0/000/",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/0",
    "tile/0/0000",
    "tile/0/x000/000",
    "tile/0/001/000",
    "tile/0/x001",
    "tile/0/x001/x000",
    "tile/0/X001/000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/01",
    "tile/0/000.p/",
    "tile/0/000.p",
    "tile/0/000.p/1/2",
    "tile/Entries/000",
    "tile/entries/../000",
    "tile/0/000\n",
    "tile/0/x009/x007/x199/x254/x740/992",
    "tile/0/x001/x000/x000/x000/x000/x000/000",
  ])
    assert.ok("problem" in parseTilePath(path), path);
  fc.assert(
    fc.property(
      fc.oneof(fc.constant<"entries">("entries"), fc.nat({ max: 63 })),
      fc.maxSafeNat(),
      fc.integer({ min: 1, max: 256 }),
      (level, index, width) => {
        assert.deepEqual(parseTilePath(tilePath({ level, index, width })), { level, index, width });
      },
    ),
  );
});

test("the tiles of the specification's example, a tree of 70,000", () => {
  const tiles = [...hashTiles(70_000)];
  const full = (level: number) => tiles.filter((t) => t.level === level && t.width === 256).length;
  const partial = tiles.filter((t) => t.width < 256).map(({ level, width }) => [level, width]);
  assert.deepEqual([full(0), full(1), full(2)], [273, 1, 0]);
  assert.deepEqual(partial, [
    [0, 112],
    [1, 17],
    [2, 1],
  ]);
  assert.deepEqual([...hashTiles(256)], [address(0, 0), address(1, 0, 1)]);
  assert.deepEqual([...hashTiles(0)], []);
  assert.equal([...newEntryBundles(0, 70_000)].length, 274);
});

test("what a growing tree needs is written once, and never less", () => {
  fc.assert(
    fc.property(fc.nat({ max: 200_000 }), fc.nat({ max: 2000 }), (oldSize, more) => {
      const size = oldSize + more;
      const key = (t: TileAddress) => tilePath(t);
      const before = new Set([...hashTiles(oldSize)].map(key));
      const written = [...newHashTiles(oldSize, size)].map(key);
      assert.equal(new Set(written).size, written.length);
      assert.ok(written.every((path) => !before.has(path)));
      const have = new Set([...before, ...written]);
      for (const tile of hashTiles(size)) assert.ok(have.has(key(tile)));
      assert.deepEqual(
        [...newEntryBundles(oldSize, size)].map((t) => [t.index, t.width]),
        [...newHashTiles(oldSize, size)].filter((t) => t.level === 0).map((t) => [t.index, t.width]),
      );
    }),
    { numRuns: 50 },
  );
  assert.equal(hashesAt(2, 65_536), 1);
  assert.equal(tileWidth(0, 2, 300), 0);
});

test("the hash over a tile is the root of its hashes", () => {
  const hashes = Array.from({ length: 256 }, (_, i) => leafHash(Uint8Array.of(i)));
  const tile = Buffer.concat(hashes);
  assert.deepEqual(hashOverTile(tile), merkleRoot(hashes));
  assert.deepEqual(hashOverTile(tile, 64, 32), merkleRoot(hashes.slice(64, 96)));
});

test("entry bundles: read as written, and nothing near them", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 }), (entries) => {
      const bytes = encodeEntryBundle(entries);
      const parsed = parseEntryBundle(bytes, entries.length);
      assert.ok(Array.isArray(parsed));
      assert.deepEqual(
        parsed.map((entry) => Uint8Array.from(entry)),
        entries,
      );
      for (const bad of [bytes.subarray(1), bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.alloc(2)])])
        assert.ok("problem" in parseEntryBundle(bad, entries.length) || bad.length === 0);
      assert.ok("problem" in parseEntryBundle(bytes, entries.length + 1));
      assert.ok("problem" in parseEntryBundle(bytes, entries.length - 1));
    }),
    { numRuns: 50 },
  );
  const longest = Buffer.alloc(MAX_ENTRY, 7);
  assert.deepEqual(parseEntryBundle(encodeEntryBundle([longest]), 1), [longest]);
  assert.throws(() => encodeEntryBundle([Buffer.alloc(MAX_ENTRY + 1)]), RangeError);
  assert.throws(() => encodeEntryBundle(Array(257).fill(new Uint8Array(0))), RangeError);
});

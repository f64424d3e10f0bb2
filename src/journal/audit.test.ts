import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Hash, leafHash, merkleRoot } from "../core/merkle.ts";
import { encodeEntryBundle, hashTiles, newEntryBundles, tilePath } from "../core/tlog-tiles.ts";
import { auditTiles } from "./audit.ts";

const ENTRIES = Array.from({ length: 1000 }, (_, i) => Buffer.from(`entry ${i} ${"x".repeat(i % 7)}`));
const LEAVES = ENTRIES.map((entry) => leafHash(entry));
const rootAt = (size: number) => merkleRoot(LEAVES.slice(0, size));

/** A log of the first `size` entries, with the partial files of older sizes. */
function logOf(size: number, ...olderSizes: number[]): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const each of [...olderSizes, size]) {
    const levels: Hash[][] = [LEAVES.slice(0, each)];
    for (let level = 0; levels[level]!.length >= 256; level += 1) {
      const hashes = levels[level]!;
      levels.push([]);
      for (let i = 0; i + 256 <= hashes.length; i += 256)
        levels[level + 1]!.push(merkleRoot(hashes.slice(i, i + 256)));
    }
    for (const { level, index, width } of hashTiles(each)) {
      const part = levels[level]!.slice(index * 256, index * 256 + width);
      files.set(tilePath({ level, index, width }), Buffer.concat(part));
    }
    for (const { level, index, width } of newEntryBundles(0, each)) {
      const part = ENTRIES.slice(index * 256, index * 256 + width);
      files.set(tilePath({ level, index, width }), encodeEntryBundle(part));
    }
  }
  return files;
}

const audit = (files: ReadonlyMap<string, Buffer>, size: number, root = rootAt(size)) =>
  auditTiles((path) => files.get(path), { size, root }, { paths: files.keys() });

const changed = (files: ReadonlyMap<string, Buffer>, path: string, at: number) => {
  const bytes = Buffer.from(files.get(path)!);
  bytes[at]! ^= 1 << (at % 8);
  return new Map([...files, [path, bytes]]);
};

test("a sound log of any size has no problem, whatever older partial files it holds", async () => {
  for (const size of [0, 1, 2, 255, 256, 257, 512, 600, 1000]) {
    const { entries, problems, found, beyond } = await audit(logOf(size), size);
    assert.deepEqual(
      { entries, problems, found, beyond },
      { entries: size, problems: [], found: 0, beyond: [] },
    );
  }
  assert.deepEqual((await audit(logOf(600, 100, 300, 513, 599), 600)).problems, []);
});

test("each flipped byte of each file is found, and the right file is named", async () => {
  const files = logOf(530, 10, 300);
  for (const [path, bytes] of files) {
    for (let at = 0; at < bytes.length; at += Math.max(1, Math.floor(bytes.length / 23))) {
      const { problems } = await audit(changed(files, path, at), 530);
      assert.ok(problems.length >= 1, `${path} byte ${at}`);
      assert.deepEqual([...new Set(problems.map((problem) => problem.path))], [path], `${path} byte ${at}`);
    }
  }
});

test("a missing, cut or lengthened file is found", async () => {
  const files = logOf(530);
  for (const [path, bytes] of files) {
    for (const other of [
      undefined,
      bytes.subarray(1),
      Buffer.concat([bytes, Buffer.alloc(1)]),
      Buffer.alloc(0),
    ]) {
      const broken = new Map(files);
      if (other === undefined) broken.delete(path);
      else broken.set(path, other);
      const { problems } = await auditTiles((each) => broken.get(each), { size: 530, root: rootAt(530) });
      assert.equal(problems[0]?.path, path);
    }
  }
});

test("a log that agrees with itself and not with the checkpoint is found", async () => {
  const { problems } = await audit(logOf(530), 530, rootAt(529));
  assert.deepEqual(
    problems.map(({ path }) => path),
    ["checkpoint"],
  );
  // Entry and tile changed alike: only the upper tiles and the root can tell.
  const files = logOf(300);
  const other = LEAVES.slice(0, 256).with(5, leafHash(Buffer.from("other")));
  files.set("tile/0/000", Buffer.concat(other));
  files.set("tile/entries/000", encodeEntryBundle(ENTRIES.slice(0, 256).with(5, Buffer.from("other"))));
  const both = (await audit(files, 300)).problems.map(({ path }) => path);
  assert.deepEqual(both, ["tile/1/000.p/1", "checkpoint"]);
  const swapped = logOf(300);
  swapped.set("tile/entries/000", encodeEntryBundle([ENTRIES[1]!, ENTRIES[0]!, ...ENTRIES.slice(2, 256)]));
  const result = await audit(swapped, 300);
  assert.deepEqual(
    result.problems.map(({ path, entry }) => [path, entry]),
    [
      ["tile/entries/000", 0],
      ["tile/entries/000", 1],
    ],
  );
});

test("strange files are problems, tiles of a larger tree are named", async () => {
  const files = logOf(300);
  files.set("tile/0/0", Buffer.alloc(1));
  files.set("tile/0/001.p/99", Buffer.alloc(99 * 32));
  const { problems, beyond } = await audit(files, 300);
  assert.deepEqual(
    problems.map(({ path }) => path),
    ["tile/0/0"],
  );
  assert.deepEqual(beyond, ["tile/0/001.p/99"]);
});

test("a partial file that gave way to the full one is read out of it", async () => {
  const [files, grown] = [logOf(300), logOf(600)];
  files.delete("tile/0/001.p/44");
  files.delete("tile/entries/001.p/44");
  files.set("tile/0/001", grown.get("tile/0/001")!);
  files.set("tile/entries/001", grown.get("tile/entries/001")!);
  assert.deepEqual((await audit(files, 300)).problems, []);
});

test("every entry is shown once, in order, with its hash", async () => {
  const seen: [number, string][] = [];
  const files = logOf(300);
  await auditTiles(
    (path) => files.get(path),
    { size: 300, root: rootAt(300) },
    {
      onEntry: (entry, index, hash) => {
        assert.deepEqual(hash, LEAVES[index]);
        seen.push([index, Buffer.from(entry).toString()]);
      },
    },
  );
  assert.deepEqual(
    seen,
    ENTRIES.slice(0, 300).map((entry, i) => [i, entry.toString()]),
  );
});

test("a log that is all wrong is counted, not kept", async () => {
  const files = new Map([...logOf(1000)].map(([path, bytes]) => [path, Buffer.alloc(bytes.length)] as const));
  const { found, problems } = await audit(files, 1000);
  assert.ok(found >= problems.length && problems.length <= 1000 && problems.length > 0);
  const empty = await auditTiles(() => undefined, { size: 2 ** 17 * 2, root: rootAt(1) });
  assert.ok(empty.found > 2000);
  assert.equal(empty.problems.length, 1000);
});

test("any change of any bytes is found", async () => {
  const files = logOf(300);
  const paths = [...files.keys()];
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: paths.length - 1 }), fc.nat(), async (which, where) => {
      const path = paths[which]!;
      const { problems } = await audit(changed(files, path, where % files.get(path)!.length), 300);
      assert.ok(problems.length > 0);
    }),
    { numRuns: 60 },
  );
});

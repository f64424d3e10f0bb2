import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "./digest.ts";
import type { Lock } from "./lock.ts";
import { MAX_PACK, MAX_SINGLE_FILES, PACKED_BELOW, releaseLayers } from "./release-layers.ts";

const lockOf = (sizes: number[]) =>
  ({
    components: [
      {
        leaf: {},
        files: [
          ...sizes.map((size, i) => ({ path: `${i}`, size, sha256: sha256(String(i)), executable: false })),
          { path: "link", link: "0" },
          { path: "twin", size: sizes[0], sha256: sha256("0"), executable: true },
        ],
      },
    ],
  }) as unknown as Lock;

test("few files are a layer each, every content once", () => {
  const layers = releaseLayers(lockOf([3, 0, 5_000_000]));
  assert.deepEqual(
    layers.map(({ kind, size }) => [kind, size]),
    [
      ["file", 3],
      ["file", 0],
      ["file", 5_000_000],
    ],
  );
});

test("many small files are packed in the order of the lock, large ones stay alone", () => {
  const sizes = [...Array.from({ length: MAX_SINGLE_FILES }, () => PACKED_BELOW - 1), PACKED_BELOW];
  const layers = releaseLayers(lockOf(sizes));
  assert.deepEqual([layers[0]?.kind, layers[0]?.size], ["file", PACKED_BELOW]);
  const packs = layers.slice(1).flatMap((layer) => (layer.kind === "pack" ? [layer] : []));
  assert.equal(packs.length, layers.length - 1);
  assert.ok(
    packs.every(({ size, files }) => size <= MAX_PACK && size === files.reduce((sum, f) => sum + f.size, 0)),
  );
  assert.deepEqual(
    packs.flatMap(({ files }) => files.map((file) => file.sha256)),
    sizes.slice(0, -1).map((_, i) => sha256(String(i))),
  );
});

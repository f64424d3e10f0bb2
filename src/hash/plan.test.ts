import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chunkCount, hasChunks } from "./chunks.ts";
import { DIGEST, FUSED, LEAVES, type PlannedFile, plan, planOrder, SMALL } from "./plan.ts";

const MIB = 1 << 20;
const anyFile = fc.record({
  size: fc.oneof(fc.nat(MIB), fc.integer({ min: MIB, max: 64 * MIB })),
  mode: fc.constantFrom("lock" as const, "verify" as const),
});

test("every digest and every leaf is made exactly once", () => {
  fc.assert(
    fc.property(
      fc.array(anyFile, { maxLength: 20 }),
      fc.integer({ min: 1, max: 8 }),
      (unordered, workers) => {
        const files = planOrder(unordered).map((i) => unordered[i]!);
        const digests = new Array<number>(files.length).fill(0);
        const leaves = files.map((f) => new Array<number>(chunkCount(f.size)).fill(0));
        for (const { kind, file, first, count } of plan(files, workers)) {
          if (kind === SMALL) for (let i = file; i < file + count; i += 1) digests[i]! += 1;
          if (kind === DIGEST || kind === FUSED) digests[file]! += 1;
          if (kind === LEAVES || kind === FUSED) {
            for (let i = first; i < first + count; i += 1) leaves[file]![i]! += 1;
          }
        }
        const wanted = files.map((f) => (f.mode === "lock" || !hasChunks(f.size) ? 1 : 0));
        assert.deepEqual(digests, wanted);
        assert.ok(leaves.flat().every((times) => times === 1));
      },
    ),
  );
});

function kinds(sizes: number[], workers: number): number[] {
  const files = sizes.map((mib): PlannedFile => ({ size: mib * MIB, mode: "lock" }));
  return plan(files, workers)
    .map((task) => task.kind)
    .filter((kind) => kind !== LEAVES);
}

test("one big file is split in its digest and its leaves; many are hashed in one pass each", () => {
  assert.deepEqual(kinds([2048], 2), [DIGEST]);
  assert.deepEqual(kinds([2048], 1), [FUSED]);
  assert.deepEqual(kinds(new Array(8).fill(256), 2), new Array(8).fill(FUSED));
});

test("what does not share out evenly in whole files is split", () => {
  assert.deepEqual(kinds([256, 256, 256], 2), [FUSED, FUSED, DIGEST]);
  assert.deepEqual(kinds([2048, 256], 2), [DIGEST, FUSED]);
});

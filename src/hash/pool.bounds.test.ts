import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { leafHash, merkleRoot } from "../core/merkle.ts";
import { makeJob } from "./job.ts";
import { plan, planOrder } from "./plan.ts";
import { hashFiles, MAX_FILE_BYTES } from "./pool.ts";

const MIB = 1 << 20;
const TIB = 2 ** 40;
const folder = mkdtempSync(join(tmpdir(), "waybill-bounds-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a file over 8 TiB is a failure of its own, before anything is laid out for it", async () => {
  const small = join(folder, "small");
  const sparse = join(folder, "sparse");
  writeFileSync(small, "x");
  writeFileSync(sparse, "");
  let sparseSize = 2 ** 50;
  try {
    truncateSync(sparse, sparseSize);
  } catch {
    // Not on every file system; the listed size is what counts.
    sparseSize = MAX_FILE_BYTES + 1;
  }
  const results = await hashFiles(
    [
      { absolute: sparse, size: sparseSize, mode: "lock" },
      { absolute: small, size: 1, mode: "lock" },
      { absolute: sparse, size: MAX_FILE_BYTES + 1, mode: "verify" },
    ],
    { keepChunks: true },
  );
  assert.deepEqual(
    results.map((r) => (r.ok ? r.size : `${r.problem}: ${r.detail}`)),
    [
      `unreadable: it has ${sparseSize} bytes; at most 8 TiB are hashed`,
      1,
      `unreadable: it has ${MAX_FILE_BYTES + 1} bytes; at most 8 TiB are hashed`,
    ],
  );
});

test("16 TiB are hashed in all: what goes beyond is refused, what is smaller still fits", async () => {
  // No file is there: what is not refused is looked for.
  const sizes = [8 * TIB, TIB, 8 * TIB, 3];
  const results = await hashFiles(
    sizes.map((size) => ({ absolute: join(folder, "none"), size, mode: "verify" as const })),
    { workers: 1 },
  );
  assert.deepEqual(
    results.map((r) => (r.ok ? "ok" : r.problem)),
    ["vanished", "vanished", "unreadable", "vanished"],
  );
});

test("the plan of a huge file has few tasks, and they cover each chunk once", () => {
  const files = [
    { size: 8 * TIB, mode: "verify" as const },
    { size: 5 * MIB, mode: "verify" as const },
    { size: 600 * 1024 * MIB + 1, mode: "lock" as const },
  ];
  const order = planOrder(files);
  const sorted = order.map((i) => files[i]!);
  const tasks = plan(sorted, 8);
  assert.ok(tasks.length < 70_000, `${tasks.length} tasks`);
  const next = new Map<number, number>();
  for (const { kind, file, first, count } of tasks) {
    if (kind !== 1) continue;
    assert.equal(first, next.get(file) ?? 0);
    next.set(file, first + count);
  }
  assert.equal(next.get(0), 8 * 1024 * 1024);
  assert.equal(next.get(2), 5);
});

test("what a job holds of a large file is 32 bytes a chunk and little else", () => {
  const job = makeJob([{ absolute: "/x", size: TIB, mode: "verify" }], 8);
  assert.equal(job.leaves.length, 32 * 1024 * 1024);
  assert.ok(job.tasks.length < 4 * 70_000);
});

test("the root over a row of chunks is that of RFC 6962, for any number of them", async () => {
  for (const chunks of [2, 3, 5, 8, 9]) {
    const bytes = randomBytes((chunks - 1) * MIB + 7);
    const path = join(folder, `row-${chunks}`);
    writeFileSync(path, bytes);
    const [result] = await hashFiles([{ absolute: path, size: bytes.length, mode: "verify" }]);
    const leaves = Array.from({ length: chunks }, (_, i) =>
      leafHash(bytes.subarray(i * MIB, (i + 1) * MIB), "waybill-chunk"),
    );
    assert.equal(result?.ok ? result.chunks : undefined, Buffer.from(merkleRoot(leaves)).toString("hex"));
  }
});

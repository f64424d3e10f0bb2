import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hashRanges } from "./ranges.ts";

const scratch = mkdtempSync(join(tmpdir(), "waybill-ranges-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

const bytes = randomBytes((40 << 20) + 17);
const absolute = join(scratch, "weights");
writeFileSync(absolute, bytes);
const size = bytes.length;

for (const algorithm of ["sha256", "blake2b512"] as const)
  for (const [where, step] of [
    ["in threads", 3_000_001],
    ["where it is asked for", 1_000_000_000],
  ] as const)
    test(`${algorithm} of ranges is that of their bytes, ${where}`, async () => {
      const most = where === "in threads" ? size : 20_000_000;
      const ranges: { absolute: string; size: number; start: number; end: number }[] = [];
      for (let start = 0; start < most; start += step)
        ranges.push({ absolute, size, start, end: Math.min(most, start + step) });
      const hashed = await hashRanges(ranges, algorithm, { workers: 2 });
      const expected = ranges.map(({ start, end }) => ({
        ok: true,
        digest: createHash(algorithm).update(bytes.subarray(start, end)).digest("hex"),
      }));
      assert.deepEqual(hashed, expected);
    });

test("a file that is gone, or has another size, is a failure of its own", async () => {
  const hashed = await hashRanges(
    [
      { absolute: `${absolute}.gone`, size: 1, start: 0, end: 1 },
      { absolute, size: size + 1, start: 0, end: size + 1 },
      { absolute, size, start: 0, end: 0 },
    ],
    "sha256",
  );
  assert.deepEqual(
    hashed.map((result) => (result.ok ? "ok" : result.problem)),
    ["vanished", "changed", "ok"],
  );
});

test("an abort ends the work with its reason", async () => {
  const reason = new Error("enough");
  await assert.rejects(
    hashRanges([{ absolute, size, start: 0, end: size }], "sha256", { signal: AbortSignal.abort(reason) }),
    reason,
  );
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { leafHash, merkleRoot } from "../core/merkle.ts";
import { type HashedFile, type HashRequest, hashFiles } from "./pool.ts";

const MIB = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), "waybill-pool-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** The definition, word for word (docs/formats/tree.md), with none of the code under test. */
function naive(bytes: Buffer, mode: "lock" | "verify"): HashedFile {
  const result: HashedFile = { ok: true, size: bytes.length };
  if (mode === "lock" || bytes.length <= MIB)
    result.sha256 = createHash("sha256").update(bytes).digest("hex");
  if (bytes.length > MIB) {
    const leaves: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += MIB)
      leaves.push(leafHash(bytes.subarray(at, at + MIB), "waybill-chunk"));
    result.chunks = Buffer.from(merkleRoot(leaves)).toString("hex");
    result.chunkHashes = new Uint8Array(Buffer.concat(leaves));
  }
  return result;
}

function file(name: string, bytes: Buffer | string = "x"): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function request(absolute: string, mode: "lock" | "verify" = "lock"): HashRequest {
  const { size, dev, ino } = statSync(absolute, { bigint: true });
  return { absolute, size: Number(size), dev, ino, mode };
}

/** A file large enough that threads are started. */
function large(name: string, mib = 96): string {
  const path = file(name, "");
  truncateSync(path, mib * MIB + 5);
  return path;
}

test("digests are those of the definition, at all sizes around the boundaries, inline and in threads", async () => {
  const sizes = [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 3.5 * MIB, 9 * MIB + 7];
  const bytes = sizes.map((size) => randomBytes(size));
  const paths = bytes.map((b, i) => file(`size-${i}`, b));
  for (const mode of ["lock", "verify"] as const) {
    const expected = bytes.map((b) => naive(b, mode));
    const requests = paths.map((path) => request(path, mode));
    assert.deepEqual(await hashFiles(requests, { keepChunks: true }), expected);
    const filler = large("filler");
    for (const workers of [1, 2, 5]) {
      const results = await hashFiles([...requests, request(filler)], { workers, keepChunks: true });
      assert.deepEqual(results.slice(0, -1), expected);
    }
  }
});

test("any mixture of files gives the same, whatever the number of threads and their order", async () => {
  const sizes = fc.array(fc.record({ size: fc.integer({ min: 0, max: 3 * MIB }), lock: fc.boolean() }), {
    maxLength: 6,
  });
  const data = randomBytes(3 * MIB);
  await fc.assert(
    fc.asyncProperty(sizes, async (files) => {
      const cases = files.map(({ size, lock }, i) => ({
        bytes: data.subarray(0, size),
        path: file(`any-${i}`, data.subarray(0, size)),
        mode: lock ? ("lock" as const) : ("verify" as const),
      }));
      const results = await hashFiles(
        cases.map((c) => request(c.path, c.mode)),
        { keepChunks: true },
      );
      assert.deepEqual(
        results,
        cases.map((c) => naive(c.bytes, c.mode)),
      );
    }),
    { numRuns: 20 },
  );
});

test("chunk hashes are given on request only", async () => {
  const [result] = await hashFiles([request(large("no-chunks", 2))]);
  assert.equal("chunkHashes" in result!, false);
});

test("no files, no results", async () => {
  assert.deepEqual(await hashFiles([]), []);
});

test("what is not the listed file is a failure of that file alone", { timeout: 10_000 }, async () => {
  const good = request(file("good"));
  const link = join(folder, "link");
  const pipe = join(folder, "pipe");
  const directory = join(folder, "directory");
  symlinkSync("good", link);
  execFileSync("mkfifo", [pipe]);
  mkdirSync(directory);
  const results = await hashFiles([
    { ...good, absolute: join(folder, "missing") },
    { ...good, absolute: link },
    { ...good, absolute: pipe },
    { ...good, absolute: directory },
    { ...good, size: 2 },
    { ...good, ino: 1 },
    { ...good, dev: 1n },
    good,
  ]);
  const seen = results.map((r) => (r.ok ? "ok" : r.problem));
  assert.deepEqual(seen, [
    "vanished",
    "not-a-file",
    "not-a-file",
    "not-a-file",
    "changed",
    "changed",
    "changed",
    "ok",
  ]);
});

for (const [how, change, problem] of [
  ["grows", (path: string) => appendFileSync(path, "more"), "changed"],
  ["is truncated", (path: string) => truncateSync(path, MIB), "changed"],
  ["is touched", (path: string) => execFileSync("touch", ["-d", "2020-01-01", path]), "changed"],
  ["is deleted", (path: string) => rmSync(path), "changed vanished"],
] as const) {
  test(`a file that ${how} while it is hashed is a failure, and no other file's`, async () => {
    const [victim, other] = [large("victim", 256), large("other", 8)];
    let changed = false;
    const results = await hashFiles([request(victim), request(other)], {
      onProgress: ({ bytesDone, filesDone }) => {
        if (changed || bytesDone < MIB || filesDone === 2) return;
        changed = true;
        change(victim);
      },
    });
    assert.ok(changed, "the file was hashed before the test could change it");
    assert.ok(results[0]?.ok === false && problem.includes(results[0].problem), JSON.stringify(results[0]));
    assert.ok(results[1]?.ok);
  });
}

test("progress only grows and ends at the whole", async () => {
  const requests = [
    request(large("progress", 256)),
    request(file("small")),
    { ...request(file("gone")), size: 9 },
  ];
  const seen: number[] = [];
  let last: unknown;
  await hashFiles(requests, {
    onProgress: (progress) => {
      seen.push(progress.bytesDone);
      last = progress;
    },
  });
  const bytesTotal = 256 * MIB + 5 + 1 + 9;
  assert.deepEqual(last, { bytesDone: bytesTotal, bytesTotal, filesDone: 3, filesTotal: 3 });
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
});

test("an abort ends the work at once and leaves no thread and no descriptor", async () => {
  const huge = request(large("huge", 16_384));
  const descriptors = () => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);
  const before = descriptors();
  const reason = new Error("Ctrl-C");
  const abort = new AbortController();
  setTimeout(() => abort.abort(reason), 150);
  const start = performance.now();
  await assert.rejects(hashFiles([huge], { signal: abort.signal }), reason);
  assert.ok(performance.now() - start < 3_000);
  assert.ok(descriptors() <= before + 2, `${descriptors()} descriptors open, ${before} before`);
  assert.equal(process.getActiveResourcesInfo().includes("MessagePort"), false);
  await assert.rejects(hashFiles([huge], { signal: abort.signal }), reason);
});

test("ten thousand small files take little time each", async () => {
  const path = file("tiny", randomBytes(2048));
  const start = performance.now();
  const results = await hashFiles(new Array<HashRequest>(10_000).fill(request(path, "verify")));
  assert.ok(results.every((r) => r.ok));
  assert.ok(performance.now() - start < 5_000);
});

test("a thread that dies is an error, not a hang and not a digest", { timeout: 10_000 }, async () => {
  process.once("worker", (worker) => setTimeout(() => void worker.terminate(), 200));
  await assert.rejects(hashFiles([request(large("dies", 16_384))]), /a hashing thread ended with status 1/);
});

test("memory does not grow with the file: 1 GiB under 150 MB", () => {
  const path = large("memory", 1024);
  const script = `
    import { hashFiles } from ${JSON.stringify(new URL("./pool.ts", import.meta.url).href)};
    const [result] = await hashFiles([{ absolute: process.env.FILE, size: ${1024 * MIB + 5}, mode: "lock" }], { workers: 2 });
    console.log(result.ok, process.resourceUsage().maxRSS);`;
  const options = { encoding: "utf8", env: { ...process.env, FILE: path } } as const;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", script], options);
  const [ok, kilobytes] = said.trim().split(" ");
  assert.equal(ok, "true");
  assert.ok(Number(kilobytes) < 150_000, `${kilobytes} kB`);
});

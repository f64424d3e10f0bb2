import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import fs, {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { copyHashed } from "./copy.ts";
import { hashFiles } from "./pool.ts";

const MIB = 1 << 20;
const folder = mkdtempSync(join(tmpdir(), "waybill-copy-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("a copy has the source's bytes, the asked mode, and the digests that hashFiles gives", async () => {
  for (const size of [0, 1, MIB, MIB + 1, 3.5 * MIB]) {
    const source = join(folder, "source");
    const destination = join(folder, `copy-${size}`);
    const bytes = randomBytes(size);
    writeFileSync(source, bytes);
    for (const want of ["lock", "verify"] as const) {
      const result = await copyHashed(source, destination, { size, mode: 0o540, want });
      const [expected] = await hashFiles([{ absolute: source, size, mode: want }]);
      assert.deepEqual(result, expected);
      assert.ok(readFileSync(destination).equals(bytes));
      assert.equal(statSync(destination).mode & 0o7777, 0o540);
      assert.equal(statSync(destination).nlink, 1);
      rmSync(destination);
    }
  }
});

test("a source that is not the listed file is a failure, and leaves nothing", async () => {
  const destination = join(folder, "nothing");
  const source = join(folder, "listed");
  writeFileSync(source, "abc");
  symlinkSync("listed", join(folder, "link"));
  const problem = async (path: string, size: number) => {
    const result = await copyHashed(path, destination, { size, mode: 0o444, want: "lock" });
    assert.equal(existsSync(destination), false);
    return result.ok ? "ok" : result.problem;
  };
  assert.equal(await problem(join(folder, "missing"), 3), "vanished");
  assert.equal(await problem(join(folder, "link"), 3), "not-a-file");
  assert.equal(await problem(folder, 3), "not-a-file");
  assert.equal(await problem(source, 4), "changed");
});

for (const [how, change] of [
  ["grows", (path: string) => appendFileSync(path, "more")],
  ["is truncated", (path: string) => truncateSync(path, 2 * MIB)],
] as const) {
  test(`a source that ${how} while it is copied is a failure, and leaves nothing`, async () => {
    const source = join(folder, "victim");
    const destination = join(folder, "partial");
    writeFileSync(source, "");
    truncateSync(source, 64 * MIB);
    const copying = copyHashed(source, destination, { size: 64 * MIB, mode: 0o444, want: "lock" });
    setImmediate(() => change(source));
    const result = await copying;
    assert.ok(!result.ok && result.problem === "changed", JSON.stringify(result));
    assert.equal(existsSync(destination), false);
  });
}

test("a destination that exists, a link among them, is refused and stays as it is", async () => {
  const source = join(folder, "a");
  const destination = join(folder, "b");
  writeFileSync(source, "new");
  writeFileSync(destination, "old");
  symlinkSync("nowhere", join(folder, "dangling"));
  const options = { size: 3, mode: 0o444, want: "lock" as const };
  await assert.rejects(copyHashed(source, destination, options), { code: "EEXIST" });
  await assert.rejects(copyHashed(source, join(folder, "dangling"), options), { code: "EEXIST" });
  await assert.rejects(copyHashed(source, join(folder, "none/x"), options), { code: "ENOENT" });
  assert.equal(readFileSync(destination, "utf8"), "old");
  assert.equal(existsSync(join(folder, "nowhere")), false);
});

test("an error in writing is thrown with its code", async (t) => {
  // A full disk, without one: writes are answered as the kernel answers them there.
  const full = t.mock.method(fs, "write", (...args: unknown[]) => {
    const done = args.at(-1) as (error: Error) => void;
    process.nextTick(done, Object.assign(new Error("no space left on device"), { code: "ENOSPC" }));
  });
  syncBuiltinESMExports();
  t.after(() => {
    full.mock.restore();
    syncBuiltinESMExports();
  });
  const source = join(folder, "source-full");
  const destination = join(folder, "copy-full");
  writeFileSync(source, "abc");
  // A second instance of the module, which finds the mock.
  const again = "./copy.ts?full";
  const { copyHashed: copy } = (await import(again)) as typeof import("./copy.ts");
  await assert.rejects(copy(source, destination, { size: 3, mode: 0o444, want: "lock" }), { code: "ENOSPC" });
  assert.equal(existsSync(destination), false);
});

test("an abort ends the copy and leaves nothing", async () => {
  const source = join(folder, "long");
  writeFileSync(source, "");
  truncateSync(source, 512 * MIB);
  const destination = join(folder, "aborted");
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error("Ctrl-C")), 30);
  const options = { size: 512 * MIB, mode: 0o444, want: "lock" as const, signal: abort.signal };
  await assert.rejects(copyHashed(source, destination, options), /Ctrl-C/);
  assert.equal(existsSync(destination), false);
});

test("the digest is that of the copy, also when the source's bytes change behind its back", async () => {
  mkdirSync(join(folder, "swap"));
  const source = join(folder, "swap/s");
  const destination = join(folder, "swap/d");
  writeFileSync(source, randomBytes(8 * MIB));
  const result = await copyHashed(source, destination, { size: 8 * MIB, mode: 0o400, want: "lock" });
  writeFileSync(source, randomBytes(8 * MIB));
  assert.ok(result.ok);
  assert.equal(createHash("sha256").update(readFileSync(destination)).digest("hex"), result.sha256);
});

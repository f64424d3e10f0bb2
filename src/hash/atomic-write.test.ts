import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { TEMP_FILE, writeFileAtomic } from "./atomic-write.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "waybill-atomic-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("writes, replaces, sets the mode, leaves nothing beside", () => {
  const file = join(dir, "f");
  writeFileAtomic(file, "one", { mode: 0o600 });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileAtomic(file, new Uint8Array([0, 255]));
  assert.deepEqual([...readFileSync(file)], [0, 255]);
  const longest = "x".repeat(255);
  writeFileAtomic(join(dir, longest), "ok");
  assert.deepEqual(readdirSync(dir).sort(), ["f", longest]);
});

test("exclusive never replaces, not even a dangling link", () => {
  const file = join(dir, "f");
  writeFileAtomic(file, "one", { exclusive: true });
  assert.throws(() => writeFileAtomic(file, "two", { exclusive: true }), { code: "WB-INPUT-010" });
  assert.equal(readFileSync(file, "utf8"), "one");
  symlinkSync("nowhere", join(dir, "l"));
  assert.throws(() => writeFileAtomic(join(dir, "l"), "x", { exclusive: true }), { code: "WB-INPUT-010" });
  assert.deepEqual(readdirSync(dir).sort(), ["f", "l"]);
});

test("a symbolic link is replaced, not followed", () => {
  writeFileSync(join(dir, "target"), "kept");
  symlinkSync("target", join(dir, "l"));
  writeFileAtomic(join(dir, "l"), "new");
  assert.equal(readFileSync(join(dir, "target"), "utf8"), "kept");
  assert.ok(lstatSync(join(dir, "l")).isFile());
});

test("failures have a code and leave no temporary file", () => {
  assert.throws(() => writeFileAtomic(join(dir, "no", "f"), "x"), { code: "WB-STORE-001" });
  mkdirSync(join(dir, "d"));
  assert.throws(() => writeFileAtomic(join(dir, "d"), "x"), { code: "WB-STORE-001" });
  assert.deepEqual(readdirSync(dir), ["d"]);
});

test("kill -9 at any moment leaves the whole old or the whole new file", { timeout: 120_000 }, async () => {
  const file = join(dir, "f");
  const script = `
    const { writeFileAtomic } = await import(${JSON.stringify(join(import.meta.dirname, "atomic-write.ts"))});
    process.stdout.write("ready");
    for (let i = 0; ; i += 1) writeFileAtomic(${JSON.stringify(file)}, (i % 2 ? "A" : "B").repeat(300_000));`;
  writeFileSync(file, "A".repeat(300_000));
  let interrupted = 0;
  for (let round = 0; round < 30; round += 1) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    await new Promise((wake) => setTimeout(wake, Math.random() * 15));
    child.kill("SIGKILL");
    await once(child, "close");
    const text = readFileSync(file, "utf8");
    assert.equal(text.length, 300_000);
    assert.ok(text === "A".repeat(300_000) || text === "B".repeat(300_000), `round ${round}: a mixture`);
    const rest = readdirSync(dir).filter((name) => name !== "f");
    interrupted += rest.length;
    // A temporary file may stay; its name says what it is.
    for (const name of rest) {
      assert.match(name, TEMP_FILE);
      rmSync(join(dir, name));
    }
  }
  assert.ok(interrupted > 0, "no kill met a write: the test shows nothing");
});

/** Mounts a file system of 64 KiB; the reason where that is not possible. */
function mountSmall(at: string): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "needs root on Linux to mount a small tmpfs";
  try {
    mkdirSync(at);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", at], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `cannot mount a tmpfs: ${(error as Error).message.split("\n")[0]}`;
  }
}

test("a full disk: WB-STORE-002, the old file whole, no rest", (t) => {
  const small = join(dir, "small");
  const reason = mountSmall(small);
  if (reason) return t.skip(reason);
  try {
    const file = join(small, "f");
    writeFileAtomic(file, "old");
    assert.throws(() => writeFileAtomic(file, "n".repeat(200_000)), { code: "WB-STORE-002" });
    assert.throws(() => writeFileAtomic(join(small, "g"), "n".repeat(200_000), { exclusive: true }), {
      code: "WB-STORE-002",
    });
    assert.equal(readFileSync(file, "utf8"), "old");
    assert.deepEqual(readdirSync(small), ["f"]);
  } finally {
    execFileSync("umount", [small]);
  }
});

test("a folder that nobody may write in: WB-STORE-001", (t) => {
  if (process.getuid?.() === 0) return t.skip("root may write everywhere");
  chmodSync(dir, 0o500);
  assert.throws(() => writeFileAtomic(join(dir, "f"), "x"), { code: "WB-STORE-001" });
  chmodSync(dir, 0o700);
  assert.ok(!existsSync(join(dir, "f")));
});

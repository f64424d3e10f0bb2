import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const PROGRAM = join(import.meta.dirname, "waybill.js");
const root = mkdtempSync(join(tmpdir(), "waybill-cache-"));
after(() => rmSync(root, { recursive: true, force: true }));

/** Runs waybill with a temporary folder of its own; gives the names that appeared there. */
function run(home: string): string[] {
  const temp = mkdtempSync(join(root, "tmp-"));
  const env = { PATH: process.env.PATH, TMPDIR: temp, WAYBILL_HOME: home };
  const child = spawnSync(process.execPath, [PROGRAM, "--version"], { env, encoding: "utf8" });
  assert.equal(child.status, 0, child.stderr);
  return readdirSync(temp);
}

test("compiled code is kept in a home of our own, never where others can put it", () => {
  const home = join(root, "home");
  mkdirSync(home, { mode: 0o700 });
  assert.deepEqual(run(home), []);
  assert.ok(existsSync(join(home, "compile-cache")));
});

test("a home that others may write, or that is not there, gets no compiled code", () => {
  const open = join(root, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  assert.deepEqual(run(open), []);
  assert.equal(existsSync(join(open, "compile-cache")), false);
  assert.deepEqual(run(join(root, "absent")), []);
  const mixed = join(root, "mixed");
  mkdirSync(join(mixed, "compile-cache"), { recursive: true });
  chmodSync(mixed, 0o700);
  chmodSync(join(mixed, "compile-cache"), 0o777);
  run(mixed);
  assert.deepEqual(readdirSync(join(mixed, "compile-cache")), []);
});

test("an answer that cannot be written is no verdict", (t) => {
  if (!existsSync("/dev/full")) return t.skip("no /dev/full here");
  const stdio = ["ignore" as const, openSync("/dev/full", "w"), "pipe" as const];
  const child = spawnSync(process.execPath, [PROGRAM, "--version"], { stdio, encoding: "utf8" });
  assert.equal(child.status, 4);
  assert.match(String(child.stderr), /error\[WB-STORE-002\]: the answer could not be written/);
});

import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import {
  type AccessRecord,
  accessRoot,
  proveAccess,
  type SaltedRecord,
  verifyAccess,
} from "../core/access-tree.ts";
import { AccessLog, type AccessWindow } from "./access-log.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-access-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => {
  count += 1;
  return join(folder, `${count}`);
};
const access = (object: string): AccessRecord => ({
  at: "2026-06-01T00:00:00Z",
  who: "ci",
  what: "read",
  object,
  outcome: "served",
});
const recordsOf = (path: string): SaltedRecord[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as SaltedRecord);

test("accesses that were acknowledged are beneath the root of a sealed window, each provable alone", async () => {
  const windows: AccessWindow[] = [];
  const at = fresh();
  const log = await AccessLog.open(at, async (window) => void windows.push(window), 60_000);
  await Promise.all([..."abcdefg"].map((name) => log.record(access(name))));
  log.countRefusal();
  await log.close();
  assert.equal(windows.length, 1);
  const [window] = windows;
  assert.deepEqual([window!.count, window!.refused], [7, 1]);
  const records = recordsOf(join(at, `${window!.root}.jsonl`));
  assert.equal(Buffer.from(accessRoot(records)).toString("hex"), window!.root);
  const root = Buffer.from(window!.root, "hex");
  const proof = proveAccess(records, 3);
  assert.equal(verifyAccess({ salted: records[3]!, index: 3, count: 7, proof, root }), null);
  const other = { ...records[3]!, record: access("z") };
  assert.notEqual(verifyAccess({ salted: other, index: 3, count: 7, proof, root }), null);
  const salts = new Set(records.map((record) => record.salt));
  assert.equal(salts.size, 7);
});

test("a window that a crash left open is made again from its records, and a torn last line was never acknowledged", async () => {
  const at = fresh();
  const dead = await AccessLog.open(at, () => Promise.reject(new Error("the journal is away")), 60_000);
  await dead.record(access("a"));
  await dead.record(access("b"));
  appendFileSync(join(at, "open.jsonl"), '{"salt":"00');
  const windows: AccessWindow[] = [];
  const again = await AccessLog.open(at, async (window) => void windows.push(window));
  assert.deepEqual(
    windows.map((window) => window.count),
    [2],
  );
  assert.equal(existsSync(join(at, "open.jsonl")), false);
  await again.close();
});

test("records stay when sealing fails, and the next window holds them too", async () => {
  const at = fresh();
  let failing = true;
  const windows: AccessWindow[] = [];
  const log = await AccessLog.open(
    at,
    async (window) => {
      if (failing) throw new Error("busy");
      windows.push(window);
    },
    60_000,
  );
  await log.record(access("a"));
  await log.flush();
  failing = false;
  await log.record(access("b"));
  await log.close();
  assert.deepEqual(
    windows.map((window) => window.count),
    [2],
  );
  assert.equal(readdirSync(at).length, 1);
});

test("a damaged record is an error, not a shorter window", async () => {
  const at = fresh();
  const log = await AccessLog.open(at, () => Promise.reject(new Error("no")), 60_000);
  await log.record(access("a"));
  appendFileSync(join(at, "open.jsonl"), "{}\n");
  await assert.rejects(
    AccessLog.open(at, async () => {}),
    { code: "WB-STORE-003" },
  );
});

test("a window closes by itself after its span", async () => {
  const windows: AccessWindow[] = [];
  const log = await AccessLog.open(fresh(), async (window) => void windows.push(window), 20);
  await log.record(access("a"));
  const until = Date.now() + 5000;
  while (windows.length === 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(windows.length, 1);
  await log.close();
});

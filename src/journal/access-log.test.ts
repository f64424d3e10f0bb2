import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type AccessRecord,
  accessRoot,
  proveAccess,
  type SaltedRecord,
  verifyAccess,
} from "../core/access-tree.ts";
import { AccessLog, type AccessWindow, type Sealer } from "./access-log.ts";

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

/** Counts its signatures; what it "logs" is what was signed. */
class TestSealer implements Sealer {
  readonly logged: string[] = [];
  signatures = 0;
  away = false;
  slow = 0;
  sign(window: AccessWindow): string {
    this.signatures += 1;
    return JSON.stringify({ window, signature: `${this.signatures} of ${process.hrtime.bigint()}` });
  }
  async log(signed: string): Promise<void> {
    if (this.slow > 0) await sleep(this.slow);
    if (this.away) throw new Error("the journal is away");
    this.logged.push(signed);
  }
  get windows(): AccessWindow[] {
    return this.logged.map((signed) => (JSON.parse(signed) as { window: AccessWindow }).window);
  }
}

/** What a power cut would leave of a folder that is in use. */
function crashed(at: string): string {
  const copy = fresh();
  cpSync(at, copy, { recursive: true });
  rmSync(join(copy, "lock"), { force: true });
  return copy;
}

test("accesses that were acknowledged are beneath the root of a sealed window, each provable alone", async () => {
  const sealer = new TestSealer();
  const at = fresh();
  const log = await AccessLog.open(at, sealer, 60_000);
  await Promise.all([..."abcdefg"].map((name) => log.record(access(name))));
  log.countRefusal();
  await log.close();
  const [window, ...more] = sealer.windows;
  assert.deepEqual(more, []);
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
  const log = await AccessLog.open(fresh(), new TestSealer(), 60_000);
  await log.record(access("a"));
  await log.record(access("b"));
  const copy = crashed(join(folder, `${count}`));
  await log.close();
  appendFileSync(join(copy, "open.jsonl"), '{"salt":"00');
  const sealer = new TestSealer();
  const again = await AccessLog.open(copy, sealer);
  assert.deepEqual(
    sealer.windows.map((window) => window.count),
    [2],
  );
  assert.equal(existsSync(join(copy, "open.jsonl")), false);
  await again.close();
});

test("a window is signed once: what could not be logged is logged later with the same signature, after a crash too", async () => {
  const at = fresh();
  const sealer = new TestSealer();
  sealer.away = true;
  const log = await AccessLog.open(at, sealer, 60_000);
  await log.record(access("a"));
  await log.flush();
  const copy = crashed(at);
  // Killed between signing and giving the records their name.
  const early = crashed(at);
  const [root] = readdirSync(early).flatMap((name) => /^(.{64})\.jsonl$/.exec(name)?.[1] ?? []);
  renameSync(join(early, `${root}.jsonl`), join(early, "open.jsonl"));
  const signed = readFileSync(join(at, `${root}.pending.json`), "utf8");
  sealer.away = false;
  await log.record(access("b"));
  await log.close();
  assert.deepEqual([sealer.signatures, sealer.logged.length, sealer.logged[0]], [2, 2, signed]);
  for (const left of [copy, early]) {
    const next = new TestSealer();
    const again = await AccessLog.open(left, next);
    await again.close();
    assert.deepEqual([next.signatures, next.logged], [0, [signed]]);
    assert.deepEqual(
      readdirSync(left)
        .filter((name) => name !== "lock")
        .toSorted(),
      [`${root}.jsonl`],
    );
  }
});

test("no acknowledged record is lost between windows, however they overlap, and none is in two", async () => {
  const at = fresh();
  const sealer = new TestSealer();
  sealer.slow = 3;
  const log = await AccessLog.open(at, sealer, 1);
  const wanted: string[] = [];
  for (let round = 0; round < 60; round += 1) {
    const names = Array.from({ length: 1 + (round % 9) }, (_, i) => `${round}.${i}`);
    wanted.push(...names);
    await Promise.all(names.map((name) => log.record(access(name))));
    if (round % 3 === 0) await sleep(2);
  }
  await log.close();
  const found: string[] = [];
  for (const { root, count: size } of sealer.windows) {
    const records = recordsOf(join(at, `${root}.jsonl`));
    assert.equal(records.length, size);
    assert.equal(Buffer.from(accessRoot(records)).toString("hex"), root);
    found.push(...records.map(({ record }) => record.object));
  }
  assert.deepEqual(found, wanted);
  assert.ok(sealer.windows.length > 3);
});

test("one process observes in a folder: a second one is refused, and one that is dead holds nothing", async () => {
  const at = fresh();
  const log = await AccessLog.open(at, new TestSealer());
  await assert.rejects(AccessLog.open(at, new TestSealer()), { code: "WB-STORE-004" });
  await log.close();
  await (await AccessLog.open(at, new TestSealer())).close();
});

test("damaged records, or a signed window without its records, are an error, not a shorter window", async () => {
  const at = fresh();
  const log = await AccessLog.open(at, new TestSealer(), 60_000);
  await log.record(access("a"));
  const copy = crashed(at);
  await log.close();
  appendFileSync(join(copy, "open.jsonl"), "{}\n");
  await assert.rejects(AccessLog.open(copy, new TestSealer()), { code: "WB-STORE-003" });
  const gone = crashed(at);
  writeFileSync(join(gone, `${"0".repeat(64)}.pending.json`), "{}");
  await assert.rejects(AccessLog.open(gone, new TestSealer()), { code: "WB-STORE-003" });
});

test("a window closes by itself after its span", async () => {
  const sealer = new TestSealer();
  const log = await AccessLog.open(fresh(), sealer, 20);
  await log.record(access("a"));
  const until = Date.now() + 5000;
  while (sealer.logged.length === 0 && Date.now() < until) await sleep(10);
  assert.equal(sealer.windows.length, 1);
  await log.close();
});

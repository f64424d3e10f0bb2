import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { WaybillError } from "../core/errors.ts";
import { leafHash } from "../core/merkle.ts";
import { verifyConsistency, verifyInclusion } from "../core/proof.ts";
import { Sequencer } from "../store/sequencer.ts";
import { envelopePath } from "./envelope-file.ts";
import { fsckJournal } from "./fsck.ts";
import { openJournal } from "./journal.ts";
import { openReader } from "./open-reader.ts";
import { TestMaker, testHome } from "./test-maker.test.ts";

const code = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.code, expected, error.message);
  assert.ok(error.hint.length > 0);
  return true;
};

/** Takes the database away, with what belongs to it. */
function loseDatabase(home: string): void {
  for (const end of ["", "-wal", "-shm"]) rmSync(join(home, `journal/journal.sqlite${end}`), { force: true });
}

test("what is acknowledged is in the files: entry, envelope, tiles and a checkpoint that proves it", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const journal = await openJournal(home, { create: { origin: "log.example.org" } });
  assert.equal(journal.checkpoint().size, 0);
  const first = await journal.append(maker.statement(0));
  const before = journal.checkpoint();
  const second = await journal.append(maker.statement(1));
  await journal.close();
  assert.deepEqual([first.index, second.index], [0, 1]);
  const reader = openReader(join(home, "journal"));
  const { body, leaf, proof, checkpoint } = reader.proveInclusion(1);
  assert.equal(Buffer.from(leaf).toString("hex"), second.leaf);
  assert.equal(
    verifyInclusion({ index: 1, size: 2, leafHash: leafHash(body), proof, root: checkpoint.root }),
    null,
  );
  const { root1, root2, proof: path } = await reader.proveConsistency(1);
  assert.deepEqual(Buffer.from(root1), Buffer.from(before.root));
  assert.equal(verifyConsistency({ size1: 1, size2: 2, root1, root2, proof: path }), null);
  assert.ok(existsSync(join(home, "journal", envelopePath(second.leaf))));
  assert.equal(statSync(join(home, "journal/key")).mode & 0o777, 0o600);
  const entry = second.tlogEntry as {
    canonicalizedBody: string;
    inclusionProof: { checkpoint: { envelope: string } };
  };
  assert.equal(entry.canonicalizedBody, body.toString("base64"));
  assert.equal(entry.inclusionProof.checkpoint.envelope, checkpoint.note);
});

test("appends at the same time share transactions; tiles fill up and partial ones go away", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const journal = await openJournal(home, { create: {} });
  await journal.append(maker.statement("alone"));
  const all = await Promise.all(Array.from({ length: 299 }, (_, i) => journal.append(maker.statement(i))));
  assert.deepEqual(
    all.map((entry) => entry.index),
    Array.from({ length: 299 }, (_, i) => i + 1),
  );
  // One checkpoint for all that waited together.
  const checkpoints = all.map(
    (entry) =>
      (entry.tlogEntry as { inclusionProof: { checkpoint: { envelope: string } } }).inclusionProof.checkpoint
        .envelope,
  );
  assert.equal(new Set(checkpoints).size, 1);
  await journal.close();
  assert.deepEqual(readdirSync(join(home, "journal/tile/0")).sort(), ["000", "001.p"]);
  assert.deepEqual(readdirSync(join(home, "journal/tile/0/001.p")), ["44"]);
  assert.deepEqual(readdirSync(join(home, "journal/tile/1/000.p")), ["1"]);
  assert.deepEqual(readdirSync(join(home, "journal/tile/entries")).sort(), ["000", "001.p"]);
  const report = await fsckJournal(join(home, "journal"));
  assert.deepEqual(report.findings, []);
  assert.equal(report.verified, 300);
});

test("a signature is logged once, also when it comes twice in one batch or after the database was lost", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const [a, b] = [maker.statement("a"), maker.statement("b")];
  let journal = await openJournal(home, { create: {} });
  const [first, same, other] = await Promise.all([journal.append(a), journal.append(a), journal.append(b)]);
  assert.deepEqual([first.index, same.index, other.index], [0, 0, 1]);
  assert.deepEqual([first.known, same.known, other.known], [false, true, false]);
  await journal.close();
  loseDatabase(home);
  journal = await openJournal(home);
  const again = await journal.append(b);
  assert.deepEqual([again.index, again.known, journal.checkpoint().size], [1, true, 2]);
  // Another signature over the same statement is another entry.
  assert.equal((await journal.append(maker.statement("b"))).index, 2);
  await journal.close();
});

test("what does not verify is never logged, nor what an Ed25519 key has signed", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const journal = await openJournal(home, { create: {} });
  const { envelope } = maker.statement(0);
  await assert.rejects(
    journal.append({ envelope, publicKey: new TestMaker().publicKey }),
    code("WB-INPUT-006"),
  );
  const changed = { ...envelope, payload: Buffer.from("{}").toString("base64") };
  await assert.rejects(
    journal.append({ envelope: changed, publicKey: maker.publicKey }),
    code("WB-INPUT-006"),
  );
  const two = { ...envelope, signatures: [...envelope.signatures, ...envelope.signatures] };
  await assert.rejects(journal.append({ envelope: two, publicKey: maker.publicKey }), code("WB-INPUT-006"));
  const ed = generateKeyPairSync("ed25519").publicKey;
  await assert.rejects(journal.append({ envelope, publicKey: ed }), code("WB-INPUT-016"));
  assert.equal(journal.checkpoint().size, 0);
  await journal.close();
});

test("keys on P-384 and P-521 are logged over their own hash", async (t) => {
  const home = testHome(t);
  const journal = await openJournal(home, { create: {} });
  for (const namedCurve of ["P-384", "P-521"]) {
    const maker = new TestMaker(generateKeyPairSync("ec", { namedCurve }));
    await journal.append(maker.statement(namedCurve));
  }
  await journal.close();
  const report = await fsckJournal(journal.folder);
  assert.deepEqual([report.found, report.verified], [0, 2]);
});

test("six processes append to one journal at the same time: every index once, nothing lost", async (t) => {
  const home = testHome(t);
  const script = join(import.meta.dirname, "../../scripts/crash-journal.ts");
  const outputs = await Promise.all(
    Array.from({ length: 6 }, async (_, i) => {
      const child = spawn(process.execPath, [script, "--write", home, "--id", `w${i}`, "--count", "12"]);
      let [out, err] = ["", ""];
      child.stdout.on("data", (data: Buffer) => {
        out += data.toString();
      });
      child.stderr.on("data", (data: Buffer) => {
        err += data.toString();
      });
      const status = await new Promise((resolve) => child.on("close", resolve));
      assert.equal(status, 0, err);
      return out;
    }),
  );
  const acks = outputs
    .join("")
    .match(/^ack .*$/gm)!
    .map((line) => line.split(" ") as [string, string, string]);
  const indexes = acks.map(([, index]) => Number(index)).sort((a, b) => a - b);
  assert.deepEqual(
    indexes,
    Array.from({ length: 72 }, (_, i) => i),
  );
  const reader = openReader(join(home, "journal"));
  for (const [, index, leaf] of acks)
    assert.equal(Buffer.from(reader.proveInclusion(Number(index)).leaf).toString("hex"), leaf);
  const report = await fsckJournal(join(home, "journal"));
  assert.deepEqual([report.findings, report.verified], [[], 72]);
});

test("a lost database is made again from the files, byte for byte the same log", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  let journal = await openJournal(home, { create: {}, now: new Date("2027-01-02T03:04:05Z") });
  await Promise.all(Array.from({ length: 270 }, (_, i) => journal.append(maker.statement(i))));
  await journal.close();
  const before = readFileSync(join(home, "journal/checkpoint"));
  loseDatabase(home);
  journal = await openJournal(home);
  assert.deepEqual(readFileSync(join(home, "journal/checkpoint")), before);
  assert.equal((await journal.append(maker.statement("next"))).index, 270);
  await journal.close();
  const report = await fsckJournal(journal.folder);
  assert.deepEqual([report.findings, report.verified], [[], 271]);
});

test("a database or files from an older copy are refused: no second history is ever signed", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const copy = join(home, "copy");
  let journal = await openJournal(home, { create: {} });
  await journal.append(maker.statement(0));
  await journal.close();
  cpSync(journal.folder, copy, { recursive: true });
  journal = await openJournal(home);
  await journal.append(maker.statement(1));
  await journal.close();
  const checkpoint = readFileSync(join(home, "journal/checkpoint"));
  const database = readFileSync(join(home, "journal/journal.sqlite"));
  copyFileSync(join(copy, "journal.sqlite"), join(home, "journal/journal.sqlite"));
  await assert.rejects(openJournal(home), code("WB-STORE-003"));
  assert.deepEqual(readFileSync(join(home, "journal/checkpoint")), checkpoint);
  const found = await fsckJournal(journal.folder);
  assert.ok(found.findings.some((finding) => finding.code === "WB-LOG-016"));
  // As the hint says: without the older database all is well.
  loseDatabase(home);
  await (await openJournal(home)).close();
  writeFileSync(join(home, "journal/journal.sqlite"), database);
  copyFileSync(join(copy, "checkpoint"), join(home, "journal/checkpoint"));
  await assert.rejects(openJournal(home), code("WB-STORE-003"));
});

test("another key, or none, in the key's place: nothing is signed", async (t) => {
  const home = testHome(t);
  const journal = await openJournal(home, { create: {} });
  await journal.append(new TestMaker().statement(0));
  await journal.close();
  const key = join(home, "journal/key");
  renameSync(key, `${key}.away`);
  await assert.rejects(openJournal(home), code("WB-STORE-003"));
  assert.equal(existsSync(key), false);
  const other = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(key, other, { mode: 0o600 });
  await assert.rejects(openJournal(home), code("WB-STORE-003"));
});

test("entries that a killed writer had committed and not published are published by the next one", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  let journal = await openJournal(home, { create: {} });
  await journal.append(maker.statement(0));
  await journal.close();
  const before = join(home, "before");
  cpSync(journal.folder, before, { recursive: true });
  journal = await openJournal(home);
  const { index, leaf } = await journal.append(maker.statement(1));
  await journal.close();
  // The files as they were, and a database that has the second entry committed alone.
  const sequencer = new Sequencer(join(before, "journal.sqlite"));
  const published = readFileSync(join(home, "journal", envelopePath(leaf)), "utf8");
  const reader = openReader(journal.folder);
  const { size, root } = reader.checkpoint();
  await sequencer.locked(() => {
    const state = sequencer.state()!;
    const body = reader.body(1, 2).toString();
    sequencer.append(state, [{ index, leaf, digest: "", body, envelope: published }], [], {
      size,
      root: Buffer.from(root).toString("hex"),
    });
  });
  sequencer.close();
  const after = readFileSync(join(home, "journal/checkpoint"));
  rmSync(journal.folder, { recursive: true });
  renameSync(before, journal.folder);
  assert.match(
    (await fsckJournal(journal.folder)).notes.join(),
    /1 entries are committed and not yet published/,
  );
  await (await openJournal(home)).close();
  // The very bytes that the first writer would have published.
  assert.deepEqual(readFileSync(join(home, "journal/checkpoint")), after);
  assert.ok(existsSync(join(home, "journal", envelopePath(leaf))));
});

test("a writer that never lets go: WB-STORE-004 for the others, after their patience", async (t) => {
  const home = testHome(t);
  await (await openJournal(home, { create: {} })).close();
  const holder = new Sequencer(join(home, "journal/journal.sqlite"));
  let release = (): void => {};
  const held = holder.locked(() => new Promise<void>((resolve) => (release = resolve)));
  try {
    await assert.rejects(openJournal(home, { lockTimeoutMs: 150 }), code("WB-STORE-004"));
  } finally {
    release();
    await held;
    holder.close();
  }
  await (await openJournal(home)).close();
});

test("a database that was replaced under an open writer stops it", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const journal = await openJournal(home, { create: {} });
  await journal.append(maker.statement(0));
  loseDatabase(home);
  await (await openJournal(home)).close();
  await assert.rejects(journal.append(maker.statement(1)), code("WB-STORE-003"));
  await journal.close();
});

test("there is no journal unless it is made, and its origin is a host name that stays", async (t) => {
  const home = testHome(t);
  await assert.rejects(openJournal(home), code("WB-STORE-005"));
  for (const origin of ["", "two words", "a+b", "a/b", "host:80", "Größe", "-a", "a\nb"])
    await assert.rejects(openJournal(home, { create: { origin } }), code("WB-INPUT-007"), origin);
  const journal = await openJournal(home, { create: {} });
  assert.match(journal.origin, /^journal-[0-9a-f]{8}\.waybill\.local$/);
  await journal.close();
  await assert.rejects(openJournal(home, { create: { origin: "other.example" } }), code("WB-INPUT-010"));
});

test("cosignatures go under the checkpoint, once each, and only under the one that they are about", async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const journal = await openJournal(home, { create: {} });
  await journal.append(maker.statement(0));
  const { note } = journal.checkpoint();
  const line = `— witness.example ${Buffer.from(createHash("sha512").update("x").digest()).toString("base64")}\n`;
  assert.equal((await journal.putCosigned(note + line)).note, note + line);
  assert.equal((await journal.putCosigned(note + line)).note, note + line);
  await journal.append(maker.statement(1));
  const newer = journal.checkpoint().note;
  assert.equal((await journal.putCosigned(note + line)).note, newer);
  await journal.close();
  assert.equal(openReader(journal.folder).checkpoint().note, newer);
});

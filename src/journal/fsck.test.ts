import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { WaybillError } from "../core/errors.ts";
import { keyId, spkiDer } from "../sign/keys.ts";
import { entryOfEnvelope } from "./entry.ts";
import { envelopePath } from "./envelope-file.ts";
import { fsckJournal } from "./fsck.ts";
import { type Journal, openJournal } from "./journal.ts";
import { makeErasureStatement } from "./own-statements.ts";
import { TestMaker, testHome, testStatement } from "./test-maker.test.ts";

/** Bytes flipped in each file; all of them with WAYBILL_EVERY_BYTE=1. */
const SAMPLES = process.env.WAYBILL_EVERY_BYTE ? Number.POSITIVE_INFINITY : 12;

async function journalOf(home: string, entries: number, maker = new TestMaker()): Promise<Journal> {
  const journal = await openJournal(home, { create: { origin: "log.example.org" } });
  for (let i = 0; i < Math.min(entries, 3); i += 1) await journal.append(maker.statement(i));
  await Promise.all(
    Array.from({ length: Math.max(0, entries - 3) }, (_, i) => journal.append(maker.statement(i + 3))),
  );
  return journal;
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((found) => found.isFile())
    .map((found) => relative(folder, join(found.parentPath, found.name)))
    .filter((path) => !path.startsWith("journal.sqlite"));
}

const codes = async (folder: string, options?: Parameters<typeof fsckJournal>[1]): Promise<string[]> => [
  ...new Set((await fsckJournal(folder, options)).findings.map((finding) => finding.code)),
];

test("a whole journal has no findings, also while it is open, empty, or without its database", async (t) => {
  const home = testHome(t);
  const journal = await openJournal(home, { create: {} });
  assert.deepEqual((await fsckJournal(journal.folder)).findings, []);
  await journal.append(new TestMaker().statement(0));
  const report = await fsckJournal(journal.folder);
  assert.deepEqual([report.found, report.size, report.verified, report.notes], [0, 1, 1, []]);
  await journal.close();
  for (const end of ["", "-wal", "-shm"])
    rmSync(join(journal.folder, `journal.sqlite${end}`), { force: true });
  const without = await fsckJournal(journal.folder);
  assert.deepEqual(without.findings, []);
  assert.match(without.notes[0]!, /makes it again/);
  await assert.rejects(
    fsckJournal(join(home, "none")),
    (e) => e instanceof WaybillError && e.code === "WB-STORE-005",
  );
});

test("every flipped byte in every file is found", async (t) => {
  const home = testHome(t);
  const journal = await journalOf(home, 6);
  await journal.close();
  const { folder } = journal;
  for (const path of filesOf(folder)) {
    const whole = readFileSync(join(folder, path));
    const step = Math.max(1, Math.floor(whole.length / SAMPLES));
    for (let i = 0; i < whole.length; i += step) {
      const changed = Buffer.from(whole);
      changed[i]! ^= 1 << (i % 8);
      writeFileSync(join(folder, path), changed);
      const report = await fsckJournal(folder);
      assert.ok(report.found > 0, `${path}: byte ${i} of ${whole.length} was changed unseen`);
    }
    writeFileSync(join(folder, path), whole);
  }
  assert.deepEqual((await fsckJournal(folder)).findings, []);
});

test("a missing, shortened, lengthened or exchanged file is found, whichever it is", async (t) => {
  const home = testHome(t);
  const journal = await journalOf(home, 258);
  await journal.close();
  const { folder } = journal;
  const paths = filesOf(folder);
  const envelopes = paths.filter((path) => path.startsWith("envelopes/"));
  for (const path of [...paths.filter((p) => !p.startsWith("envelopes/")), ...envelopes.slice(0, 3)]) {
    const whole = readFileSync(join(folder, path));
    rmSync(join(folder, path));
    // An older partial tile may be gone for good reasons.
    const older = /\.p\/[123]$/.test(path) && !/001\.p|tile\/1/.test(path);
    if (!older) assert.ok((await fsckJournal(folder)).found > 0, `${path} is missing`);
    for (const bytes of [
      whole.subarray(1),
      whole.subarray(0, -1),
      Buffer.concat([whole, Buffer.from("\n")]),
      Buffer.alloc(0),
    ]) {
      writeFileSync(join(folder, path), bytes);
      assert.ok(
        (await fsckJournal(folder)).found > 0,
        `${path} has ${bytes.length} of ${whole.length} bytes`,
      );
    }
    rmSync(join(folder, path));
    writeFileSync(join(home, "copy"), whole, { mode: 0o600 });
    for (const target of ["/dev/null", join(home, "copy")]) {
      symlinkSync(target, join(folder, path));
      assert.ok((await fsckJournal(folder)).found > 0, `${path} is a link`);
      rmSync(join(folder, path));
    }
    writeFileSync(join(folder, path), whole, { mode: path === "key" ? 0o600 : 0o644 });
  }
  const [one, two] = envelopes as [string, string];
  const [a, b] = [readFileSync(join(folder, one)), readFileSync(join(folder, two))];
  writeFileSync(join(folder, one), b);
  writeFileSync(join(folder, two), a);
  assert.deepEqual(await codes(folder), ["WB-LOG-013"]);
  writeFileSync(join(folder, one), a);
  writeFileSync(join(folder, two), b);
  assert.deepEqual(await codes(folder), []);
});

test("what was put beside the log is found; leftovers of a killed writer are notes", async (t) => {
  const home = testHome(t);
  const journal = await journalOf(home, 2);
  await journal.close();
  const { folder } = journal;
  const leaf = "ab".repeat(32);
  mkdirSync(join(folder, "envelopes/ab"), { recursive: true });
  for (const path of [
    envelopePath(leaf),
    "envelopes/x",
    "tile/0/1",
    "tile/0/000.p/9",
    "tile/0/000",
    "tile/evil",
  ]) {
    writeFileSync(join(folder, path), "x");
    assert.deepEqual(await codes(folder), ["WB-LOG-014"], path);
    rmSync(join(folder, path));
  }
  writeFileSync(join(folder, "tile/0/.waybill-0123456789abcdef.tmp"), "half");
  writeFileSync(join(folder, "readme"), "mine");
  const report = await fsckJournal(folder);
  assert.equal(report.found, 0);
  assert.equal(report.notes.length, 2);
  chmodSync(join(folder, "key"), 0o644);
  assert.deepEqual(await codes(folder), ["WB-LOG-015"]);
});

test("a journal whose key others can read or replace is found", async (t) => {
  const home = testHome(t);
  const journal = await journalOf(home, 1);
  await journal.close();
  const { folder } = journal;
  for (const [path, mode, good] of [
    ["key", 0o640, 0o600],
    [".", 0o770, 0o700],
  ] as const) {
    chmodSync(join(folder, path), mode);
    assert.deepEqual(await codes(folder), ["WB-LOG-015"], path);
    chmodSync(join(folder, path), good);
  }
  assert.deepEqual(await codes(folder), []);
});

test("an envelope by another signer over the same statement is not the one that was logged", async (t) => {
  const home = testHome(t);
  const journal = await openJournal(home, { create: {} });
  const payload = testStatement("same");
  const [one, two] = [new TestMaker(), new TestMaker()].map((maker) => maker.sign(payload));
  const first = await journal.append(one!);
  const second = await journal.append(two!);
  await journal.close();
  const [a, b] = [first, second].map(({ leaf }) => join(journal.folder, envelopePath(leaf)));
  cpSync(b!, a!);
  const { findings } = await fsckJournal(journal.folder);
  assert.deepEqual(
    findings.map(({ code }) => code),
    ["WB-LOG-013"],
  );
  assert.match(findings[0]!.message, /another signature/);
});

test("an envelope may be erased by its maker or an operator, and by nobody else; the erasure stays visible", async (t) => {
  const home = testHome(t);
  const [maker, operator, stranger] = [new TestMaker(), new TestMaker(), new TestMaker()];
  const journal = await openJournal(home, { create: {} });
  const logged = await Promise.all([0, 1, 2].map((id) => journal.append(maker.statement(id))));
  const erase = async (index: number, by: TestMaker, at = index) => {
    const { body } = entryOfEnvelope(maker.statement(index).envelope, {
      kind: "publicKey",
      der: spkiDer(maker.publicKey),
    });
    const entry = journal.reader.body(index, 3).toString();
    assert.notEqual(body, entry);
    const digest = Buffer.from(/"digest":"([^"]+)"/.exec(entry)![1]!, "base64").toString("hex");
    const text = makeErasureStatement(
      { index: at, leaf: logged[index]!.leaf, algorithm: "sha256", digest },
      { reason: "it named a person", at: "2027-01-01T00:00:00Z" },
    );
    return journal.erase(index, by.sign(Buffer.from(text)));
  };
  await assert.rejects(erase(0, maker, 1), (e) => e instanceof WaybillError && e.code === "WB-INPUT-006");
  assert.equal((await fsckJournal(journal.folder)).found, 0);
  // Whoever can log can log many of them: the one that counts is not lost among them.
  for (let i = 0; i < 16; i += 1) await erase(0, new TestMaker());
  await erase(0, maker);
  await erase(0, new TestMaker());
  await erase(1, operator);
  await erase(2, stranger);
  await journal.close();
  const operators = [keyId(operator.publicKey)];
  const report = await fsckJournal(journal.folder, { operators });
  assert.deepEqual(
    report.erased.map(({ index, by }) => [index, by]),
    [
      [0, keyId(maker.publicKey)],
      [1, keyId(operator.publicKey)],
    ],
  );
  assert.deepEqual(
    report.findings.map(({ code, path }) => [code, path]),
    [["WB-LOG-018", envelopePath(logged[2]!.leaf)]],
  );
  // An envelope that is merely gone is another thing.
  const tombstone = (await fsckJournal(journal.folder)).findings.length;
  assert.equal(tombstone, 2);
});

test("an entry from outside stands beside the statement that vouches for it, and is listed apart", async (t) => {
  const home = testHome(t);
  const [maker, operator] = [new TestMaker(), new TestMaker()];
  const journal = await openJournal(home, { create: {} });
  const { envelope } = maker.statement("outside");
  const { body, digest } = entryOfEnvelope(envelope, { kind: "publicKey", der: spkiDer(maker.publicKey) });
  const added = await journal.appendExternal(body, ({ index, leaf }) =>
    operator.sign(
      Buffer.from(
        JSON.stringify({
          _type: "https://in-toto.io/Statement/v1",
          subject: [{ name: "entry", digest: { sha256: digest.toString("hex") } }],
          predicateType: "urn:waybill:external-entry:v1",
          predicate: { index, leaf, verifier: keyId(maker.publicKey) },
        }),
      ),
    ),
  );
  assert.equal(added.index, 0);
  assert.equal(journal.checkpoint().size, 2);
  await journal.close();
  const vouched = await fsckJournal(journal.folder, { operators: [keyId(operator.publicKey)] });
  assert.deepEqual([vouched.found, vouched.external.map(({ index }) => index)], [0, [0]]);
  assert.deepEqual(await codes(journal.folder), ["WB-LOG-018"]);
  assert.deepEqual(await codes(journal.folder, { operators: [keyId(maker.publicKey)] }), ["WB-LOG-018"]);
});

test("a log with a leaf that is no hashedrekord, and one whose envelope is just gone", async (t) => {
  const home = testHome(t);
  const journal = await journalOf(home, 2);
  await journal.close();
  const envelope = filesOf(journal.folder).find((path) => path.startsWith("envelopes/"))!;
  rmSync(join(journal.folder, envelope));
  const { findings } = await fsckJournal(journal.folder);
  assert.deepEqual(
    findings.map(({ code, path }) => [code, path]),
    [["WB-LOG-012", envelope]],
  );
  assert.ok(statSync(journal.folder).isDirectory());
});

test("a database that says something else than the files is found", async (t) => {
  const home = testHome(t);
  const journal = await journalOf(home, 5);
  await journal.close();
  const { DatabaseSync } = await import("node:sqlite");
  const path = join(journal.folder, "journal.sqlite");
  const whole = readFileSync(path);
  for (const sql of [
    "UPDATE state SET size = 4",
    "UPDATE state SET size = 9",
    "UPDATE state SET published = 9",
    "UPDATE state SET published = 7, size = 7",
    `UPDATE state SET root = '${"0".repeat(64)}'`,
    "UPDATE state SET origin = 'other.example'",
    `UPDATE state SET log_id = '${"0".repeat(64)}'`,
    "UPDATE state SET start = '2020-01-01T00:00:00Z'",
    "DELETE FROM state",
    "DELETE FROM pending WHERE idx = 2",
    "UPDATE pending SET body = 'x' WHERE idx = 2",
    "DELETE FROM entries WHERE idx = 2",
    "UPDATE entries SET digest = 'x' WHERE idx = 2",
    `INSERT INTO entries VALUES ('${"0".repeat(64)}', 77, '')`,
  ]) {
    const db = new DatabaseSync(path);
    db.exec(sql);
    db.close();
    assert.ok((await fsckJournal(journal.folder)).found > 0, sql);
    for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
    writeFileSync(path, whole);
  }
  writeFileSync(path, whole.subarray(0, 5000));
  assert.deepEqual(await codes(journal.folder), ["WB-LOG-016"]);
  writeFileSync(path, "not a database, but long enough to be looked at ".repeat(30));
  assert.deepEqual(await codes(journal.folder), ["WB-LOG-016"]);
});

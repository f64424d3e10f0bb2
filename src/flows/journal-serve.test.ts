import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openCheckpoint } from "../core/checkpoint.ts";
import { leafHash } from "../core/merkle.ts";
import { parseVerifierKey } from "../core/note.ts";
import { verifyInclusion } from "../core/proof.ts";
import { readAccessWindowStatement } from "../evidence/access-window.ts";
import { parseStatement } from "../evidence/statement.ts";
import { parseEnvelopeFile } from "../journal/envelope-file.ts";
import { fsckJournal, type JournalReport } from "../journal/fsck.ts";
import { openMachineKey } from "../sign/machine-key.ts";
import { ACCESS_FOLDER } from "./journal-serve.ts";
import { type LogAnswer, Maker, post, served, trustOf } from "./journal-serve-scene.test.ts";

type Served = Awaited<ReturnType<typeof served>>;

function fsck({ home, folder }: Served): Promise<JournalReport> {
  return fsckJournal(folder, { operators: [openMachineKey(home).keyId] });
}

/** The access windows in the journal, with the records beneath them. */
function windows({ folder, home }: Served): { count: number; refused: number; who: string[] }[] {
  const found = [];
  for (const two of readdirSync(join(folder, "envelopes")))
    for (const name of readdirSync(join(folder, "envelopes", two))) {
      const envelope = parseEnvelopeFile(readFileSync(join(folder, "envelopes", two, name)));
      assert.ok(!("problem" in envelope));
      const statement = parseStatement(Buffer.from(envelope.payload, "base64"));
      if ("problem" in statement || statement.predicateType !== "urn:waybill:access-window:v1") continue;
      const window = readAccessWindowStatement(statement);
      assert.ok(!("problem" in window));
      const lines = readFileSync(join(home, ACCESS_FOLDER, `${String(window.root)}.jsonl`), "utf8").trimEnd();
      const records = lines
        .split("\n")
        .map((line) => (JSON.parse(line) as { record: { who: string } }).record);
      assert.equal(records.length, window.count);
      found.push({ count: window.count, refused: window.refused, who: records.map(({ who }) => who) });
    }
  return found;
}

function mustBeProved({ verifierKey, origin }: Served, answer: LogAnswer): void {
  const log = parseVerifierKey(verifierKey);
  assert.ok(!("problem" in log));
  const opened = openCheckpoint(answer.inclusionProof.checkpoint.envelope, { origin, log: [log] });
  assert.ok(!("problem" in opened), JSON.stringify(opened));
  const { size, root } = opened.checkpoint;
  const proof = answer.inclusionProof.hashes.map((hash) => Buffer.from(hash, "base64"));
  const leaf = leafHash(Buffer.from(answer.canonicalizedBody, "base64"));
  assert.equal(verifyInclusion({ index: Number(answer.logIndex), size, leafHash: leaf, proof, root }), null);
}

test("an entry by a key that trust names is logged with its proof, vouched for, and recorded; sent again it is no access", async (t) => {
  const maker = new Maker();
  const journal = await served(t, { trust: trustOf({ ci: [{ publicKey: maker.pem }] }) });
  const entry = maker.entry("one");
  const { status, answer } = await post(journal.url, entry);
  assert.equal(status, 201, String(answer.message));
  mustBeProved(journal, answer);
  const again = await post(journal.url, entry);
  assert.deepEqual([again.status, again.answer.logIndex], [201, answer.logIndex]);
  await journal.close();
  assert.deepEqual(windows(journal), [{ count: 1, refused: 0, who: ["ci"] }]);
  const report = await fsck(journal);
  assert.deepEqual(report.findings, []);
  assert.deepEqual(
    report.external.map(({ index }) => index),
    [Number(answer.logIndex)],
  );
  assert.equal(report.size, 3);
});

test("strangers, the revoked, those outside of their window and bad input are refused, counted, and leave nothing else", async (t) => {
  const [ci, revoked, old, stranger] = [new Maker(), new Maker(), new Maker(), new Maker()];
  const { keyId } = (await import("../sign/keys.ts")).keyHints(revoked.publicKey);
  const trust = trustOf(
    {
      ci: [{ publicKey: ci.pem }],
      gone: [{ publicKey: revoked.pem }],
      old: [{ publicKey: old.pem, notAfter: "2020-01-01T00:00:00Z" }],
    },
    { revoked: [{ key: keyId, reason: "laptop stolen" }] },
  );
  const journal = await served(t, { trust });
  const good = ci.entry("good");
  const other = ci.entry("other").hashedRekordRequestV002;
  const forged = structuredClone(good);
  forged.hashedRekordRequestV002.signature.content = other.signature.content;
  const upset = structuredClone(good) as unknown as {
    hashedRekordRequestV002: { extra: unknown; digest: string };
  };
  upset.hashedRekordRequestV002.digest = "AAAA";
  const cases: [unknown, number, RegExp][] = [
    [stranger.entry("x"), 403, /trust names no such key/],
    [revoked.entry("x"), 403, /revoked: laptop stolen/],
    [old.entry("x"), 403, /counted until 2020/],
    [forged, 400, /not by this key over this digest/],
    [upset, 400, /digest/],
    ["{", 400, /not a request that is taken/],
    ["", 400, /not a request/],
    ["[]", 400, /no object/],
    ['{"hashedRekordRequestV002":{},"hashedRekordRequestV002":{}}', 400, /twice|duplicate/],
    [{ dsseRequestV002: {} }, 400, /dsseRequestV002 is not taken/],
    [" ".repeat(70_000), 413, /at most 65536 bytes/],
  ];
  for (const [body, status, message] of cases) {
    const result = await post(journal.url, body);
    assert.equal(result.status, status, JSON.stringify(result));
    assert.match(String(result.answer.message), message);
  }
  const huge = await post(journal.url, " ".repeat(2 << 20)).catch(() => ({ status: 413 }));
  assert.equal(huge.status, 413);
  assert.equal((await fetch(`${journal.url}/api/v2/log/entries`)).status, 405);
  assert.equal((await fetch(`${journal.url}/checkpoint`, { method: "DELETE" })).status, 405);
  const older = await fetch(`${journal.url}/api/v1/log/entries`, { method: "POST", body: "{}" });
  assert.equal(older.status, 404);
  assert.match(await older.text(), /version 2/);
  assert.deepEqual(readdirSync(join(journal.home, ACCESS_FOLDER)), ["lock"]);
  assert.equal((await post(journal.url, good)).status, 201);
  await journal.close();
  assert.deepEqual(windows(journal), [{ count: 1, refused: cases.length, who: ["ci"] }]);
  assert.deepEqual((await fsck(journal)).findings, []);
});

test("checkpoint and tiles are served under Rekor's paths and C2SP's; nothing else of the folder is", async (t) => {
  const maker = new Maker();
  const journal = await served(t, { trust: trustOf({ ci: [{ publicKey: maker.pem }] }) });
  await post(journal.url, maker.entry("one"));
  const get = async (path: string) => {
    const response = await fetch(journal.url + path);
    return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  for (const base of ["", "/api/v2"]) {
    const checkpoint = await get(`${base}/checkpoint`);
    assert.equal(checkpoint.bytes.toString(), readFileSync(join(journal.folder, "checkpoint"), "utf8"));
    const tile = await get(`${base}/tile/0/000.p/2`);
    assert.deepEqual([tile.status, tile.bytes.length], [200, 64]);
    assert.equal((await get(`${base}/tile/entries/000.p/2`)).status, 200);
  }
  assert.equal((await get("/healthz")).bytes.toString(), "ok\n");
  const head = await fetch(`${journal.url}/checkpoint`, { method: "HEAD" });
  assert.deepEqual([head.status, (await head.arrayBuffer()).byteLength], [200, 0]);
  for (const path of [
    "/key",
    "/journal.sqlite",
    "/trusted_root.json",
    "/",
    "/tile/0/000",
    "/envelopes",
    "/api/v2/key",
  ])
    assert.equal((await get(path)).status, 404, path);
  // As they stand on the wire: fetch would tidy them.
  const { port } = new URL(journal.url);
  for (const path of [
    "/../key",
    "/tile/../key",
    "/%2e%2e/key",
    "/tile/0/..%2f..%2fkey",
    "//key",
    "/api/v2/../../key",
  ]) {
    const text = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), "127.0.0.1");
      let got = "";
      socket.on("data", (data) => {
        got += data.toString();
      });
      socket.on("close", () => resolve(got));
      socket.end(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    });
    assert.match(text, /^HTTP\/1\.1 40[04] /, path);
    assert.doesNotMatch(text, /PRIVATE KEY/);
  }
});

test("64 entries at the same time are all logged, each under a proof that holds", async (t) => {
  const maker = new Maker();
  const journal = await served(t, { trust: trustOf({ ci: [{ publicKey: maker.pem }] }) });
  const posts = Array.from({ length: 64 }, (_, i) => post(journal.url, maker.entry(`entry ${i}`)));
  const results = await Promise.all(posts);
  assert.deepEqual([...new Set(results.map(({ status }) => status))], [201]);
  for (const { answer } of results) mustBeProved(journal, answer);
  assert.equal(new Set(results.map(({ answer }) => answer.logIndex)).size, 64);
  await journal.close();
  const report = await fsck(journal);
  assert.deepEqual([report.findings, report.external.length], [[], 64]);
  assert.equal(
    windows(journal).reduce((sum, { count }) => sum + count, 0),
    64,
  );
});

test("a changed trust policy holds at once; a broken or missing one leaves the old one and is said once; an ended one trusts no one", async (t) => {
  const [one, two] = [new Maker(), new Maker()];
  const key = (maker: Maker) => [{ publicKey: maker.pem }];
  let now = new Date("2027-01-01T00:00:00Z");
  const journal = await served(t, { trust: trustOf({ one: key(one) }), now: () => now });
  let count = 0;
  const asks = async (maker: Maker) => {
    count += 1;
    return (await post(journal.url, maker.entry(`entry ${count}`))).status;
  };
  assert.deepEqual([await asks(one), await asks(two)], [201, 403]);
  writeFileSync(journal.trustFile, trustOf({ two: key(two) }, { version: 2 }));
  assert.deepEqual([await asks(one), await asks(two)], [403, 201]);
  assert.match(journal.said.at(-1)!, /version 2 is in force/);
  for (const bad of ["{", trustOf({ one: key(one) })]) {
    writeFileSync(journal.trustFile, bad);
    const before = journal.said.length;
    assert.deepEqual([await asks(one), await asks(two)], [403, 201]);
    assert.equal(journal.said.length, before + 1);
    assert.match(journal.said.at(-1)!, /not taken, version 2 stays in force/);
  }
  now = new Date("2100-01-01T00:00:00Z");
  assert.equal(await asks(two), 403);
});

test("a window is sealed about a second after its first access, without anyone asking", async (t) => {
  const maker = new Maker();
  const journal = await served(t, { trust: trustOf({ ci: [{ publicKey: maker.pem }] }) });
  await post(journal.url, maker.entry("one"));
  const until = Date.now() + 10_000;
  while (windows(journal).length === 0 && Date.now() < until) await sleep(50);
  assert.equal(windows(journal).length, 1);
});

test("a journal is served by one process at a time", async (t) => {
  const trust = trustOf({});
  const journal = await served(t, { trust });
  await assert.rejects(served(t, { trust, home: journal.home }), { code: "WB-STORE-004" });
});

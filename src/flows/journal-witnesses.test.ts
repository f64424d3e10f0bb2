import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openCheckpoint } from "../core/checkpoint.ts";
import { encodeVerifierKey, parseVerifierKey } from "../core/note.ts";
import { openJournal } from "../journal/journal.ts";
import { openReader } from "../journal/open-reader.ts";
import { TestMaker, testStatement } from "../journal/test-maker.test.ts";
import { parseBundle } from "../sign/bundle.ts";
import { generateKeyPair, keyId } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { parseTrustedRoot } from "../sign/trusted-root.ts";
import { verifyBundle } from "../sign/verify-bundle.ts";
import { cosignJournal, witnessNotes } from "./cosign-journal.ts";
import { freshFolder, Maker, post, served, trustOf } from "./journal-serve-scene.test.ts";
import { loggedSigner } from "./logged-signer.ts";
import { serveWitness } from "./witness-serve.ts";
import { parseWitnesses, saveWitnesses, seenSizes } from "./witnesses.ts";

/** A home with a journal of some entries, and its verifier key. */
async function journalHome(
  t: TestContext,
  entries = 1,
): Promise<{ home: string; vkey: string; append(): Promise<void> }> {
  const home = join(freshFolder(t), "home");
  const maker = new TestMaker();
  let count = 0;
  const append = async (): Promise<void> => {
    const journal = await openJournal(home, { create: {} });
    count += 1;
    await journal.append(maker.statement(count));
    await journal.close();
  };
  for (let i = 0; i < entries; i += 1) await append();
  const journal = await openJournal(home, { create: {} });
  const vkey = encodeVerifierKey(journal.origin, journal.reader.key.publicKey, "ed25519");
  await journal.close();
  return { home, vkey, append };
}

async function witness(
  t: TestContext,
  logs: string,
  home = join(freshFolder(t), "witness-home"),
): Promise<{
  home: string;
  said: string[];
  url: string;
  close(): Promise<void>;
  option: string;
  verifierKey: string;
}> {
  const said: string[] = [];
  const options = {
    host: "127.0.0.1",
    port: 0,
    name: undefined,
    say: (line: string) => void said.push(line),
  };
  const { url, verifierKey, close } = await serveWitness({ home, logs, ...options });
  let closed: Promise<void> | undefined;
  const once = (): Promise<void> => {
    closed ??= close();
    return closed;
  };
  t.after(once);
  return { home, said, url, verifierKey, close: once, option: `${url}=${verifierKey}` };
}

function cosigners(note: string, vkey: string, ...witnesses: string[]): string[] {
  const parse = (text: string) => {
    const verifier = parseVerifierKey(text);
    assert.ok(!("problem" in verifier));
    return verifier;
  };
  const log = parse(vkey);
  const opened = openCheckpoint(note, { origin: log.name, log: [log], witnesses: witnesses.map(parse) });
  assert.ok(!("problem" in opened), JSON.stringify(opened));
  return opened.witnesses.map(({ verifier }) => verifier.name);
}

test("our witnesses cosign a journal as it grows; what they have seen is remembered, and a dead one is a note", async (t) => {
  const { home, vkey, append } = await journalHome(t, 3);
  const [one, two] = [await witness(t, vkey), await witness(t, vkey)];
  const named = parseWitnesses(`${one.option},${two.option}`);
  const cosign = async () => {
    const journal = await openJournal(home);
    try {
      return await cosignJournal(home, journal, named, { timeoutMs: 5000 });
    } finally {
      await journal.close();
    }
  };
  const first = await cosign();
  assert.deepEqual(witnessNotes(first.results, 3), []);
  assert.equal(cosigners(first.checkpoint.note, vkey, one.verifierKey, two.verifierKey).length, 2);
  assert.equal(readFileSync(join(home, "journal/checkpoint"), "utf8"), first.checkpoint.note);
  assert.deepEqual([...seenSizes(home).values()], [3, 3]);
  await append();
  await two.close();
  const second = await cosign();
  assert.equal(cosigners(second.checkpoint.note, vkey, one.verifierKey, two.verifierKey).length, 1);
  assert.match(witnessNotes(second.results, 4).join("\n"), /^witness \S+ did not cosign: /);
  // Asked again about the same tree: one line each, not two.
  const third = await cosign();
  assert.equal(cosigners(third.checkpoint.note, vkey, one.verifierKey).length, 1);
  // A memory that was lost, or is nonsense, is only a hint.
  writeFileSync(join(home, "journal/witnesses-seen.json"), "nonsense");
  assert.equal((await cosign()).results[0]!.problem, undefined);
});

test("a journal that was rolled back, or forked, is refused by its witness and said loudly", async (t) => {
  const { home, vkey, append } = await journalHome(t, 2);
  const { option, said, home: witnessHome } = await witness(t, vkey);
  const named = parseWitnesses(option);
  const backup = join(freshFolder(t), "backup");
  cpSync(home, backup, { recursive: true });
  await append();
  await append();
  const cosign = async (at: string) => {
    const journal = await openJournal(at);
    try {
      const { checkpoint, results } = await cosignJournal(at, journal, named);
      return { notes: witnessNotes(results, checkpoint.size), results };
    } finally {
      await journal.close();
    }
  };
  assert.deepEqual((await cosign(home)).notes, []);
  const rolled = await cosign(backup);
  assert.equal(rolled.results[0]!.ahead, true);
  assert.match(rolled.notes[0]!, /^ROLLED BACK OR FORKED: .* larger|contain/);
  const other = new TestMaker();
  const forked = await openJournal(backup);
  await forked.append(other.statement("a"));
  await forked.append(other.statement("b"));
  await forked.close();
  const same = await cosign(backup);
  assert.match(same.notes[0]!, /^ROLLED BACK OR FORKED: /);
  assert.match(said.join("\n"), /LOG FORKED/);
  assert.equal(readdirSync(join(witnessHome, "witness/forks")).length, 1);
  const larger = await openJournal(backup);
  await larger.append(other.statement("c"));
  await larger.close();
  const fork = await cosign(backup);
  assert.equal(fork.results[0]!.line, undefined);
  assert.notDeepEqual(fork.notes, []);
});

test("a witness keeps key, name and state over a restart, knows only its logs, and refuses another name", async (t) => {
  const { home, vkey, append } = await journalHome(t);
  const first = await witness(t, vkey);
  const ask = async (option: string) => {
    const journal = await openJournal(home);
    const { results } = await cosignJournal(home, journal, parseWitnesses(option));
    await journal.close();
    return results[0]!;
  };
  assert.equal((await ask(first.option)).problem, undefined);
  await first.close();
  await append();
  const second = await witness(t, vkey, first.home);
  assert.equal(second.verifierKey, first.verifierKey);
  assert.equal((await ask(second.option)).problem, undefined);
  await second.close();
  const other = encodeVerifierKey("other.example", Buffer.alloc(32, 1), "ed25519");
  const third = await witness(t, other, first.home);
  assert.match((await ask(third.option)).problem!, /404/);
  await third.close();
  const renamed = {
    home: first.home,
    logs: vkey,
    name: "else.example",
    host: "127.0.0.1",
    port: 0,
    say: () => {},
  };
  await assert.rejects(serveWitness(renamed), { code: "WB-INPUT-010" });
  await assert.rejects(serveWitness({ ...renamed, logs: first.verifierKey }), { code: "WB-INPUT-007" });
  await assert.rejects(serveWitness({ ...renamed, logs: "nonsense" }), { code: "WB-INPUT-007" });
});

test("an entry that is posted is answered under a checkpoint that the witness cosigned; without its witness it is answered too", async (t) => {
  const maker = new Maker();
  const { home, vkey } = await journalHome(t);
  const seen = await witness(t, vkey);
  const trust = trustOf({ ci: [{ publicKey: maker.pem }] });
  const journal = await served(t, { home, trust, witnesses: parseWitnesses(seen.option) });
  const results = await Promise.all([0, 1, 2].map((i) => post(journal.url, maker.entry(`${i}`))));
  for (const { status, answer } of results) {
    assert.equal(status, 201);
    const { envelope } = answer.inclusionProof.checkpoint;
    assert.equal(cosigners(envelope, journal.verifierKey, seen.verifierKey).length, 1);
  }
  await seen.close();
  const alone = await post(journal.url, maker.entry("alone"));
  assert.equal(alone.status, 201);
  assert.equal(
    cosigners(alone.answer.inclusionProof.checkpoint.envelope, journal.verifierKey, seen.verifierKey).length,
    0,
  );
  assert.match(journal.said.join("\n"), /did not cosign/);
});

test("what another process publishes is cosigned too, and a witness that hangs holds nobody up for long", async (t) => {
  const { home, vkey, append } = await journalHome(t);
  const seen = await witness(t, vkey);
  const hung = createServer(() => {});
  await new Promise<void>((resolve) => hung.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    hung.closeAllConnections();
    hung.close();
  });
  const { port } = hung.address() as AddressInfo;
  const other = encodeVerifierKey("hung.example", Buffer.alloc(32, 1), "cosignature");
  const maker = new Maker();
  const trust = trustOf({ ci: [{ publicKey: maker.pem }] });
  const witnesses = parseWitnesses(`${seen.option},http://127.0.0.1:${port}=${other}`);
  const journal = await served(t, { home, trust, witnesses });
  const began = performance.now();
  const { status, answer } = await post(journal.url, maker.entry("one"));
  assert.equal(status, 201);
  assert.ok(performance.now() - began < 15_000);
  assert.equal(cosigners(answer.inclusionProof.checkpoint.envelope, vkey, seen.verifierKey).length, 1);
  await append();
  const { size } = openReader(join(home, "journal")).checkpoint();
  const until = Date.now() + 20_000;
  const cosigned = (): boolean => {
    const { note, size: now } = openReader(join(home, "journal")).checkpoint();
    return now >= size && cosigners(note, vkey, seen.verifierKey).length === 1;
  };
  while (!cosigned() && Date.now() < until) await sleep(100);
  assert.ok(cosigned());
});

test("with saved witnesses what is signed carries their cosignature, which proves a time; without them nobody is asked", async (t) => {
  const { home, vkey } = await journalHome(t);
  const seen = await witness(t, vkey);
  const keys = generateKeyPair();
  const notes: string[] = [];
  const key = { name: "k", keyId: keyId(keys.publicKey), ...keys };
  const signer = loggedSigner(keySigner(key), home, undefined, (note) => void notes.push(note));
  const verify = (text: string) => {
    const bundle = parseBundle(text);
    assert.ok(!("problem" in bundle));
    const data = JSON.parse(readFileSync(join(home, "journal/trusted_root.json"), "utf8"));
    const root = parseTrustedRoot(data);
    const verifier = parseVerifierKey(seen.verifierKey);
    assert.ok(!("problem" in root) && !("problem" in verifier));
    const roots = [{ name: "journal", root }];
    const authority = { roots, findKey: () => keys.publicKey, witnesses: [verifier], requireLog: true };
    const established = verifyBundle(bundle, authority);
    assert.ok(!("problem" in established), JSON.stringify(established));
    return established;
  };
  const sign = async (id: string) => (await signer.sign(testStatement(id).toString())).bundle;
  assert.deepEqual(verify(await sign("before")).times, []);
  saveWitnesses(home, parseWitnesses(seen.option));
  const { times, logged } = verify(await sign("after"));
  assert.equal(times[0]!.by, "witness");
  assert.equal(logged[0]!.witnesses.length, 1);
  assert.deepEqual(notes, []);
  await seen.close();
  assert.deepEqual(verify(await sign("alone")).times, []);
  assert.match(notes.join("\n"), /did not cosign/);
  rmSync(join(home, "journal/witnesses.json"));
  assert.ok(!existsSync(join(home, "journal/witnesses.json")));
});

test("what does not name a witness is a mistake of the command line", () => {
  const key = encodeVerifierKey("w.example", Buffer.alloc(32, 1), "cosignature");
  const log = encodeVerifierKey("w.example", Buffer.alloc(32, 1), "ed25519");
  assert.equal(parseWitnesses(`https://w.example/a=${key}`)[0]!.url.pathname, "/a");
  for (const bad of [
    "",
    "x",
    key,
    `ftp://w.example=${key}`,
    `https://w.example=${log}`,
    `https://w.example=${key}x`,
  ])
    assert.throws(() => parseWitnesses(bad), { code: "WB-INPUT-007" }, bad);
  assert.throws(() => parseWitnesses(`https://a.example=${key},https://b.example=${key}`), {
    code: "WB-INPUT-007",
  });
});

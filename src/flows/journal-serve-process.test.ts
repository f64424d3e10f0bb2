import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { needTool } from "../../scripts/toolbox/find.ts";
import { leafHash } from "../core/merkle.ts";
import { AccessLog } from "../journal/access-log.ts";
import { openReader } from "../journal/open-reader.ts";
import { ACCESS_FOLDER } from "./journal-serve.ts";
import {
  freshFolder,
  type LogAnswer,
  Maker,
  post,
  served,
  startWaybill as start,
  trustOf,
  waybill,
} from "./journal-serve-scene.test.ts";

test("kill -9 while entries come in: each that was answered is in the log, each window is there once, fsck is clean", async (t) => {
  const folder = freshFolder(t);
  const home = join(folder, "home");
  const maker = new Maker();
  const trust = join(folder, "trust.yaml");
  writeFileSync(trust, trustOf({ ci: [{ publicKey: maker.pem }] }));
  const answered: LogAnswer[] = [];
  for (let round = 0; round < 4; round += 1) {
    const { child, url, ended } = await start(t, home, ["journal", "serve", "--trust", trust, "--port", "0"]);
    let running = true;
    const client = async (lane: number): Promise<void> => {
      for (let i = 0; running; i += 1) {
        const result = await post(url, maker.entry(`${round} ${lane} ${i}`)).catch(() => undefined);
        if (result?.status === 201) answered.push(result.answer);
      }
    };
    const clients = Promise.all([0, 1, 2, 3].map(client));
    // Past the first window, so that a kill can hit its sealing.
    await sleep(900 + 170 * round);
    child.kill("SIGKILL");
    await ended;
    running = false;
    await clients;
  }
  assert.ok(answered.length > 20, `${answered.length}`);
  // What the last kill left is taken up by the next start.
  const last = await start(t, home, ["journal", "serve", "--trust", trust, "--port", "0"]);
  last.child.kill("SIGINT");
  assert.equal(await last.ended, 0);
  const reader = openReader(join(home, "journal"));
  const { size } = reader.checkpoint();
  for (const { logIndex, canonicalizedBody } of answered) {
    const body = Buffer.from(canonicalizedBody, "base64");
    assert.ok(Number(logIndex) < size);
    assert.deepEqual(Buffer.from(reader.proveInclusion(Number(logIndex)).leaf), Buffer.from(leafHash(body)));
  }
  const fsck = waybill(home, "fsck", "--format", "json");
  assert.equal(fsck.status, 0, fsck.out);
  // Every answered entry has its record in a closed window, and every window is in the log exactly once.
  const logged = new Map<string, number>();
  const shown = JSON.parse(waybill(home, "journal", "show", "--last", "9999", "--format", "json").stdout) as {
    entries: { predicateType?: string; subjects?: { digest: Record<string, string> }[] }[];
  };
  for (const { predicateType, subjects } of shown.entries) {
    if (predicateType !== "urn:waybill:access-window:v1") continue;
    const root = subjects![0]!.digest["waybill-access-v1"]!;
    logged.set(root, (logged.get(root) ?? 0) + 1);
  }
  const names = readdirSync(join(home, ACCESS_FOLDER));
  assert.deepEqual(
    names.filter((name) => !/^[0-9a-f]{64}\.jsonl$|^lock$/.test(name)),
    [],
  );
  const recorded = new Set<string>();
  for (const name of names.filter((each) => each !== "lock")) {
    assert.equal(logged.get(name.slice(0, 64)), 1, name);
    for (const line of readFileSync(join(home, ACCESS_FOLDER, name), "utf8")
      .trimEnd()
      .split("\n"))
      recorded.add((JSON.parse(line) as { record: { object: string } }).record.object);
  }
  assert.equal(logged.size, names.length - 1);
  for (const { canonicalizedBody } of answered) {
    const { spec } = JSON.parse(Buffer.from(canonicalizedBody, "base64").toString()) as {
      spec: { hashedRekordV002: { data: { digest: string } } };
    };
    assert.ok(recorded.has(Buffer.from(spec.hashedRekordV002.data.digest, "base64").toString("hex")));
  }
});

for (const signal of ["SIGINT", "SIGTERM"] as const)
  test(`${signal} ends the service cleanly: what was begun is answered, the window sealed, exit 0`, async (t) => {
    const folder = freshFolder(t);
    const home = join(folder, "home");
    const maker = new Maker();
    const trust = join(folder, "trust.yaml");
    writeFileSync(trust, trustOf({ ci: [{ publicKey: maker.pem }] }));
    const { child, url, ended, out } = await start(t, home, [
      ...["journal", "serve", "--trust", trust, "--port", "0"],
    ]);
    const posts = Array.from({ length: 8 }, (_, i) => post(url, maker.entry(`${i}`)).catch(() => undefined));
    await Promise.race(posts);
    child.kill(signal);
    assert.equal(await ended, 0, out());
    const done = (await Promise.all(posts)).filter((result) => result?.status === 201);
    assert.ok(done.length > 0);
    const fsck = waybill(home, "fsck");
    assert.deepEqual([fsck.status, /came from outside/.test(fsck.out)], [0, true], fsck.out);
    // Nothing is left to be sealed.
    let sealed = 0;
    const count = async (): Promise<void> => {
      sealed += 1;
    };
    const log = await AccessLog.open(join(home, ACCESS_FOLDER), { sign: () => "{}", log: count });
    await log.close();
    assert.equal(sealed, 0);
  });

const fsckTool = needTool("tlog-fsck");
test("the auditor of Tessera accepts what is served, over HTTP", { skip: fsckTool.skip }, async (t) => {
  const maker = new Maker();
  const journal = await served(t, { trust: trustOf({ ci: [{ publicKey: maker.pem }] }) });
  for (let i = 0; i < 3; i += 1)
    await Promise.all(Array.from({ length: 48 }, (_, j) => post(journal.url, maker.entry(`${i} ${j}`))));
  const key = join(journal.home, "log.vkey");
  writeFileSync(key, journal.verifierKey);
  for (const base of ["", "/api/v2"]) {
    const args = ["--storage_url", `${journal.url}${base}/`, "--public_key", key, "--ui=false"];
    const child = spawn(fsckTool.path, args, { stdio: ["ignore", "ignore", "pipe"] });
    let err = "";
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
    });
    const status = await new Promise((resolve) => child.once("close", resolve));
    assert.equal(status, 0, err);
    assert.match(err, /Successfully fsck'd log with size (28[89]|29\d)/);
  }
});

test("usage: a trust policy must be named, and a journal is made where there is none", async (t) => {
  const home = freshFolder(t);
  const none = waybill(home, "journal", "serve");
  assert.deepEqual([none.status, /--trust FILE/.test(none.out)], [2, true], none.out);
  assert.equal(waybill(home, "witness").status, 2);
  assert.equal(waybill(home, "journal", "cosign").status, 2);
});

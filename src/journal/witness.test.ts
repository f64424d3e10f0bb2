import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { encodeCheckpoint, openCheckpoint } from "../core/checkpoint.ts";
import { consistencyPath, EMPTY_ROOT, type Hash, leafHash, merkleRoot } from "../core/merkle.ts";
import {
  ed25519Signer,
  ed25519Verifier,
  type NoteVerifier,
  parseVerifierKey,
  signNote,
} from "../core/note.ts";
import { serve } from "../net/serve.ts";
import { WitnessState } from "../store/witness-state.ts";
import { gatherCosignatures } from "./cosign.ts";
import {
  encodeAddCheckpoint,
  type Misbehaviour,
  makeWitness,
  parseAddCheckpoint,
  type Witness,
} from "./witness.ts";
import { askWitness, MAX_ANSWER } from "./witness-client.ts";

const ORIGIN = "example.com/journal";
const WITNESS = "witness.example/w1";
const newKey = () => generateKeyPairSync("ed25519").privateKey;
const seconds = () => Math.floor(Date.now() / 1000);

/** A log in memory; another `salt` is a fork of it from leaf `from` on. */
class TestLog {
  readonly key: KeyObject;
  readonly leaves: Hash[];
  constructor(key: KeyObject, fork?: { salt: string; from: number }) {
    this.key = key;
    this.leaves = Array.from({ length: 64 }, (_, i) =>
      leafHash(Buffer.from(fork && i >= fork.from ? `${fork.salt} ${i}` : `leaf ${i}`)),
    );
  }
  get verifier(): NoteVerifier {
    return ed25519Verifier(ORIGIN, this.key);
  }
  checkpoint(size: number, root: Hash = merkleRoot(this.leaves.slice(0, size))): string {
    return signNote(encodeCheckpoint({ origin: ORIGIN, size, root }), ed25519Signer(ORIGIN, this.key));
  }
  proof(from: number, to: number): Hash[] {
    return from === 0 ? [] : consistencyPath(this.leaves.slice(0, to), from);
  }
}

interface Scene {
  log: TestLog;
  witness: Witness;
  verifier: NoteVerifier;
  state: WitnessState;
  path: string;
  key: KeyObject;
  bad: Misbehaviour[];
  post(oldSize: number, proof: readonly Hash[], checkpoint: string): Promise<Response>;
}

/** A log and a witness that knows it, on a state of their own. */
async function scene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-witness-"));
  const path = join(folder, "witness.db");
  const state = new WitnessState(path);
  try {
    const log = new TestLog(newKey());
    const key = newKey();
    const bad: Misbehaviour[] = [];
    const witness = makeWitness({
      name: WITNESS,
      privateKey: key,
      log: (origin) => (origin === ORIGIN ? [log.verifier] : undefined),
      state,
      now: seconds,
      onMisbehaviour: (event) => bad.push(event),
      onError: (error) => assert.fail(String(error)),
    });
    const verifier = parseVerifierKey(witness.verifierKey);
    assert.ok(!("problem" in verifier));
    const post = (oldSize: number, proof: readonly Hash[], checkpoint: string) =>
      witness.handle(request(encodeAddCheckpoint(oldSize, proof, checkpoint)));
    await run({ log, witness, verifier, state, path, key, bad, post });
  } finally {
    state.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const request = (body: string | Uint8Array) =>
  new Request("http://w.example/prefix/add-checkpoint", { method: "POST", body: body as string });

async function assertStatus(response: Response, status: number, text?: RegExp): Promise<void> {
  const body = await response.text();
  assert.equal(response.status, status, body);
  if (text !== undefined) assert.match(body, text);
}

async function assertConflict(response: Response, size: number): Promise<void> {
  assert.equal(response.headers.get("content-type"), "text/x.tlog.size");
  await assertStatus(response, 409, new RegExp(`^${size}\n$`));
}

test("a growing log is cosigned step by step, and each cosignature verifies", async () => {
  await scene(async ({ log, verifier, post }) => {
    for (const [from, to] of [
      [0, 1],
      [1, 1],
      [1, 7],
      [7, 8],
      [8, 64],
    ] as const) {
      const checkpoint = log.checkpoint(to);
      const response = await post(from, log.proof(from, to), checkpoint);
      assert.equal(response.status, 200);
      const opened = openCheckpoint(checkpoint + (await response.text()), {
        origin: ORIGIN,
        log: [log.verifier],
        witnesses: [verifier],
      });
      assert.ok(!("problem" in opened));
      assert.ok(Math.abs(opened.witnesses[0]!.time! - seconds()) < 5);
    }
  });
});

test("every status that the specification names", async () => {
  await scene(async ({ log, witness, post, bad, state }) => {
    const fork = new TestLog(log.key, { salt: "fork", from: 3 });
    const stranger = new TestLog(newKey());
    await assertStatus(await post(0, [], log.checkpoint(5)), 200);
    const seen = state.head(ORIGIN);

    await assertConflict(await post(0, [], log.checkpoint(6)), 5);
    await assertConflict(await post(4, log.proof(4, 6), log.checkpoint(6)), 5);
    await assertConflict(await post(6, log.proof(6, 7), log.checkpoint(7)), 5);
    await assertConflict(await post(5, [], fork.checkpoint(5)), 5);
    assert.equal(bad.length, 1, "two trees of one size are evidence against the log");
    await assertStatus(await post(5, fork.proof(5, 8), fork.checkpoint(8)), 422);
    await assertStatus(await post(5, [], log.checkpoint(8)), 422);
    await assertStatus(await post(5, log.proof(5, 8).toReversed(), log.checkpoint(8)), 422);
    await assertStatus(await post(5, log.proof(5, 8), log.checkpoint(5)), 422);
    await assertStatus(await post(9, [], log.checkpoint(8)), 400, /above/);
    await assertStatus(await post(5, log.proof(5, 8), stranger.checkpoint(8)), 403);
    const unsigned = log.checkpoint(8).replace(/— .*\n$/, "");
    await assertStatus(await post(5, log.proof(5, 8), unsigned), 400);
    const other = signNote(
      `example.com/other\n8\n${log.checkpoint(8).split("\n")[2]}\n`,
      ed25519Signer(ORIGIN, log.key),
    );
    await assertStatus(await post(0, [], other), 404);
    const get = await witness.handle(new Request("http://w.example/add-checkpoint"));
    await assertStatus(get, 405);
    await assertStatus(await witness.handle(new Request("http://w.example/", { method: "POST" })), 404);
    await assertStatus(await witness.handle(request(Buffer.alloc(80_000, 10))), 413);
    assert.deepEqual(state.head(ORIGIN), seen, "nothing of this moved the head");
    assert.equal(bad.length, 1);
  });
  await scene(async ({ log, post }) => {
    await assertStatus(await post(0, [log.leaves[0]!], log.checkpoint(5)), 422);
    await assertStatus(await post(0, [], log.checkpoint(0, log.leaves[0]!)), 422);
    await assertStatus(await post(0, [], log.checkpoint(0, EMPTY_ROOT)), 200);
    await assertStatus(await post(0, [], log.checkpoint(5)), 200);
  });
});

test("requests that are malformed in any way are 400", async () => {
  await scene(async ({ log, witness }) => {
    const checkpoint = log.checkpoint(5);
    const hash = Buffer.from(log.leaves[0]!).toString("base64");
    for (const body of [
      "",
      "old 0",
      `old 0\n${checkpoint}`,
      `old  0\n\n${checkpoint}`,
      `Old 0\n\n${checkpoint}`,
      `old 00\n\n${checkpoint}`,
      `old -1\n\n${checkpoint}`,
      `old\n\n${checkpoint}`,
      `old 0\r\n\r\n${checkpoint}`,
      `old 0\n${hash.slice(4)}\n\n${checkpoint}`,
      `old 0\n${hash.slice(0, -1)}\n\n${checkpoint}`,
      `old 0\n${`${hash}\n`.repeat(64)}\n${checkpoint}`,
      `old 0\n\n${checkpoint.trimEnd()}`,
      `old 0\n\n${checkpoint.replace("\n5\n", "\n05\n")}`,
      Buffer.concat([Buffer.from(`old 0\n\n${checkpoint}`), Buffer.from([0xff])]),
    ])
      await assertStatus(await witness.handle(request(body)), 400);
    const longest = `old 0\n${`${hash}\n`.repeat(63)}\n${checkpoint}`;
    await assertStatus(await witness.handle(request(longest)), 422);
  });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 4 }), (noise, cut) => {
      const body = Buffer.concat([Buffer.from("old 5\n\na\n".slice(0, 4 + cut)), noise]);
      const parsed = parseAddCheckpoint(body);
      assert.ok("problem" in parsed || parsed.note.signatures.length > 0);
    }),
  );
});

test("two witness processes on one state never cosign two trees of one size", {
  timeout: 60_000,
}, async () => {
  await scene(async ({ path, state }) => {
    const origins = 40;
    const winners = await Promise.all(
      ["a", "b", "c"].map((name) => run(RACE, { path, name, origins: String(origins) })),
    );
    const won = winners.flatMap((output) => output.trim().split("\n").filter(Boolean));
    assert.equal(won.length, origins);
    assert.equal(new Set(won.map((line) => line.split(" ")[0])).size, origins);
    for (const line of won) {
      const [origin, root] = line.split(" ") as [string, string];
      assert.deepEqual(state.head(origin), { size: 1, root });
    }
  });
});

test("a witness that is killed at any moment remembers all that it cosigned", {
  timeout: 60_000,
}, async () => {
  await scene(async ({ path, state }) => {
    let [before, signed] = [0, 0];
    for (let round = 0; round < 5; round += 1) {
      const output = await run(GROW, { path, name: "x", killAfter: String(150 + round * 37) });
      const complete = output
        .slice(0, output.lastIndexOf("\n") + 1)
        .trim()
        .split("\n")
        .filter(Boolean);
      signed = Math.max(signed, ...complete.map(Number));
      const { size } = state.head("grow");
      assert.ok(size >= signed && size >= before, `${size} after ${signed}`);
      before = size;
    }
    assert.ok(signed > 0);
  });
});

const COMMON = `
import { createHash, generateKeyPairSync } from "node:crypto";
import { writeSync } from "node:fs";
import { encodeCheckpoint } from "${import.meta.resolve("../core/checkpoint.ts")}";
import { leafHash, merkleRoot, consistencyPath } from "${import.meta.resolve("../core/merkle.ts")}";
import { ed25519Signer, ed25519Verifier, signNote } from "${import.meta.resolve("../core/note.ts")}";
import { WitnessState } from "${import.meta.resolve("../store/witness-state.ts")}";
import { encodeAddCheckpoint, makeWitness } from "${import.meta.resolve("./witness.ts")}";
const { path, name, origins } = process.env;
const key = generateKeyPairSync("ed25519").privateKey;
const state = new WitnessState(path);
const witness = makeWitness({ name: "w", privateKey: key, log: (o) => [ed25519Verifier(o, key)], state, now: () => 7 });
const ask = (origin, old, size, root, proof) => witness.handle(new Request("http://w/add-checkpoint", { method: "POST",
  body: encodeAddCheckpoint(old, proof, signNote(encodeCheckpoint({ origin, size, root }), ed25519Signer(origin, key))) }));
`;
const RACE = `${COMMON}
for (let i = 0; i < Number(origins); i += 1) {
  const root = leafHash(Buffer.from(name));
  const { status } = await ask("o" + i, 0, 1, root, []);
  if (status === 200) writeSync(1, "o" + i + " " + root.toString("hex") + "\\n");
}
`;
const GROW = `${COMMON}
const leaves = [];
for (let i = 0; i < 100000; i += 1) leaves.push(leafHash(Buffer.from(String(i))));
for (let { size } = state.head("grow"); ; size += 1) {
  const proof = size === 0 ? [] : consistencyPath(leaves.slice(0, size + 1), size);
  const { status } = await ask("grow", size, size + 1, merkleRoot(leaves.slice(0, size + 1)), proof);
  if (status !== 200) throw new Error(String(status));
  writeSync(1, size + 1 + "\\n");
}
`;

/** Runs a program to its end, or kills it so many milliseconds after its first words; gives what it said. */
function run(code: string, env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (data) => {
      if (output === "" && env.killAfter) setTimeout(() => child.kill("SIGKILL"), Number(env.killAfter));
      output += data;
    });
    child.on("error", reject);
    child.on("close", (status, signal) =>
      status === 0 || signal === "SIGKILL" ? resolve(output) : reject(new Error(`status ${status}`)),
    );
  });
}

test("over real HTTP: witnesses far behind, new and down, and the checkpoint carries their lines", async () => {
  await scene(async ({ log, witness, verifier }) => {
    await scene(async (second) => {
      const other = makeWitness({
        name: "witness.example/w2",
        privateKey: second.key,
        log: () => [log.verifier],
        state: second.state,
        now: seconds,
      });
      const otherVerifier = parseVerifierKey(other.verifierKey);
      assert.ok(!("problem" in otherVerifier));
      const servers = await Promise.all([
        serve(witness.handle),
        serve(other.handle),
        serve(() => new Response()),
      ]);
      const [url, otherUrl, downUrl] = servers.map((server) => new URL(`${server.url}/submit/`)) as [
        URL,
        URL,
        URL,
      ];
      await servers[2].close();
      try {
        const first = { url, verifier, oldSize: 0, proof: [], checkpoint: log.checkpoint(9) };
        assert.equal((await askWitness(first)).outcome, "cosigned");
        assert.deepEqual(await askWitness({ ...first, checkpoint: log.checkpoint(20) }), {
          outcome: "conflict",
          size: 9,
        });
        const asked: number[] = [];
        const { checkpoint, results } = await gatherCosignatures({
          checkpoint: log.checkpoint(20),
          size: 20,
          witnesses: [
            { url, verifier },
            { url: otherUrl, verifier: otherVerifier, seen: 4 },
            { url: downUrl, verifier: { ...verifier, name: "down.example" } },
          ],
          prove: async (oldSize) => {
            asked.push(oldSize);
            return log.proof(oldSize, 20);
          },
        });
        assert.deepEqual(asked.toSorted(), [4, 9]);
        assert.deepEqual(
          results.map(({ seen }) => seen),
          [20, 20, undefined],
        );
        assert.match(results[2]!.problem!, /ECONNREFUSED/);
        const witnesses = [verifier, otherVerifier];
        const opened = openCheckpoint(checkpoint, { origin: ORIGIN, log: [log.verifier], witnesses });
        assert.ok(!("problem" in opened));
        assert.deepEqual(
          opened.witnesses.map((each) => each.verifier),
          witnesses,
        );

        const fork = new TestLog(log.key, { salt: "fork", from: 2 });
        const ask = (size: number, from: TestLog) =>
          gatherCosignatures({
            checkpoint: from.checkpoint(size),
            size,
            witnesses: [{ url, verifier, seen: 20 }],
            prove: async (oldSize) => from.proof(oldSize, size),
          });
        assert.match((await ask(20, fork)).results[0]!.problem!, /another tree of 20/);
        assert.match((await ask(30, fork)).results[0]!.problem!, /422/);
        const behind = (await ask(12, log)).results[0]!;
        assert.deepEqual([behind.ahead, behind.seen, behind.line], [true, 20, undefined]);
      } finally {
        await Promise.all(servers.slice(0, 2).map((server) => server.close()));
      }
    });
  });
});

test("answers of a hostile witness are refused, and waited for only so long", async () => {
  await scene(async ({ log, verifier, key, post }) => {
    const checkpoint = log.checkpoint(5);
    const line = await (await post(0, [], checkpoint)).text();
    const elsewhere = await (await post(5, log.proof(5, 6), log.checkpoint(6))).text();
    const stale = makeWitness({
      name: WITNESS,
      privateKey: key,
      log: () => [log.verifier],
      state: { head: () => ({ size: 0, root: "" }), advance: () => true } as never,
      now: () => seconds() - 3600,
    });
    const old = await (await stale.handle(request(encodeAddCheckpoint(0, [], checkpoint)))).text();
    const ask = (answer: () => Response | Promise<Response>, timeoutMs = 2000) =>
      askWitness(
        { url: new URL("https://w.example/"), verifier, oldSize: 0, proof: [], checkpoint },
        { fetch: async (_url, init) => raceAbort(answer(), init!.signal!), timeoutMs },
      );
    assert.deepEqual((await ask(() => new Response(line))).outcome, "cosigned");
    const others = `— other.example ${line.split(" ")[2]}`;
    assert.deepEqual(await ask(() => new Response(others + line)), await ask(() => new Response(line)));
    const size = (text: string, type = "text/x.tlog.size") =>
      new Response(text, { status: 409, headers: { "content-type": type } });
    const cases: [() => Response, RegExp][] = [
      [() => new Response(""), /no trusted key|newline/],
      [() => new Response(others), /no trusted key/],
      [() => new Response(elsewhere), /invalid/],
      [() => new Response(old), /time/],
      [() => new Response(line + line), /twice/],
      [() => new Response(line.trimEnd()), /newline/],
      [() => new Response(`<html>\n`), /something else/],
      [() => new Response(line.repeat(MAX_ANSWER)), /more than/],
      [() => new Response("", { status: 302, headers: { location: "https://evil.example/" } }), /302/],
      [() => new Response(`a\u001b[31m`, { status: 500 }), /^status 500 [ -~]*$/],
      [() => size("5"), /size/],
      [() => size("05\n"), /size/],
      [() => size("-5\n"), /size/],
      [() => size("5\n", "text/plain"), /size/],
    ];
    for (const [answer, why] of cases) {
      const result = await ask(answer);
      assert.equal(result.outcome, "refused");
      assert.match((result as { problem: string }).problem, why);
    }
    const never = await ask(() => new Promise<Response>(() => {}), 50);
    assert.equal(never.outcome, "unreachable");
    const endless = await ask(() => new Response(new ReadableStream({ pull() {} })), 50);
    assert.equal(endless.outcome, "unreachable");
    const plain = { url: new URL("http://w.example/"), verifier, oldSize: 0, proof: [], checkpoint };
    await assert.rejects(askWitness(plain), { code: "WB-NET-006" });
  });
});

/** As fetch does: an aborted signal rejects the answer, and ends its body. */
async function raceAbort(answer: Response | Promise<Response>, signal: AbortSignal): Promise<Response> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  aborted.catch(() => {});
  const response = await Promise.race([answer, aborted]);
  if (response.body === null) return response;
  const through = new TransformStream();
  response.body.pipeTo(through.writable, { signal }).catch(() => {});
  return new Response(through.readable as never, response);
}

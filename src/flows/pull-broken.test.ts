import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { MemoryRegistry } from "../../scripts/toolbox/memory-registry.ts";
import { sha256 } from "../core/digest.ts";
import { openImage } from "./open-image.ts";
import { pushRelease } from "./push.ts";
import { access, agent, listing, pull, root, start, trust } from "./release-scene.test.ts";

// A pull that is killed, that has no room, that nobody may have, and two at once.

const BIN = join(import.meta.dirname, "../../bin/waybill.js");
const home = join(root, "cli-home");

async function pushed(tag: string): Promise<{ registry: MemoryRegistry; folder: string; reference: string }> {
  const registry = await start();
  const folder = await agent();
  const reference = `${registry.host}/team/hello:${tag}`;
  await pushRelease(folder, openImage(reference, access));
  registry.log.length = 0;
  return { registry, folder, reference };
}

function pulling(reference: string, dir: string, more: { cwd?: string } = {}): ChildProcess {
  return spawn(
    process.execPath,
    [BIN, "pull", reference, "--dir", dir, "--trust", trust, "--plain-http", "127.0.0.1"],
    { ...more, stdio: "ignore", env: { PATH: process.env.PATH, WAYBILL_HOME: home, HOME: root } },
  );
}

/** Sends the large file slowly, so that there is a middle; notes from where it was asked for. */
function slowly(registry: MemoryRegistry, large: string, froms: number[]) {
  return (request: IncomingMessage, response: ServerResponse) => {
    if (!request.url!.endsWith(large)) return false;
    const bytes = registry.blobs.get(large)!;
    const from = Number(/\d+/.exec(request.headers.range ?? "0")![0]);
    froms.push(from);
    response.writeHead(from === 0 ? 200 : 206, {
      "content-length": String(bytes.length - from),
      "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    });
    let at = from;
    const timer = setInterval(() => {
      if (at >= bytes.length) {
        clearInterval(timer);
        response.end();
      } else response.write(bytes.subarray(at, at + 60_000));
      at += 60_000;
    }, 10);
    response.on("close", () => clearInterval(timer));
    return true;
  };
}

test("a pull that is killed at any moment goes on there, and nothing is ever half placed", {
  timeout: 120_000,
}, async () => {
  const { registry, folder, reference } = await pushed("1");
  const large = `sha256:${sha256(readFileSync(join(folder, "data", "large.bin")))}`;
  const froms: number[] = [];
  registry.before = slowly(registry, large, froms);
  const dir = join(root, "killed");
  for (let kills = 0; kills < 4; kills += 1) {
    const asked = froms.length;
    const child = pulling(reference, dir);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    while (froms.length === asked && child.exitCode === null) await wait(5);
    await wait(40 + Math.random() * 120);
    child.kill("SIGKILL");
    await gone;
    assert.equal(existsSync(dir), false);
  }
  assert.ok(froms.slice(1).every((from, i) => from >= froms[i]!) && froms.at(-1)! > 0, froms.join());
  registry.before = undefined;
  assert.equal((await pull(reference, dir)).placed, true);
  assert.deepEqual(listing(dir), listing(folder));
  assert.equal(existsSync(`${dir}.waybill-pull`), false);
});

const tmpfs = ["-rm", "sh", "-c"];
const noRoom = (() => {
  if (process.platform !== "linux") return "needs Linux";
  try {
    execFileSync("unshare", [...tmpfs, `mount -t tmpfs -o size=64k none ${root}`], { stdio: "ignore" });
    return false;
  } catch {
    return "a small file system cannot be mounted here";
  }
})();

test("a disk that is full is told, and what was fetched is kept", {
  skip: noRoom,
  timeout: 60_000,
}, async () => {
  const { folder, reference } = await pushed("2");
  const place = join(root, "small");
  mkdirSync(place);
  // Room for a third of it at first; what was kept then goes on in a larger place.
  const command = `mount -t tmpfs -o size=1m none "$0" && cd "$0" && "$@"; code=$?; ls -l x.waybill-pull/blobs; mount -o remount,size=64m "$0" && "$@"; echo first $code then $?; cat x/data/large.bin | wc -c`;
  const words = [BIN, "pull", reference, "--dir", "x", "--trust", trust, "--plain-http", "127.0.0.1"];
  const child = spawn("unshare", [...tmpfs, command, place, process.execPath, ...words], {
    env: { PATH: process.env.PATH, WAYBILL_HOME: home, HOME: root },
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      said += chunk;
    });
  await new Promise((resolve) => child.once("exit", resolve));
  assert.match(said, /WB-STORE-002/);
  assert.match(said, /\.part\n/);
  assert.match(said, /first 4 then 0/);
  assert.match(said, new RegExp(`^\\s*${statSync(join(folder, "data", "large.bin")).size}$`, "m"));
});

test("a release that nobody trusted has signed costs nothing", async () => {
  const { registry, reference } = await pushed("3");
  const signatures = [...registry.manifests].filter(([, { bytes }]) => JSON.parse(bytes.toString()).subject);
  for (const [name] of signatures) registry.manifests.delete(name);
  const dir = join(root, "untrusted");
  const pulled = await pull(reference, dir);
  assert.deepEqual([pulled.placed, pulled.bytes], [false, 0]);
  assert.equal(pulled.judgement.verdict.outcome, "deny");
  assert.ok(pulled.judgement.verdict.blocking.some(({ code }) => code.startsWith("WB-SIGN-")));
  const unanswered = pulled.judgement.verdict.notEvaluated.find(
    ({ coverage }) => coverage === "nothing fetched",
  );
  assert.ok(unanswered, "nothing is said of bytes that nobody has seen");
  const blobs = registry.log.filter((line) => line.includes("/blobs/"));
  assert.equal(blobs.length, 2, `the lock and waybill.yaml alone: ${blobs.join()}`);
  assert.deepEqual(
    readdirSync(root).filter((name) => name.startsWith("untrusted")),
    [],
  );
  // Signed again, it is fetched.
  for (const [name, stored] of signatures) registry.manifests.set(name, stored);
  assert.equal((await pull(reference, dir)).placed, true);
});

test("two pulls to one place do not mix", async () => {
  const { registry, folder, reference } = await pushed("4");
  const large = `sha256:${sha256(readFileSync(join(folder, "data", "large.bin")))}`;
  registry.before = slowly(registry, large, []);
  const dir = join(root, "twice");
  const ends = await Promise.allSettled([pull(reference, dir), pull(reference, dir)]);
  const failed = ends.filter((end) => end.status === "rejected");
  assert.equal(failed.length, 1);
  assert.ok(["WB-STORE-004", "WB-INPUT-010"].includes(failed[0]!.reason.code), String(failed[0]!.reason));
  assert.deepEqual(listing(dir), listing(folder));
});

test("what others may write to is not worked in", async () => {
  const { reference } = await pushed("5");
  const dir = join(root, "shared");
  mkdirSync(`${dir}.waybill-pull`);
  chmodSync(`${dir}.waybill-pull`, 0o777);
  await assert.rejects(pull(reference, dir), { code: "WB-STORE-001", message: /not yours alone/ });
  rmSync(`${dir}.waybill-pull`, { recursive: true });
  writeFileSync(`${dir}.waybill-pull`, "");
  await assert.rejects(pull(reference, dir), { code: "WB-STORE-001" });
});

test("four blobs are fetched at a time, and none is begun after one has failed", async () => {
  const { registry, reference } = await pushed("6");
  let [now, most] = [0, 0];
  registry.before = (request, response) => {
    if (request.method !== "GET" || !request.url!.includes("/blobs/")) return false;
    now += 1;
    most = Math.max(most, now);
    response.on("close", () => {
      now -= 1;
    });
    setTimeout(() => {
      const blob = registry.blobs.get(request.url!.slice(request.url!.indexOf("sha256:")))!;
      response.writeHead(200, { "content-length": String(blob.length) });
      response.end(blob);
    }, 30);
    return true;
  };
  assert.equal((await pull(reference, join(root, "many-1"))).placed, true);
  assert.ok(most > 1 && most <= 4, `${most} at a time`);

  const layers: string[] = [];
  registry.before = (request, response) => {
    const digest = request.url!.slice(request.url!.indexOf("sha256:"));
    // The lock, waybill.yaml and the signature are read; of the contents the first ones asked for are missing.
    if (!request.url!.includes("/blobs/") || /^\s*[{]/.test(registry.blobs.get(digest)!.toString()))
      return false;
    layers.push(digest);
    response.writeHead(404).end();
    return true;
  };
  await assert.rejects(pull(reference, join(root, "many-2")), { code: "WB-NET-002" });
  assert.ok(layers.length <= 4, `${layers.length} were asked for`);
});

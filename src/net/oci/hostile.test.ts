import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { after, test } from "node:test";
import { type MemoryRegistry, memoryRegistry } from "../../../scripts/toolbox/memory-registry.ts";
import { sha256 } from "../../core/digest.ts";
import { HttpClient } from "../http.ts";
import type { Credentials } from "./credentials.ts";
import { downloadBlob, readBlob } from "./download.ts";
import { RegistryRepository } from "./registry.ts";
import { bytesSource, uploadBlob } from "./upload.ts";

// Registries that lie, stall, and lead elsewhere.

const running: MemoryRegistry[] = [];
after(() => {
  for (const registry of running) registry.stop();
});

async function start(before?: MemoryRegistry["before"]): Promise<MemoryRegistry> {
  const registry = await memoryRegistry();
  registry.before = before;
  running.push(registry);
  return registry;
}

const quick = { pace: { windowMs: 150, minBytes: 1000 }, headersMs: 500, attempts: 2 };
const clock = { now: () => Date.now(), sleep: async () => {} };
const PASSWORD: Credentials = { kind: "password", user: "ann", password: "tulip" };

function open(
  registry: MemoryRegistry,
  more: { credentials?: Credentials; mirrors?: URL[]; realms?: string[] } = {},
) {
  return new RegistryRepository({
    http: new HttpClient({ ...quick, clock }),
    registry: registry.host,
    repository: "a/b",
    ...(more.credentials ? { credentials: async () => more.credentials } : {}),
    ...(more.mirrors ? { mirrors: more.mirrors } : {}),
    ...(more.realms ? { realms: new Set(more.realms) } : {}),
  });
}

const JSON_TYPE = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
const send = (
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: string | Buffer = "",
) => {
  response.writeHead(status, headers);
  response.end(body);
  return true;
};
const rejects = (promise: Promise<unknown>, code: string, message?: RegExp) =>
  assert.rejects(promise, { code, ...(message ? { message } : {}) });

test("a manifest with another digest than was asked for, or than the header says", async () => {
  const registry = await start((_, response) => send(response, 200, JSON_TYPE, "{}"));
  await rejects(open(registry).manifest(`sha256:${"0".repeat(64)}`), "WB-NET-005");
  assert.equal((await open(registry).manifest("v1"))?.digest, sha256("{}"));
  registry.before = (_, response) =>
    send(response, 200, { ...JSON_TYPE, "docker-content-digest": `sha256:${"0".repeat(64)}` }, "{}");
  await rejects(open(registry).manifest("v1"), "WB-NET-005");
});

test("a manifest that is too large, announced or not", async () => {
  const registry = await start((_, response) => send(response, 200, JSON_TYPE, Buffer.alloc(5 << 20, 32)));
  await rejects(open(registry).manifest("v1"), "WB-NET-004");
  registry.before = (_, response) => {
    response.writeHead(200, JSON_TYPE);
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, 32)));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
    return true;
  };
  await rejects(open(registry).manifest("v1"), "WB-NET-004");
});

test("a web page instead of JSON", async () => {
  const html = { "content-type": "text/html; charset=utf-8" };
  const registry = await start((_, response) => send(response, 200, html, "<html>log in</html>"));
  await rejects(open(registry).manifest("v1"), "WB-NET-002", /text\/html/);
  await rejects(open(registry).referrersPages("0".repeat(64)), "WB-NET-002");
  registry.before = (_, response) => send(response, 418, html, "<html>\u001b[31mlog in</html>");
  await rejects(open(registry).manifest("v1"), "WB-NET-002", /418 \(a web page\)/);
  registry.before = (_, response) =>
    send(response, 400, { "content-type": "text/plain" }, `\u001b[31m${"x".repeat(9999)}`);
  await assert.rejects(open(registry).manifest("v1"), (error: Error) => {
    assert.ok(error.message.length < 400 && !error.message.includes("\u001b"), error.message);
    return true;
  });
});

test("a server that stalls, and one that trickles", async () => {
  const registry = await start(() => true);
  await rejects(open(registry).manifest("v1"), "WB-NET-001", /no answer/);
  registry.before = (_, response) => {
    response.writeHead(200, JSON_TYPE);
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
    return true;
  };
  await rejects(open(registry).manifest("v1"), "WB-NET-001", /slowly/);
});

test("credentials do not follow a redirect to another host, and https is never left", async () => {
  let seen: string | undefined = "nothing";
  const elsewhere = await start((request, response) => {
    seen = request.headers.authorization;
    return send(response, 200, {}, "blob");
  });
  const registry = await start((request, response) => {
    if (!request.headers.authorization) return send(response, 401, { "www-authenticate": 'Basic realm="r"' });
    return send(response, 307, { location: `http://${elsewhere.host}/blob` });
  });
  const blob = { digest: sha256("blob"), size: 4 };
  assert.equal((await readBlob(open(registry, { credentials: PASSWORD }), blob, 10)).toString(), "blob");
  assert.equal(seen, undefined);
  const http = new HttpClient({
    transport: async () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1:1/" } }),
  });
  await rejects(http.request({ method: "GET", url: new URL("https://registry.example/v2/") }), "WB-NET-006");
  const loop = await start((_, response) => send(response, 302, { location: "/again" }));
  await rejects(open(loop).manifest("v1"), "WB-NET-002", /more than 5/);
  const far = await start((_, response) => send(response, 302, { location: "http://registry.example/" }));
  await rejects(open(far).manifest("v1"), "WB-NET-006");
});

test("a blob upload is not carried to another host", async () => {
  const elsewhere = await start();
  const registry = await start((request, response) =>
    request.method === "POST" ? send(response, 307, { location: `http://${elsewhere.host}/x` }) : false,
  );
  await rejects(uploadBlob(open(registry), bytesSource(Buffer.from("x"))), "WB-NET-002");
  assert.deepEqual(elsewhere.log, []);
});

test("a token service elsewhere sees no password, unless it was named", async () => {
  const challenge = (realm: string) => (request: IncomingMessage, response: ServerResponse) =>
    request.url === "/token"
      ? send(response, 200, {}, '{"token":"t"}')
      : send(response, 401, { "www-authenticate": `Bearer realm="${realm}",service="s"` });
  const registry = await start(challenge("https://tokens.example/token"));
  await rejects(open(registry, { credentials: PASSWORD }).manifest("v1"), "WB-NET-006", /tokens\.example/);
  registry.before = challenge("http://tokens.example/token");
  await rejects(open(registry).manifest("v1"), "WB-NET-006");
  registry.before = challenge("not a url");
  await rejects(open(registry).manifest("v1"), "WB-NET-002");
  registry.before = (_, response) => send(response, 401, {});
  await rejects(open(registry).manifest("v1"), "WB-NET-003");
});

test("a busy registry is asked again, as it wishes", async () => {
  let asked = 0;
  const waits: number[] = [];
  const registry = await start((_, response) => {
    asked += 1;
    return asked < 3 ? send(response, 429, { "retry-after": "7" }) : send(response, 200, JSON_TYPE, "{}");
  });
  const http = new HttpClient({ clock: { now: () => 0, sleep: async (ms) => void waits.push(ms) } });
  const repository = new RegistryRepository({ http, registry: registry.host, repository: "a/b" });
  assert.ok(await repository.manifest("v1"));
  assert.deepEqual([asked, waits], [3, [7000, 7000]]);
  asked = -99;
  registry.before = (_, response) => send(response, 503, { "retry-after": "86400" });
  await rejects(repository.manifest("v1"), "WB-NET-001");
  assert.equal(waits.length, 2, "nobody waits a day");
});

const large = Buffer.alloc(300_000, "0123456789");

/** A sink in memory that had some bytes before. */
function sink(kept: Buffer) {
  const state = { bytes: kept, restarts: 0 };
  return {
    state,
    have: kept.length,
    hash: createHash("sha256").update(kept),
    write: (chunk: Uint8Array) => {
      state.bytes = Buffer.concat([state.bytes, chunk]);
    },
    restart: () => {
      state.bytes = Buffer.alloc(0);
      state.restarts += 1;
    },
  };
}

test("a blob goes on where it stopped, also where Range is ignored, and other bytes are thrown away", async () => {
  const registry = await start();
  const blob = { digest: sha256(large), size: large.length };
  registry.blobs.set(`sha256:${blob.digest}`, large);
  const ranged = sink(large.subarray(0, 100_000));
  await downloadBlob(open(registry), blob, ranged);
  assert.ok(ranged.state.bytes.equals(large));
  registry.before = (request) => {
    delete request.headers.range;
    return false;
  };
  const ignored = sink(large.subarray(0, 100_001));
  await downloadBlob(open(registry), blob, ignored);
  assert.ok(ignored.state.bytes.equals(large) && ignored.state.restarts === 0);
  const rotten = sink(Buffer.alloc(5000, "x"));
  await downloadBlob(open(registry), blob, rotten);
  assert.ok(rotten.state.bytes.equals(large) && rotten.state.restarts === 1);
});

test("a connection that breaks off in the middle is taken up again", async () => {
  const registry = await start();
  const blob = { digest: sha256(large), size: large.length };
  registry.blobs.set(`sha256:${blob.digest}`, large);
  let breaks = 0;
  registry.before = (request, response) => {
    if (breaks >= 3) return false;
    breaks += 1;
    const from = Number(/\d+/.exec(request.headers.range ?? "0")![0]);
    response.writeHead(from === 0 ? 200 : 206, {
      "content-length": String(large.length - from),
      "content-range": `bytes ${from}-${large.length - 1}/${large.length}`,
    });
    response.write(large.subarray(from, from + 50_000), () => response.destroy());
    return true;
  };
  const all = sink(Buffer.alloc(0));
  await downloadBlob(open(registry), blob, all);
  assert.ok(all.state.bytes.equals(large));
});

test("a blob of other bytes, too long, too short, or another part", async () => {
  const registry = await start();
  const blob = { digest: sha256(large), size: large.length };
  const serve = (bytes: Buffer, status = 200, headers = {}) => {
    registry.before = (_, response) => send(response, status, headers, bytes);
  };
  serve(Buffer.alloc(large.length, "x"));
  await rejects(downloadBlob(open(registry), blob, sink(Buffer.alloc(0))), "WB-NET-005");
  serve(Buffer.concat([large, large]));
  await rejects(downloadBlob(open(registry), blob, sink(Buffer.alloc(0))), "WB-NET-004");
  serve(large.subarray(0, 10));
  await rejects(downloadBlob(open(registry), blob, sink(Buffer.alloc(0))), "WB-NET-005");
  serve(large, 206, { "content-range": `bytes 5-299999/300000` });
  await rejects(downloadBlob(open(registry), blob, sink(large.subarray(0, 9))), "WB-NET-002");
  await rejects(readBlob(open(registry), blob, 1000), "WB-NET-004");
});

test("a mirror that lies is passed over, and is never asked what a tag means", async () => {
  const mirror = await start((_, response) =>
    send(response, 200, JSON_TYPE, "lies, of the right length!".padEnd(2)),
  );
  const registry = await start();
  const bytes = Buffer.from('{"schemaVersion":2}');
  for (const name of ["v1", `sha256:${sha256(bytes)}`])
    registry.manifests.set(`a/b/${name}`, { bytes, type: "application/json" });
  registry.blobs.set(`sha256:${sha256(bytes)}`, bytes);
  const mirrored = open(registry, { mirrors: [new URL(`http://${mirror.host}`)] });
  assert.deepEqual((await mirrored.manifest("v1"))?.bytes, bytes);
  assert.deepEqual(mirror.log, []);
  assert.deepEqual((await mirrored.manifest(`sha256:${sha256(bytes)}`))?.bytes, bytes);
  assert.deepEqual(await readBlob(mirrored, { digest: sha256(bytes), size: bytes.length }, 100), bytes);
  mirror.before = undefined;
  mirror.blobs.set(`sha256:${sha256(bytes)}`, bytes);
  registry.blobs.clear();
  assert.deepEqual(await readBlob(mirrored, { digest: sha256(bytes), size: bytes.length }, 100), bytes);
});

test("a list of referrers without end, or that goes on elsewhere", async () => {
  const index = { "content-type": "application/vnd.oci.image.index.v1+json" };
  const empty = '{"schemaVersion":2,"manifests":[]}';
  const registry = await start((request, response) =>
    send(response, 200, { ...index, link: `<${request.url}>; rel="next"` }, empty),
  );
  await rejects(open(registry).referrersPages("0".repeat(64)), "WB-NET-004");
  registry.before = (_, response) =>
    send(response, 200, { ...index, link: '<https://evil.example/>; rel="next"' }, empty);
  await rejects(open(registry).referrersPages("0".repeat(64)), "WB-NET-002");
});

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type MemoryRegistry, memoryRegistry } from "../../../scripts/toolbox/memory-registry.ts";
import { sha256 } from "../../core/digest.ts";
import { HttpClient } from "../http.ts";
import { type Credentials, findCredentials } from "./credentials.ts";
import { readBlob } from "./download.ts";
import { parseReference } from "./reference.ts";
import { RegistryRepository } from "./registry.ts";

// Registries that are after passwords, or cannot keep them to themselves; and answers that are not what they say.

const folder = mkdtempSync(join(tmpdir(), "waybill-hostile-auth-"));
const running: MemoryRegistry[] = [];
after(() => {
  for (const registry of running) registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

const clock = { now: () => Date.now(), sleep: async () => {} };
const PASSWORD: Credentials = { kind: "password", user: "ann", password: "tulip-42" };

async function start(before?: MemoryRegistry["before"]): Promise<MemoryRegistry> {
  const registry = await memoryRegistry();
  registry.before = before;
  running.push(registry);
  return registry;
}

const open = (registry: { host: string }, credentials?: Credentials, mirrors: URL[] = []) =>
  new RegistryRepository({
    http: new HttpClient({ clock, attempts: 2 }),
    registry: registry.host,
    repository: "a/b",
    mirrors,
    ...(credentials ? { credentials: async () => credentials } : {}),
  });

const send = (response: ServerResponse, status: number, headers: Record<string, string>, body = "") => {
  response.writeHead(status, headers);
  response.end(body);
  return true;
};

async function errorOf(job: Promise<unknown>): Promise<Error & { code: string }> {
  try {
    await job;
  } catch (error) {
    return error as Error & { code: string };
  }
  return assert.fail("it was accepted");
}

test("no secret that was sent comes back in a message, whatever the server says", async () => {
  const blob = { digest: sha256("x"), size: 1 };
  const basic = `Basic ${Buffer.from("ann:tulip-42").toString("base64")}`;
  const echo = await start((request, response) => {
    const { authorization } = request.headers;
    if (authorization === undefined) return send(response, 401, { "www-authenticate": 'Basic realm="r"' });
    const said = `${authorization} ann:tulip-42 tulip-42`;
    return send(
      response,
      403,
      { "content-type": "application/json" },
      `{"errors":[{"code":"DENIED","message":"${said}"}]}`,
    );
  });
  for (const job of [
    () => open(echo, PASSWORD).manifest("v1"),
    () => readBlob(open(echo, PASSWORD), blob, 10),
    () => open(echo, PASSWORD).putManifest(Buffer.from("{}"), "application/json", "v1"),
  ]) {
    const error = await errorOf(job());
    assert.equal(error.code, "WB-NET-003");
    assert.match(error.message, /DENIED: Basic \[not shown\]/);
    assert.ok(
      !`${error.message}${error.stack}`.includes("tulip-42") && !error.message.includes(basic.slice(6)),
    );
  }
  const identity: Credentials = { kind: "identity", token: "refresh-me-1234" };
  const service = await start((request, response) =>
    request.url === "/token"
      ? send(response, 400, { "content-type": "application/json" }, '{"error":"bad refresh-me-1234"}')
      : send(response, 401, { "www-authenticate": `Bearer realm="http://${service.host}/token"` }),
  );
  const refused = await errorOf(open(service, identity).manifest("v1"));
  assert.ok(!refused.message.includes("refresh-me-1234"), refused.message);
  const bearer = await errorOf(open(service, { kind: "bearer", token: "line\nend" }).manifest("v1"));
  assert.deepEqual([bearer.code, /line|end\b/.test(bearer.message)], ["WB-NET-003", false]);
});

test("addresses with passwords are refused and not shown, wherever they come from", async () => {
  for (const text of [
    "ann:tulip-42@registry.example/a/b:1",
    "https://ann:tulip-42@registry.example/a/b",
    "https://tulip-42@registry.example/a/b",
  ]) {
    let message = "";
    assert.throws(
      () => parseReference(text),
      (error: Error & { code: string }) => {
        message = error.message;
        return error.code === "WB-INPUT-019";
      },
    );
    assert.ok(!message.includes("tulip-42"), message);
  }
  const redirect = await start((request, response) =>
    send(response, 302, { location: `http://ann:tulip-42@${request.headers.host}/v2/` }),
  );
  const realm = await start((request, response) =>
    send(response, 401, {
      "www-authenticate": `Bearer realm="http://ann:tulip-42@${request.headers.host}/token"`,
    }),
  );
  for (const registry of [redirect, realm]) {
    const error = await errorOf(open(registry).manifest("v1"));
    assert.equal(error.code, "WB-NET-006");
    assert.ok(!error.message.includes("tulip-42"), error.message);
  }
});

test("a password is not sent over plain http to any other machine", async () => {
  const asked: string[] = [];
  const http = new HttpClient({
    transport: async (url) => {
      asked.push(url);
      return new Response(null, { status: 401, headers: { "www-authenticate": 'Basic realm="r"' } });
    },
  });
  const repository = new RegistryRepository({
    http,
    registry: "registry.example",
    repository: "a/b",
    credentials: async () => PASSWORD,
  });
  await repository.manifest("v1").catch(() => {});
  assert.ok(asked.length > 0 && asked.every((url) => url.startsWith("https://")), asked.join());
});

test("Docker Hub is found under all of its names, and under no look-alike", () => {
  const auth = Buffer.from("hub:h").toString("base64");
  for (const key of [
    "https://index.docker.io/v1/",
    "https://index.docker.io/v1",
    "index.docker.io",
    "registry-1.docker.io",
    "https://registry-1.docker.io/v2/",
    "docker.io",
  ])
    assert.ok(findCredentials({ auths: { [key]: { auth } } }, "docker.io", "library/alpine"), key);
  for (const key of ["https://index.docker.io.evil.example/v1/", "evil-docker.io", "index.docker.io/v1/x"])
    assert.equal(
      findCredentials({ auths: { [key]: { auth } } }, "docker.io", "library/alpine"),
      undefined,
      key,
    );
});

test("a helper that hangs, with children too, and one that prints without end, are ended", async () => {
  const { findRegistryCredentials } = await import("../../flows/registry-credentials.ts");
  const helper = (name: string, script: string) => {
    const path = join(folder, `docker-credential-${name}`);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  };
  helper("hangs", "sleep 60");
  helper("floods", "exec cat /dev/zero");
  helper("fails", 'echo "tulip-42"; echo "tulip-42" >&2; exit 1');
  const config = join(folder, "config.json");
  const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, REGISTRY_AUTH_FILE: config };
  const began = Date.now();
  for (const name of ["hangs", "floods", "fails"]) {
    writeFileSync(config, JSON.stringify({ credHelpers: { "a.example": name } }));
    const error = await errorOf(findRegistryCredentials("a.example", "b", env, 1000));
    assert.equal(error.code, "WB-NET-003");
    assert.ok(!error.message.includes("tulip-42"));
  }
  assert.ok(Date.now() - began < 10_000);
});

test("lengths and digests that do not fit the bytes", async () => {
  const json = { "content-type": "application/vnd.oci.image.manifest.v1+json" };
  const registry = await start((_, response) => {
    response.writeHead(200, { ...json, "content-length": "1000" });
    response.write("{}", () => response.destroy());
    return true;
  });
  const blob = { digest: sha256("blob"), size: 4 };
  assert.equal((await errorOf(open(registry).manifest("v1"))).code, "WB-NET-001");
  registry.before = (_, response) => {
    response.writeHead(200, { "content-length": "4" });
    response.write("bl", () => response.destroy());
    return true;
  };
  assert.equal((await errorOf(readBlob(open(registry), blob, 10))).code, "WB-NET-001");
  // Announced longer than the blob is: not begun.
  registry.before = (_, response) => send(response, 200, { "content-length": "5" }, "blobs");
  assert.equal((await errorOf(readBlob(open(registry), blob, 10))).code, "WB-NET-004");
  // A digest of another algorithm says nothing that could be compared.
  const sha512 = { "docker-content-digest": `sha512:${"0".repeat(128)}` };
  registry.before = (_, response) => send(response, 200, { ...json, ...sha512 }, "{}");
  assert.equal((await open(registry).manifest("v1"))?.digest, sha256("{}"));
  registry.before = (_, response) => send(response, 200, sha512, "evil");
  assert.equal((await errorOf(readBlob(open(registry), blob, 10))).code, "WB-NET-005");
});

test("a mirror that breaks off every time does not keep anybody from the registry", async () => {
  const bytes = Buffer.from("the very bytes");
  const blob = { digest: sha256(bytes), size: bytes.length };
  const mirror = await start((_, response) => {
    response.writeHead(200, { "content-length": String(bytes.length) });
    response.write(bytes.subarray(0, 3), () => response.destroy());
    return true;
  });
  const registry = await start();
  registry.blobs.set(`sha256:${blob.digest}`, bytes);
  assert.ok(
    (await readBlob(open(registry, undefined, [new URL(`http://${mirror.host}`)]), blob, 100)).equals(bytes),
  );
});

test("a refusal longer than the blob that was asked for is a refusal, and so is a redirect's page", async () => {
  const bytes = Buffer.from("{}");
  const blob = { digest: sha256(bytes), size: bytes.length };
  const page = "<html>this is longer than two bytes</html>";
  const elsewhere = await start((_, response) => send(response, 200, {}, "{}"));
  const registry = await start((request, response) =>
    request.headers.authorization === undefined
      ? send(
          response,
          401,
          { "www-authenticate": 'Basic realm="r"', "content-length": String(page.length) },
          page,
        )
      : send(
          response,
          307,
          { location: `http://${elsewhere.host}/blob`, "content-length": String(page.length) },
          page,
        ),
  );
  assert.ok((await readBlob(open(registry, PASSWORD), blob, 10)).equals(bytes));
  assert.equal((await errorOf(readBlob(open(registry), blob, 10))).code, "WB-NET-003");
});

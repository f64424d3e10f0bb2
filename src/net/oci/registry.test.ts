import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { createServer, type Server } from "node:http";
import { after, test } from "node:test";
import { needTool } from "../../../scripts/toolbox/find.ts";
import { type RunningRegistry, serveRegistry } from "../../../scripts/toolbox/serve-registry.ts";
import { sha256 } from "../../core/digest.ts";
import { HttpClient } from "../http.ts";
import type { Credentials } from "./credentials.ts";
import { readBlob } from "./download.ts";
import { RegistryRepository } from "./registry.ts";
import { type BlobSource, bytesSource, uploadBlob } from "./upload.ts";

/** ann, tulip (bcrypt). */
const HTPASSWD = "ann:$2b$05$o76M8Xz0XgKjEY2pzWsNx.aFreCNgT25qF8fQPMgBuhR9ixR50BnC\n";

const running: RunningRegistry[] = [];
const servers: Server[] = [];
after(async () => {
  for (const registry of running) await registry.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

function repository(host: string, name: string, credentials?: Credentials): RegistryRepository {
  return new RegistryRepository({
    http: new HttpClient(),
    registry: host,
    repository: name,
    ...(credentials ? { credentials: async () => credentials } : {}),
  });
}

const manifestOf = (blob: Buffer) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: {
        mediaType: "application/vnd.oci.empty.v1+json",
        digest: `sha256:${sha256(blob)}`,
        size: blob.length,
      },
      layers: [],
    }),
  );

/** Bytes that need no memory: byte i is i mod 251, of every chunk. */
function largeSource(size: number): BlobSource {
  const bytes = Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
  return bytesSource(bytes);
}

for (const name of ["docker-registry", "registry"] as const) {
  const program = needTool(name);
  test(`${name}: blobs and manifests go in and come out as they were`, { skip: program.skip }, async () => {
    const registry = await serveRegistry(program.path);
    running.push(registry);
    const repo = repository(registry.host, "team/agent");
    const empty = Buffer.from("{}");
    assert.equal(await repo.manifest("latest"), undefined);
    assert.equal(await uploadBlob(repo, bytesSource(empty)), "sent");
    assert.equal(await uploadBlob(repo, bytesSource(empty)), "there");
    const manifest = manifestOf(empty);
    await repo.putManifest(manifest, "application/vnd.oci.image.manifest.v1+json", "v1");
    const byTag = await repo.manifest("v1");
    assert.equal(byTag?.digest, sha256(manifest));
    assert.equal(byTag?.mediaType, "application/vnd.oci.image.manifest.v1+json");
    assert.deepEqual((await repo.manifest(`sha256:${sha256(manifest)}`))?.bytes, manifest);
    assert.deepEqual(await readBlob(repo, { digest: sha256(empty), size: 2 }, 100), empty);
    assert.equal(await repo.referrersPages(sha256(manifest)), undefined, "it has no referrers API");
    assert.deepEqual(JSON.parse((await repo.tagsPages())[0]!.toString()).tags, ["v1"]);

    const large = largeSource(20_000_000);
    assert.equal(await uploadBlob(repo, large), "sent");
    const back = await readBlob(repo, large, 30_000_000);
    assert.equal(createHash("sha256").update(back).digest("hex"), large.digest);
    const other = repository(registry.host, "team/other");
    assert.equal(await uploadBlob(other, large, { mountFrom: "team/agent" }), "mounted");

    const wrong = { ...bytesSource(Buffer.from("x")), digest: sha256("y") };
    await assert.rejects(uploadBlob(repo, wrong), { code: "WB-NET-002" });
  });

  test(`${name}: a password is asked for and shown`, { skip: program.skip }, async () => {
    const registry = await serveRegistry(program.path, {
      section: "  htpasswd: {realm: test, path: DIR/htpasswd}",
      files: { htpasswd: HTPASSWD },
    });
    running.push(registry);
    await assert.rejects(repository(registry.host, "a/b").manifest("v1"), { code: "WB-NET-003" });
    const wrong = repository(registry.host, "a/b", { kind: "password", user: "ann", password: "no" });
    await assert.rejects(wrong.manifest("v1"), { code: "WB-NET-003" });
    const right = repository(registry.host, "a/b", { kind: "password", user: "ann", password: "tulip" });
    assert.equal(await right.manifest("v1"), undefined);
    assert.equal(await uploadBlob(right, largeSource(9_000_000)), "sent");
  });
}

const v3 = needTool("registry");
test("registry: tokens of a token service are fetched, a scope each, and shown", {
  skip: v3.skip,
}, async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const asked: string[] = [];
  const service = createServer((request, response) => {
    const url = new URL(request.url!, "http://127.0.0.1");
    const scope = url.searchParams.get("scope")!;
    asked.push(scope);
    if (request.headers.authorization !== `Basic ${Buffer.from("ann:tulip").toString("base64")}`) {
      response.writeHead(401, { "content-type": "application/json" });
      return response.end('{"details":"incorrect username or password"}');
    }
    const [type, name, actions] = scope.split(":");
    const now = Math.floor(Date.now() / 1000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part({ alg: "ES256", typ: "JWT", kid: "k1" })}.${part({
      iss: "test",
      sub: "ann",
      aud: "test-registry",
      iat: now,
      nbf: now - 5,
      exp: now + 300,
      jti: String(asked.length),
      access: [{ type, name, actions: actions!.split(",") }],
    })}`;
    const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ token: `${signed}.${signature.toString("base64url")}` }));
  });
  servers.push(service);
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const { port } = service.address() as { port: number };
  const registry = await serveRegistry(v3.path, {
    section: `  token: {realm: "http://127.0.0.1:${port}/token", service: test-registry, issuer: test, jwks: DIR/jwks.json}`,
    files: {
      "jwks.json": JSON.stringify({
        keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", alg: "ES256", use: "sig" }],
      }),
    },
  });
  running.push(registry);
  const right = repository(registry.host, "a/b", { kind: "password", user: "ann", password: "tulip" });
  assert.equal(await right.manifest("v1"), undefined);
  assert.equal(await uploadBlob(right, largeSource(9_000_000)), "sent");
  assert.deepEqual(asked, ["repository:a/b:pull", "repository:a/b:pull,push"]);
  const wrong = repository(registry.host, "a/b", { kind: "password", user: "ann", password: "no" });
  await assert.rejects(wrong.manifest("v1"), { code: "WB-NET-003" });
});

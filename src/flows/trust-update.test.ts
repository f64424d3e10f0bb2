import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { TestAuthority } from "./proofs-authority.test.ts";
import { fetchTrustedRoot } from "./trust-update.ts";

const scratch = mkdtempSync(join(tmpdir(), "waybill-tuf-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A TUF repository (TUF 1.0) of one key whose only target is this text. */
function repository(target: string): { root: string; files: Map<string, string> } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const key: Json = { keytype: "ed25519", scheme: "ed25519", keyval: { public: raw.toString("hex") } };
  const keyid = createHash("sha256").update(canonicalJson(key)).digest("hex");
  const expires = "2090-01-01T00:00:00Z";
  const signed = (body: Record<string, Json>) => {
    const data = { spec_version: "1.0.31", version: 1, expires, ...body };
    const sig = sign(null, Buffer.from(canonicalJson(data)), privateKey).toString("hex");
    return JSON.stringify({ signatures: [{ keyid, sig }], signed: data });
  };
  const role = { keyids: [keyid], threshold: 1 };
  const root = signed({
    _type: "root",
    consistent_snapshot: false,
    keys: { [keyid]: key },
    roles: { root: role, timestamp: role, snapshot: role, targets: role },
  });
  const sha256 = createHash("sha256").update(target).digest("hex");
  const files = new Map([
    ["/timestamp.json", signed({ _type: "timestamp", meta: { "snapshot.json": { version: 1 } } })],
    ["/snapshot.json", signed({ _type: "snapshot", meta: { "targets.json": { version: 1 } } })],
    [
      "/targets.json",
      signed({
        _type: "targets",
        targets: { "trusted_root.json": { length: Buffer.byteLength(target), hashes: { sha256 } } },
      }),
    ],
    ["/targets/trusted_root.json", target],
  ]);
  return { root, files };
}

test("a trusted root comes from a TUF repository as its roots signed it, or not at all", async (t) => {
  const document = new TestAuthority("fetched").root();
  const { root, files } = repository(JSON.stringify(document));
  const server = createServer(({ url = "" }, response) => {
    const body = files.get(url);
    response.statusCode = body === undefined ? 404 : 200;
    response.end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rootFile = join(scratch, "root.json");
  writeFileSync(rootFile, root);
  const fetched = (home: string, source: object = {}) =>
    fetchTrustedRoot({ mirror, root: rootFile, ...source }, join(scratch, home));

  assert.deepEqual(await fetched("good"), document);
  const target = "/targets/trusted_root.json";
  const honest = files.get(target)!;
  files.set(target, honest.replace("fetched", "altered"));
  await assert.rejects(fetched("altered"), { code: "WB-NET-002" });
  files.set(target, honest);
  const stranger = join(scratch, "stranger.json");
  writeFileSync(stranger, repository("{}").root);
  await assert.rejects(fetched("stranger", { root: stranger }), { code: "WB-NET-002" });
  await assert.rejects(fetched("absent", { root: join(scratch, "absent.json") }), { code: "WB-INPUT-001" });
  const empty = repository('{"mediaType": "x"}');
  writeFileSync(rootFile, empty.root);
  for (const [name, body] of empty.files) files.set(name, body);
  await assert.rejects(fetched("no-root"), { code: "WB-NET-002", message: /mediaType/ });
});

test("a repository that cannot be reached is said to be so", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.close();
  await once(server, "close");
  const rootFile = join(scratch, "root2.json");
  writeFileSync(rootFile, repository("{}").root);
  const source = { mirror, root: rootFile };
  await assert.rejects(fetchTrustedRoot(source, join(scratch, "unreachable")), { code: "WB-NET-001" });
});

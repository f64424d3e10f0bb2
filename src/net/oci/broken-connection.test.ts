import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { type CuttingProxy, cuttingProxy } from "../../../scripts/toolbox/cutting-proxy.ts";
import { needTool } from "../../../scripts/toolbox/find.ts";
import { serveRegistry } from "../../../scripts/toolbox/serve-registry.ts";
import { HttpClient } from "../http.ts";
import { downloadBlob, readBlob } from "./download.ts";
import { RegistryRepository } from "./registry.ts";
import { type BlobSource, bytesSource, uploadBlob } from "./upload.ts";

// Registries that others wrote, behind a connection that is cut in the middle of a blob.

const stops: (() => unknown)[] = [];
after(async () => {
  for (const stop of stops) await stop();
});

const MB = 1_000_000;
const clock = { now: () => Date.now(), sleep: async () => {} };
const repositoryAt = (host: string) =>
  new RegistryRepository({ http: new HttpClient({ clock }), registry: host, repository: "team/agent" });

/** A blob that notes from where it is read. */
function watched(bytes: Buffer): BlobSource & { froms: number[] } {
  const source = bytesSource(bytes);
  const froms: number[] = [];
  return {
    ...source,
    froms,
    async *open(from) {
      froms.push(from);
      for (let at = from; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
  };
}

for (const name of ["registry", "docker-registry"] as const) {
  const program = needTool(name);
  const setUp = async (): Promise<{
    proxy: CuttingProxy;
    through: RegistryRepository;
    direct: RegistryRepository;
  }> => {
    const registry = await serveRegistry(program.path);
    stops.push(registry.stop);
    const proxy = await cuttingProxy(registry.host);
    stops.push(proxy.stop);
    return { proxy, through: repositoryAt(proxy.host), direct: repositoryAt(registry.host) };
  };

  test(`${name}: an upload that is cut arrives whole all the same`, { skip: program.skip }, async () => {
    const { proxy, through, direct } = await setUp();
    const bytes = randomBytes(20 * MB);
    const source = watched(bytes);
    proxy.cutAfter.up.push(7 * MB, 5 * MB);
    assert.equal(await uploadBlob(through, source), "sent");
    assert.equal(proxy.cuts, 2);
    assert.ok((await readBlob(direct, source, 30 * MB)).equals(bytes));
    // Version 2 forgets a session that was cut, and gets all of it again.
    const [first, ...later] = source.froms;
    assert.ok(first === 0 && later.length >= 2, source.froms.join());
    assert.equal(
      later.every((from) => from > 0),
      name === "registry",
      source.froms.join(),
    );
  });

  test(`${name}: a download that is cut goes on where it stopped`, { skip: program.skip }, async () => {
    const { proxy, through, direct } = await setUp();
    const bytes = randomBytes(20 * MB);
    const source = bytesSource(bytes);
    await uploadBlob(direct, source);
    proxy.cutAfter.down.push(7 * MB, 5 * MB, 3 * MB);
    const hash = createHash("sha256");
    let written = 0;
    await downloadBlob(through, source, {
      have: 0,
      hash,
      write: (chunk) => {
        written += chunk.length;
      },
      restart: () => assert.fail("nothing was wrong with the bytes"),
    });
    assert.deepEqual([proxy.cuts, written], [3, bytes.length]);
  });
}

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { needTool } from "../../scripts/toolbox/find.ts";
import { serveRegistry } from "../../scripts/toolbox/serve-registry.ts";
import { sha256 } from "../core/digest.ts";
import { openImage } from "./open-image.ts";
import { pushRelease } from "./push.ts";
import { access, agent, listing, pull, root, start } from "./release-scene.test.ts";

test("a release is pulled as it was pushed, and a second push sends nothing", async () => {
  const registry = await start();
  const folder = await agent();
  const reference = `${registry.host}/team/hello:1`;
  const pushed = await pushRelease(folder, openImage(reference, access));
  assert.equal(pushed.evidence, 1);
  const again = await pushRelease(folder, openImage(`${registry.host}/team/hello:2`, access));
  assert.deepEqual([again.sent.blobs, again.digest], [0, pushed.digest]);
  const dir = join(root, "pulled-1");
  const pulled = await pull(reference, dir);
  assert.equal(pulled.judgement.verdict.outcome, "allow", JSON.stringify(pulled.judgement.verdict.blocking));
  assert.equal(pulled.placed, true);
  assert.deepEqual(listing(dir), listing(folder));
  assert.equal(existsSync(`${dir}.waybill-pull`), false);
  await assert.rejects(pull(reference, dir), { code: "WB-INPUT-010" });
});

test("through a layout on disk too", async () => {
  const folder = await agent();
  const layout = `oci:${join(root, "layout")}:1`;
  await pushRelease(folder, openImage(layout, access, { create: true }));
  const pulled = await pull(layout, join(root, "pulled-layout"));
  assert.equal(pulled.placed, true);
  assert.deepEqual(listing(join(root, "pulled-layout")), listing(folder));
});

const program = needTool("registry");
test("through a registry that others run", { skip: program.skip }, async () => {
  const registry = await serveRegistry(program.path);
  try {
    const folder = await agent();
    const reference = `${registry.host}/team/hello:1`;
    const first = await pushRelease(folder, openImage(reference, access));
    const second = await pushRelease(folder, openImage(reference, access));
    assert.deepEqual([second.sent.blobs, second.digest], [0, first.digest]);
    assert.equal((await pull(reference, join(root, "pulled-real"))).placed, true);
    assert.deepEqual(listing(join(root, "pulled-real")), listing(folder));
  } finally {
    await registry.stop();
  }
});

test("more than a thousand files travel in packs", async () => {
  const registry = await start();
  const folder = await agent(1100);
  const reference = `${registry.host}/team/many:1`;
  const pushed = await pushRelease(folder, openImage(reference, access));
  assert.ok(pushed.sent.blobs < 10, String(pushed.sent.blobs));
  const pulled = await pull(reference, join(root, "pulled-many"));
  assert.equal(pulled.placed, true);
  assert.deepEqual(listing(join(root, "pulled-many")), listing(folder));
});

test("a pull that broke off goes on where it stopped", async () => {
  const registry = await start();
  const folder = await agent();
  const reference = `${registry.host}/team/hello:1`;
  await pushRelease(folder, openImage(reference, access));
  const large = `sha256:${sha256(readFileSync(join(folder, "data", "large.bin")))}`;
  const froms: string[] = [];
  let broken = true;
  registry.before = (request, response) => {
    if (!request.url!.endsWith(large)) return false;
    froms.push(request.headers.range ?? "all");
    if (!broken) return false;
    // The connection ends after a third, and then the server has it no longer.
    if (froms.length > 1) {
      response.writeHead(404).end();
      return true;
    }
    response.writeHead(200, { "content-length": "3000000" });
    response.write(registry.blobs.get(large)!.subarray(0, 1_000_000), () => response.destroy());
    return true;
  };
  const dir = join(root, "pulled-2");
  await assert.rejects(pull(reference, dir), { code: "WB-NET-002" });
  assert.equal(existsSync(dir), false);
  broken = false;
  froms.length = 0;
  const pulled = await pull(reference, dir);
  assert.equal(pulled.placed, true);
  assert.match(froms[0]!, /^bytes=[1-9]\d*-$/);
  assert.deepEqual(listing(dir), listing(folder));
});

test("bytes that are not the lock's are never placed, and what is not signed by the trusted is not either", async () => {
  const registry = await start();
  const folder = await agent();
  const reference = `${registry.host}/team/hello:1`;
  const { digest } = await pushRelease(folder, openImage(reference, access));
  const prompt = `sha256:${sha256("You are a helpful agent.\n")}`;
  const original = registry.blobs.get(prompt)!;
  registry.blobs.set(prompt, Buffer.from("You are a harmful agent.\n"));
  const dir = join(root, "pulled-3");
  await assert.rejects(pull(reference, dir), { code: "WB-NET-005" });
  registry.blobs.set(prompt, original);

  const stored = registry.manifests.get("team/hello/1")!;
  const change = (
    edit: (manifest: { annotations: Record<string, string>; config: { digest: string } }) => void,
  ) => {
    const manifest = JSON.parse(stored.bytes.toString());
    edit(manifest);
    registry.manifests.set("team/hello/1", { ...stored, bytes: Buffer.from(JSON.stringify(manifest)) });
  };
  change((manifest) => {
    manifest.annotations["dev.waybill.release.prefixes"] = '{"dataset/data":"../"}';
  });
  await assert.rejects(pull(reference, dir), { code: "WB-INPUT-006", message: /puts dataset\/data/ });
  change((manifest) => {
    manifest.config.digest = `sha256:${"0".repeat(64)}`;
  });
  await assert.rejects(pull(reference, dir), { code: "WB-INPUT-006", message: /another release/ });
  registry.manifests.set("team/hello/1", stored);

  // Without its referrers nobody stands for it.
  for (const [name, { bytes }] of registry.manifests)
    if (JSON.parse(bytes.toString()).subject?.digest === `sha256:${digest}`) registry.manifests.delete(name);
  const unsigned = await pull(reference, dir);
  assert.deepEqual([unsigned.placed, unsigned.judgement.verdict.outcome], [false, "deny"]);
  assert.equal(existsSync(dir), false);
  assert.deepEqual(
    readdirSync(root).filter((name) => name.includes("pulled-3")),
    [],
  );
});

test("a folder whose bytes are not the locked ones is not pushed", async () => {
  const registry = await start();
  const folder = await agent();
  writeFileSync(join(folder, "prompts", "system.md"), "changed");
  await assert.rejects(pushRelease(folder, openImage(`${registry.host}/team/hello:1`, access)), {
    code: "WB-INPUT-011",
  });
  assert.deepEqual(registry.log, []);
});

import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "../core/digest.ts";
import type { Lock } from "../core/lock.ts";
import { parseLock } from "../core/lock.ts";
import type { TreeLeaf } from "../core/tree.ts";
import { OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { openImage } from "./open-image.ts";
import { placeRelease } from "./place-release.ts";
import { pushRelease } from "./push.ts";
import { access, agent, pull, root, start } from "./release-scene.test.ts";

// Releases that want to write where they must not, and places where nothing must be written.

const BYTES = Buffer.from("pwned");
const file = (path: string): TreeLeaf => ({
  path,
  size: BYTES.length,
  sha256: sha256(BYTES),
  executable: true,
});
const lock = (files: TreeLeaf[]) =>
  ({
    agent: "hello",
    settings: `sha256:${"0".repeat(64)}`,
    components: [
      {
        leaf: {
          kind: "dataset",
          name: "data",
          mediaType: "x",
          digest: `waybill-tree-v1:${"0".repeat(64)}`,
          size: 5,
        },
        files,
      },
    ],
  }) as unknown as Lock;

/** Places a release with these paths below a prefix; gives what lies outside and inside of its folder afterwards. */
function placed(files: TreeLeaf[], prefix = "data/") {
  const work = mkdtempSync(join(root, "place-"));
  const [tree, blobs, outside] = ["tree", "blobs", "outside"].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [tree, blobs, outside]) mkdirSync(folder);
  writeFileSync(join(blobs, sha256(BYTES)), BYTES);
  let error: (Error & { code?: string }) | undefined;
  try {
    placeRelease(tree, blobs, {
      lock: lock(files),
      prefixes: new Map([["dataset/data", prefix]]),
      extra: [],
    });
  } catch (cause) {
    error = cause as Error;
  }
  return { work, tree, outside, error };
}

test("no path of a lock leads out of the folder, or to where Waybill and git keep theirs", () => {
  const hostile: [TreeLeaf[], string?][] = [
    [[file("/etc/pwned")], ""],
    [[file("../outside/pwned")], ""],
    [[file("../outside/pwned")]],
    [[file("a/../../../outside/pwned")]],
    [[file("./x")]],
    [[file("a//b")]],
    [[file("a\0b")]],
    [[file("a\nb")]],
    [[file("")]],
    [[file("waybill.yaml")], ""],
    [[file("Waybill.Lock")], ""],
    [[file("waybill.trust.yaml")], ""],
    [[file("waybill.evidence/release.sigstore.json")], ""],
    [[file(".git/hooks/post-checkout")], ""],
    [[file(".GIT/config")], ""],
    // Through a link, a file, and a name that is two things.
    [[{ path: "out", link: "../../outside" }, file("out/pwned")]],
    [[file("a"), file("a/b")]],
    [[file("a"), { path: "a", link: "b" }]],
    // Links that lead out.
    [[{ path: "out", link: "../../outside" }]],
    [[{ path: "out", link: "/etc/passwd" }]],
    [[file("deep/x"), { path: "in", link: "deep" }, { path: "out", link: "in/../../../outside" }]],
  ];
  for (const [files, prefix] of hostile) {
    const { work, outside, error } = placed(files, prefix);
    const what = JSON.stringify(files);
    assert.equal(error?.code, "WB-INPUT-006", `${what}: ${error?.stack}`);
    assert.deepEqual(readdirSync(outside), [], what);
    assert.deepEqual(readdirSync(work).toSorted(), ["blobs", "outside", "tree"], what);
  }
});

test("what may be placed has no other modes than 755 and 644, and twins are two files", () => {
  const { tree, error } = placed([
    file("run"),
    { ...file("text"), executable: false } as TreeLeaf,
    file("Run"),
    file("dots."),
    { path: "link", link: "run" },
  ]);
  assert.equal(error, undefined, String(error));
  const stat = (name: string) => statSync(join(tree, "data", name));
  assert.deepEqual(
    ["run", "Run", "dots.", "text"].map((name) => stat(name).mode & 0o7777),
    [0o755, 0o755, 0o755, 0o644],
  );
  assert.equal(new Set(["run", "Run", "text", "dots."].map((name) => stat(name).ino)).size, 4);
  assert.ok(lstatSync(join(tree, "data", "link")).isSymbolicLink());
});

test("nothing is put where something is: a folder, an empty one, a file, a link", async () => {
  const registry = await start();
  const reference = `${registry.host}/team/hello:1`;
  await pushRelease(await agent(), openImage(reference, access));
  const at = (name: string) => join(root, `taken-${name}`);
  mkdirSync(at("full"));
  writeFileSync(join(at("full"), "mine"), "mine");
  mkdirSync(at("empty"));
  writeFileSync(at("file"), "mine");
  symlinkSync(at("full"), at("link"));
  symlinkSync(at("nowhere"), at("dangling"));
  registry.log.length = 0;
  for (const name of ["full", "empty", "file", "link", "dangling"])
    await assert.rejects(pull(reference, at(name)), { code: "WB-INPUT-010" }, name);
  assert.deepEqual([readdirSync(at("full")), readdirSync(at("empty")), registry.log], [["mine"], [], []]);
  // Below a link it goes where the link leads; the folder for what is fetched is no link.
  mkdirSync(at("real"));
  symlinkSync(at("real"), at("alias"));
  assert.equal((await pull(reference, join(at("alias"), "agent"))).placed, true);
  assert.deepEqual(readdirSync(at("real")), ["agent"]);
  symlinkSync(at("real"), join(root, "through.waybill-pull"));
  await assert.rejects(pull(reference, join(root, "through")), { code: "WB-STORE-003" });
});

test("titles place nothing, and an artifact that says two things is none", async () => {
  const registry = await start();
  const reference = `${registry.host}/team/hello:1`;
  await pushRelease(await agent(), openImage(reference, access));
  const stored = registry.manifests.get("team/hello/1")!;
  const put = (text: string) =>
    registry.manifests.set("team/hello/1", { ...stored, bytes: Buffer.from(text) });
  const text = stored.bytes.toString();
  const dir = join(root, "titled");
  put(
    text.replaceAll(
      /"org.opencontainers.image.title":"[^"]*"/g,
      '"org.opencontainers.image.title":"../../pwned"',
    ),
  );
  // Another artifact than the one that the signatures lie beside: without them it is not fetched.
  const retitled = await pull(reference, dir);
  assert.deepEqual([retitled.placed, retitled.bytes], [false, 0]);
  for (const [from, to] of [
    ['{"schemaVersion":2', '{"schemaVersion":2,"layers":[],"schemaVersion":2'],
    ['"config":{', '"config":{"mediaType":"x",'],
    ['"layers":[', '"layers":[],"layers":['],
    ['"layers":[', '"manifests":[],"layers":['],
  ] as const) {
    put(text.replace(from, to));
    await assert.rejects(pull(reference, dir), { code: "WB-INPUT-006" }, to);
  }
  const twice = JSON.parse(text);
  twice.layers.push(twice.layers[0]);
  put(JSON.stringify(twice));
  await assert.rejects(pull(reference, dir), { code: "WB-INPUT-006", message: /2 layers of type/ });
  assert.equal(existsSync(dir), false);
});

test("rubbish among the referrers keeps nobody from a release, however much there is", async () => {
  const registry = await start();
  registry.pageSize = 50;
  const reference = `${registry.host}/team/hello:1`;
  const opened = openImage(reference, access);
  const { digest } = await pushRelease(await agent(), opened);
  const empty = Buffer.from("{}");
  await opened.store.upload(bytesSource(empty));
  const layer = (hex: string, size: number) => ({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    digest: `sha256:${hex}`,
    size,
  });
  const junk = [layer("0".repeat(64), 10), layer(sha256(empty), 3), layer(sha256(empty), 9_000_000)];
  for (const [i, each] of junk.entries()) {
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: each.mediaType,
      config: { mediaType: "application/vnd.oci.empty.v1+json", digest: `sha256:${sha256(empty)}`, size: 2 },
      layers: [each],
      subject: { mediaType: OCI_MANIFEST, digest: `sha256:${digest}`, size: 1 },
      annotations: { i: String(i), "dev.waybill.evidence.name": "../../pwned.sigstore.json" },
    };
    await opened.store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST);
  }
  assert.equal((await pull(reference, join(root, "littered"))).placed, true);
  // A list of thousands that are not there costs two hundred questions at most.
  const entry = (i: number) => ({ mediaType: OCI_MANIFEST, digest: `sha256:${sha256(String(i))}`, size: 2 });
  const manifests = Array.from({ length: 10_000 }, (_, i) => entry(i));
  registry.before = (request, response) => {
    if (!request.url!.includes("/referrers/")) return false;
    response.writeHead(200, { "content-type": "application/vnd.oci.image.index.v1+json" });
    response.end(JSON.stringify({ schemaVersion: 2, manifests }));
    return true;
  };
  registry.log.length = 0;
  const buried = await pull(reference, join(root, "buried"));
  assert.equal(buried.placed, false);
  assert.match(buried.judgement.verdict.notes.join(), /9800 more referrers/);
  assert.ok(registry.log.length < 220, String(registry.log.length));
});

test("a lock with paths that cannot be is no lock", async () => {
  for (const path of ["../x", "/x", "a/../b", "x\u0000"])
    assert.throws(() => parseLock(JSON.stringify(lock([file(path)]))), { code: "WB-INPUT-006" }, path);
});

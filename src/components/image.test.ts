import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Json } from "../core/canonical-json.ts";
import { sha256 } from "../core/digest.ts";
import { parseManifest } from "../core/manifest.ts";
import { observe } from "./observe.ts";
import type { ObservedComponent } from "./observed.ts";

const scratch = mkdtempSync(join(tmpdir(), "waybill-image-"));
after(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/** An image layout being made. */
class Layout {
  readonly folder: string;
  readonly blobs: string;

  constructor() {
    count += 1;
    this.folder = join(scratch, String(count));
    this.blobs = join(this.folder, "image/blobs/sha256");
    mkdirSync(this.blobs, { recursive: true });
    writeFileSync(join(this.folder, "image/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  /** Stores a blob; gives its descriptor. */
  blob(mediaType: string, data: string | Json): { mediaType: string; digest: string; size: number } {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    writeFileSync(join(this.blobs, sha256(text)), text);
    return { mediaType, digest: `sha256:${sha256(text)}`, size: Buffer.byteLength(text) };
  }

  /** Stores an image of a config and these layers. */
  image(layers: string[] = ["layer"], types = { manifest: MANIFEST, config: CONFIG, layer: LAYER }) {
    return this.blob(types.manifest, {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: this.blob(types.config, `{"architecture":"${layers.join()}"}`),
      layers: layers.map((layer) => this.blob(types.layer, layer)),
    });
  }

  index(...manifests: Json[]): this {
    writeFileSync(join(this.folder, "image/index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
    return this;
  }

  async look(more = ""): Promise<ObservedComponent> {
    const text = `waybill: v1\nagent: a\nstart: {command: [x]}\ncomponents: [{kind: image, name: i, path: image${more}}]\n`;
    return (await observe(this.folder, parseManifest(text).manifest, { mode: "lock" })).components[0]!;
  }

  async details(more = ""): Promise<string[]> {
    return (await this.look(more)).problems.map((p) => `${p.problem}: ${p.detail}`);
  }
}

test("an image's digest is its manifest's, its files are the blobs that it reaches", async () => {
  const layout = new Layout();
  const manifest = layout.image(["one", "two"]);
  const seen = await layout.index(manifest).look();
  assert.deepEqual(seen.problems, []);
  assert.deepEqual([seen.leaf?.digest, seen.leaf?.mediaType], [manifest.digest, MANIFEST]);
  assert.equal(seen.entries.length, 4);
  assert.ok(seen.entries.every((entry) => entry.path.startsWith("blobs/sha256/")));
});

test("an index of platforms is one image, shared layers stand once", async () => {
  const layout = new Layout();
  const platforms = [layout.image(["base", "a"]), layout.image(["base", "b"])];
  const index = layout.blob(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: platforms });
  const seen = await layout.index(index).look();
  assert.deepEqual([seen.problems, seen.leaf?.digest, seen.leaf?.mediaType], [[], index.digest, INDEX]);
  assert.equal(seen.entries.length, 8);
});

test("Docker's media types", async () => {
  const layout = new Layout();
  const docker = "application/vnd.docker.distribution.manifest.v2+json";
  const manifest = layout.image(["x"], {
    manifest: docker,
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  });
  const list = "application/vnd.docker.distribution.manifest.list.v2+json";
  const index = layout.blob(list, { schemaVersion: 2, mediaType: list, manifests: [manifest] });
  assert.equal((await layout.index(manifest).look()).leaf?.digest, manifest.digest);
  assert.equal((await layout.index(index).look()).leaf?.digest, index.digest);
});

test("what only points, and x bits of blobs, are under no digest; a blob beside them is nobody's", async () => {
  const layout = new Layout();
  const manifest = layout.image();
  const before = (await layout.index(manifest).look()).leaf;
  layout.index({ ...manifest, annotations: { "org.opencontainers.image.ref.name": "latest" } });
  chmodSync(join(layout.blobs, manifest.digest.slice(7)), 0o755);
  layout.blob(LAYER, "extra");
  assert.deepEqual((await layout.look()).leaf, before);
  const text =
    "waybill: v1\nagent: a\nstart: {command: [x]}\ncomponents: [{kind: image, name: i, path: image}]\n";
  const { unclaimed } = await observe(layout.folder, parseManifest(text).manifest, { mode: "lock" });
  assert.deepEqual(
    unclaimed.map((f) => f.path),
    [`image/blobs/sha256/${sha256("extra")}`],
  );
});

test("layouts with something wrong", async () => {
  const layout = new Layout();
  const manifest = layout.image(["one"]);
  assert.deepEqual(await layout.details(), ["missing: it has no index.json and oci-layout"]);
  assert.deepEqual(await layout.index().details(), ["malformed: it names no image and must name one"]);
  assert.deepEqual(await layout.index(manifest, layout.image(["two"])).details(), [
    "malformed: it names more than one image and must name one",
  ]);
  assert.deepEqual(await layout.index({ ...manifest, size: 1 }).details(), [
    `malformed: it has ${manifest.size} bytes and is declared with 1`,
  ]);
  assert.deepEqual(await layout.index({ ...manifest, digest: `sha512:${"a".repeat(128)}` }).details(), [
    "malformed: a descriptor has no sha256 digest",
  ]);
  assert.deepEqual(await layout.index({ ...manifest, digest: `sha256:${"a".repeat(64)}` }).details(), [
    "missing: the manifest names it and it is not there",
  ]);
  layout.index(manifest);
  writeFileSync(join(layout.folder, "image/oci-layout"), "{}");
  assert.deepEqual(await layout.details(), ["malformed: it does not name image layout version 1"]);
});

test("a blob that is missing, another, or a link", async () => {
  const wrong = async (change: (path: string) => void) => {
    const layout = new Layout();
    layout.index(layout.image(["one"]));
    change(join(layout.blobs, sha256("one")));
    const seen = await layout.look();
    assert.equal(seen.leaf, undefined);
    return seen.problems.map((p) => `${p.problem}: ${p.detail}`);
  };
  assert.deepEqual(await wrong((path) => rmSync(path)), [
    "missing: the manifest names it and it is not there",
  ]);
  assert.deepEqual(await wrong((path) => writeFileSync(path, "two")), [
    `malformed: its bytes have the digest sha256:${sha256("two")}`,
  ]);
  assert.deepEqual(await wrong((path) => writeFileSync(path, "longer")), [
    "malformed: it has 6 bytes and is declared with 3",
  ]);
  const link = await wrong((path) => {
    rmSync(path);
    symlinkSync("/etc/hostname", path);
  });
  assert.deepEqual(link, ["missing: the manifest names it and it is not there"]);
});

test("a manifest whose bytes are not those of its name is not followed", async () => {
  const layout = new Layout();
  const manifest = layout.image(["one"]);
  layout.index(manifest);
  const path = join(layout.blobs, manifest.digest.slice(7));
  writeFileSync(path, "x".repeat(manifest.size));
  assert.deepEqual(await layout.details(), ["malformed: its bytes are not those that its name promises"]);
});

test("`ref` with a digest must name this image", async () => {
  const layout = new Layout();
  const manifest = layout.image();
  layout.index(manifest);
  assert.deepEqual(await layout.details(`, ref: "r.example/a@${manifest.digest}"`), []);
  assert.deepEqual(await layout.details(', ref: "r.example/a:latest"'), []);
  const other = `r.example/a@sha256:${"0".repeat(64)}`;
  assert.deepEqual(await layout.details(`, ref: "${other}"`), [
    `malformed: the layout holds ${manifest.digest}, the manifest declares ${other}`,
  ]);
});

const NAME = "org.opencontainers.image.ref.name";
const named = (descriptor: { mediaType: string; digest: string; size: number }, name: string): Json => ({
  ...descriptor,
  annotations: { [NAME]: name },
});

/** Signatures of an image as cosign 2 and 3 leave them in a layout. */
function signatures(layout: Layout, image: { mediaType: string; digest: string; size: number }): Json[] {
  const simple = layout.blob("application/vnd.dev.cosign.simplesigning.v1+json", '{"critical":{}}');
  const tag = layout.blob(MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: layout.blob(CONFIG, '{"rootfs":{}}'),
    layers: [simple],
  });
  const bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
  const referrer = layout.blob(MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: bundle,
    config: layout.blob("application/vnd.oci.empty.v1+json", "{}"),
    layers: [layout.blob(bundle, '{"bundle":1}')],
    subject: image,
  });
  const list = layout.blob(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: [referrer] });
  const hex = image.digest.slice(7);
  return [
    named(tag, `sha256-${hex}.sig`),
    { ...referrer, artifactType: bundle },
    named(list, `sha256-${hex}`),
  ];
}

test("signatures in a layout are under no digest, and their blobs are not nobody's", async () => {
  const layout = new Layout();
  const image = layout.image();
  const before = (await layout.index(image).look()).leaf;
  const about = signatures(layout, image);
  assert.deepEqual((await layout.index(image, ...about).look()).leaf, before);
  const text =
    "waybill: v1\nagent: a\nstart: {command: [x]}\ncomponents: [{kind: image, name: i, path: image}]\n";
  const unclaimed = async () =>
    (await observe(layout.folder, parseManifest(text).manifest, { mode: "lock" })).unclaimed.map(
      (f) => f.path,
    );
  assert.deepEqual(await unclaimed(), []);
  // Bytes that are not those of their name belong to nobody, whoever names them.
  writeFileSync(join(layout.blobs, sha256('{"bundle":1}')), "import os");
  assert.deepEqual(await unclaimed(), [`image/blobs/sha256/${sha256('{"bundle":1}')}`]);
  // Left behind when the image was copied.
  for (const each of about) rmSync(join(layout.blobs, String((each as { digest: string }).digest).slice(7)));
  assert.deepEqual((await layout.look()).leaf, before);
});

test("an image cannot be hidden in a layout as a signature", async () => {
  const layout = new Layout();
  const image = layout.image(["one"]);
  const evil = layout.image(["evil"]);
  const list = layout.blob(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: [evil] });
  const twice = layout.blob(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests: [list] });
  // An image with a subject can still be run.
  const runnable = layout.blob(MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: layout.blob(CONFIG, '{"x":1}'),
    layers: [layout.blob(LAYER, "evil")],
    subject: image,
  });
  const tag = `sha256-${image.digest.slice(7)}`;
  for (const hidden of [
    named(evil, `${tag}.sig`),
    { ...evil, artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json" },
    named(list, tag),
    named(twice, tag),
    named(runnable, `${tag}.att`),
    { ...runnable, artifactType: "application/example" },
  ])
    for (const order of [
      [image, hidden],
      [hidden, image],
    ])
      assert.deepEqual(
        await layout.index(...order).details(),
        ["malformed: it names more than one image and must name one"],
        JSON.stringify(hidden),
      );
  // A manifest that is not the one of its name is not taken for a signature either.
  const [signature] = signatures(layout, image);
  writeFileSync(join(layout.blobs, (signature as { digest: string }).digest.slice(7)), "{}");
  assert.deepEqual(await layout.index(image, signature!).details(), [
    "malformed: it names more than one image and must name one",
  ]);
});

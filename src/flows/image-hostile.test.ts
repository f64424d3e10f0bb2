import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type MemoryRegistry, memoryRegistry } from "../../scripts/toolbox/memory-registry.ts";
import { sha256 } from "../core/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { keyId } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { signImage } from "./image-sign.ts";
import { keySigners } from "./image-signers.ts";
import { verifyImage } from "./image-verify.ts";
import { type OpenedImage, openImage } from "./open-image.ts";

// Indexes and manifests that say two things, or too much.

const folder = mkdtempSync(join(tmpdir(), "waybill-image-hostile-"));
const running: MemoryRegistry[] = [];
after(() => {
  for (const registry of running) registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { name: "k", keyId: keyId(pair.publicKey), ...pair };
const signer = { statements: keySigner(key), key };
const question = { types: [IMAGE_SIGNATURE], signers: keySigners([pair.publicKey]) };
const now = new Date("2026-05-01T00:00:00Z");
const descriptor = (bytes: Buffer, more = {}) => ({
  mediaType: OCI_MANIFEST,
  digest: `sha256:${sha256(bytes)}`,
  size: bytes.length,
  ...more,
});

async function registry(): Promise<{
  memory: MemoryRegistry;
  opened: OpenedImage;
  put(text: string): Buffer;
}> {
  const memory = await memoryRegistry();
  running.push(memory);
  const opened = openImage(`${memory.host}/a/b:v1`, { env: { HOME: folder } });
  const put = (text: string, type = OCI_MANIFEST) => {
    const bytes = Buffer.from(text);
    for (const name of ["v1", `sha256:${sha256(bytes)}`])
      memory.manifests.set(`a/b/${name}`, { bytes, type });
    return bytes;
  };
  return { memory, opened, put };
}

const imageText = (note: string) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(Buffer.from(note)),
    layers: [],
  });
const indexText = (manifests: object[]) =>
  JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });

test("a platform that an index names twice, or only with variants, is no platform", async () => {
  const { opened, put } = await registry();
  const [one, two] = ["one", "two"].map((note) => put(imageText(note))) as [Buffer, Buffer];
  const arm = { os: "linux", architecture: "arm" };
  const asked = async (entries: object[], platform: string) => {
    put(indexText(entries));
    await signImage(opened, signer, ["referrer"], now);
    return verifyImage(opened, { ...question, platform });
  };
  for (const entries of [
    [descriptor(one, { platform: arm }), descriptor(two, { platform: arm })],
    [descriptor(one, { platform: arm }), descriptor(one, { platform: arm })],
    [
      descriptor(one, { platform: { ...arm, variant: "v6" } }),
      descriptor(two, { platform: { ...arm, variant: "v7" } }),
    ],
  ]) {
    const verdict = await asked(entries, "linux/arm");
    assert.deepEqual([verdict.outcome, verdict.findings[0]?.code], ["deny", "WB-IMAGE-036"]);
  }
  const variants = [
    descriptor(one, { platform: { ...arm, variant: "v6" } }),
    descriptor(two, { platform: { ...arm, variant: "v7" } }),
  ];
  const seven = await asked(variants, "linux/arm/v7");
  assert.deepEqual([seven.outcome, seven.platform?.digest], ["allow", sha256(two)]);
});

test("an index in an index is its digest and no more: nobody goes in circles", async () => {
  const { opened, put } = await registry();
  const platform = { os: "linux", architecture: "amd64" };
  let inner = put(imageText("deep"));
  let type = OCI_MANIFEST;
  for (let depth = 0; depth < 50; depth += 1) {
    inner = put(indexText([descriptor(inner, { mediaType: type, platform })]));
    type = OCI_INDEX;
  }
  await signImage(opened, signer, ["referrer"], now);
  const verdict = await verifyImage(opened, { ...question, platform: "linux/amd64" });
  assert.equal(verdict.outcome, "allow");
});

test("ten thousand manifests in an index are read as such, one more is not; of as many referrers the rest is told", async () => {
  const { memory, opened, put } = await registry();
  const image = put(imageText("many"));
  const entries = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      descriptor(i === 0 ? image : Buffer.from(String(i)), {
        platform: { os: "linux", architecture: `a${i}` },
      }),
    );
  put(indexText(entries(10_000)));
  await signImage(opened, signer, ["referrer"], now);
  assert.equal((await verifyImage(opened, { ...question, platform: "linux/a0" })).outcome, "allow");
  put(indexText(entries(10_001)));
  await assert.rejects(verifyImage(opened, question), { code: "WB-INPUT-006" });
  put(imageText("many"));
  memory.before = (request, response) => {
    if (!request.url!.includes("/referrers/")) return false;
    response.writeHead(200, { "content-type": OCI_INDEX });
    response.end(indexText(entries(10_000)));
    return true;
  };
  const verdict = await verifyImage(opened, question);
  assert.equal(verdict.outcome, "deny");
  assert.ok(
    verdict.findings.some(({ code, message }) => code === "WB-IMAGE-037" && /9800 more/.test(message)),
  );
});

test("a manifest with a key twice, or that is an index too, is none", async () => {
  const { opened, put } = await registry();
  const text = imageText("x");
  for (const hostile of [
    text.replace('"layers":[]', '"layers":[],"layers":[]'),
    text.replace('"config":', '"config":{},"config":'),
    text.replace('"layers":[]', '"layers":[],"manifests":[]'),
    text.replace('"layers":[]', '"layers":[],"l\\u0061yers":[]'),
    text.replace(OCI_MANIFEST, OCI_INDEX),
    `\ufeff${text}`,
    `${text}{}`,
  ]) {
    put(hostile);
    await assert.rejects(verifyImage(opened, question), { code: "WB-INPUT-006" }, hostile);
    await assert.rejects(signImage(opened, signer, ["referrer"], now), { code: "WB-INPUT-006" }, hostile);
  }
});

test("a layout with thousands of entries is not read for the only image, and one image twice is one", async () => {
  const path = join(folder, "crowded");
  const opened = openImage(`oci:${path}`, { env: {} }, { create: true });
  const config = Buffer.from("{}");
  await opened.store.upload(bytesSource(config));
  const image = Buffer.from(imageText("only"));
  writeFileSync(join(path, "blobs", "sha256", sha256(image)), image);
  const index = (count: number, entry: (i: number) => object) =>
    writeFileSync(join(path, "index.json"), indexText(Array.from({ length: count }, (_, i) => entry(i))));
  index(10_000, () => descriptor(image));
  assert.equal((await opened.store.read(""))?.digest, sha256(image));
  index(10_000, (i) => descriptor(i === 0 ? image : Buffer.from(String(i))));
  await assert.rejects(opened.store.read(""), { code: "WB-INPUT-019" });
});

test("mirrors that are none are refused, and their passwords are not shown", () => {
  for (const mirror of [
    "https://ann:tulip-42@mirror.example",
    "docker.io=ann:tulip-42@mirror",
    "docker.io=https://ann:tulip-42@mirror.example",
    "docker.io=http://mirror.example",
    "docker.io=https://mirror.example/hub",
    "docker.io=https://mirror.example?x=1",
    "docker.io=file:///etc/passwd",
  ])
    for (const access of [{ env: {}, mirrors: [mirror] }, { env: { WAYBILL_REGISTRY_MIRRORS: mirror } }])
      assert.throws(
        () => openImage("alpine:3", access),
        (error: Error & { code: string }) =>
          ["WB-INPUT-007", "WB-NET-006"].includes(error.code) && !error.message.includes("tulip-42"),
        mirror,
      );
});

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { needTool } from "../../scripts/toolbox/find.ts";
import { memoryRegistry } from "../../scripts/toolbox/memory-registry.ts";
import { serveRegistry } from "../../scripts/toolbox/serve-registry.ts";
import { sha256 } from "../core/digest.ts";
import { EMPTY_TYPE, OCI_INDEX, OCI_MANIFEST } from "../formats/oci.ts";
import { HttpClient } from "../net/http.ts";
import { RegistryRepository } from "../net/oci/registry.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { referrersTag } from "./image-store.ts";
import { RegistryImages } from "./registry-images.ts";

const stops: (() => unknown)[] = [];
after(async () => {
  for (const stop of stops) await stop();
});

const EMPTY = Buffer.from("{}");
const empty = { mediaType: EMPTY_TYPE, digest: `sha256:${sha256(EMPTY)}`, size: 2 };
const manifest = (note: string, subject?: { digest: string; size: number }) =>
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: "application/example",
      config: empty,
      layers: [empty],
      annotations: { note },
      ...(subject ? { subject: { mediaType: OCI_MANIFEST, ...subject } } : {}),
    }),
  );
const imagesOf = (host: string) =>
  new RegistryImages(new RegistryRepository({ http: new HttpClient(), registry: host, repository: "a/b" }));

async function fill(images: RegistryImages, referrers: number): Promise<string> {
  await images.upload(bytesSource(EMPTY));
  const image = manifest("image");
  await images.write(image, OCI_MANIFEST, "v1");
  const subject = { digest: `sha256:${sha256(image)}`, size: image.length };
  for (let i = 0; i < referrers; i += 1) await images.write(manifest(`r${i}`, subject), OCI_MANIFEST);
  return sha256(image);
}

test("the referrers API is used where there is one, page by page, and no tag is written", async () => {
  const registry = await memoryRegistry();
  stops.push(registry.stop);
  const images = imagesOf(registry.host);
  const image = await fill(images, 5);
  assert.equal((await images.referrers(image)).length, 5);
  assert.equal(registry.manifests.has(`a/b/${referrersTag(image)}`), false);
});

const program = needTool("docker-registry");
test("without it the fallback tag is kept, and what others wrote there stays", {
  skip: program.skip,
}, async () => {
  const registry = await serveRegistry(program.path);
  stops.push(registry.stop);
  const images = imagesOf(registry.host);
  const image = await fill(images, 0);
  // As cosign leaves it: an entry that does not say what it is, and fields of its own.
  const theirs = manifest("theirs", { digest: `sha256:${image}`, size: manifest("image").length });
  const repository = new RegistryRepository({
    http: new HttpClient(),
    registry: registry.host,
    repository: "a/b",
  });
  await repository.putManifest(theirs, OCI_MANIFEST);
  const entry = {
    mediaType: OCI_MANIFEST,
    digest: `sha256:${sha256(theirs)}`,
    size: theirs.length,
    artifactType: EMPTY_TYPE,
  };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry], annotations: { kept: "yes" } };
  await repository.putManifest(Buffer.from(JSON.stringify(index)), OCI_INDEX, referrersTag(image));
  await fill(images, 2);
  await fill(images, 2);
  const written = JSON.parse((await repository.manifest(referrersTag(image)))!.bytes.toString());
  assert.equal(written.manifests.length, 3, "each once");
  assert.deepEqual([written.manifests[0], written.annotations], [entry, { kept: "yes" }]);
  assert.deepEqual(
    [written.manifests[1].artifactType, written.manifests[1].annotations],
    ["application/example", { note: "r0" }],
  );
  assert.equal((await images.referrers(image)).length, 3);
});

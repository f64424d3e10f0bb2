import assert from "node:assert/strict";
import { test } from "node:test";
import { namesManifest, parseOciManifest } from "./oci.ts";

const HEX = "ab".repeat(32);
const INDEX = "application/vnd.oci.image.index.v1+json";
const descriptor = (more: object = {}) => ({
  mediaType: "text/plain",
  digest: `sha256:${HEX}`,
  size: 3,
  ...more,
});
const parse = (value: unknown) => parseOciManifest(JSON.stringify(value));

test("a manifest names its config and layers, an index its manifests, in order", () => {
  const manifest = parse({ schemaVersion: 2, config: descriptor(), layers: [descriptor({ size: 4 })] });
  assert.deepEqual(manifest, {
    isIndex: false,
    blobs: [3, 4].map((size) => ({ mediaType: "text/plain", sha256: HEX, size, annotations: {} })),
  });
  const index = parse({
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [descriptor({ annotations: { a: "b", c: 1 } })],
  });
  assert.deepEqual(index, {
    isIndex: true,
    blobs: [{ mediaType: "text/plain", sha256: HEX, size: 3, annotations: { a: "b" } }],
  });
});

test("what is wrong is said", () => {
  const cases: [unknown, string][] = [
    [[], "schemaVersion is not 2"],
    [{ schemaVersion: 1 }, "schemaVersion is not 2"],
    [{ schemaVersion: 2 }, "a descriptor is missing"],
    [{ schemaVersion: 2, config: descriptor() }, "a descriptor is missing"],
    [{ schemaVersion: 2, manifests: {} }, "it has no list of manifests or layers"],
    [{ schemaVersion: 2, manifests: [], layers: [] }, "it is an index and a manifest at once"],
    [
      { schemaVersion: 2, manifests: [], mediaType: "application/vnd.oci.image.manifest.v1+json" },
      "its mediaType contradicts what it holds",
    ],
    [
      { schemaVersion: 2, mediaType: INDEX, config: descriptor(), layers: [] },
      "its mediaType contradicts what it holds",
    ],
    [{ schemaVersion: 2, manifests: [null] }, "a descriptor is missing"],
    [{ schemaVersion: 2, manifests: [descriptor({ mediaType: 1 })] }, "a descriptor has no mediaType"],
    [{ schemaVersion: 2, manifests: [descriptor({ digest: HEX })] }, "a descriptor has no sha256 digest"],
    [
      { schemaVersion: 2, manifests: [descriptor({ digest: `sha256:${HEX.toUpperCase()}` })] },
      "a descriptor has no sha256 digest",
    ],
    [{ schemaVersion: 2, manifests: [descriptor({ size: -1 })] }, "a descriptor has no size"],
    [{ schemaVersion: 2, manifests: [descriptor({ size: 1.5 })] }, "a descriptor has no size"],
  ];
  for (const [value, expected] of cases) {
    const found = parse(value);
    assert.equal(typeof found === "string" ? found : "accepted", expected, JSON.stringify(value));
  }
  assert.equal(parseOciManifest("{"), "line 1, column 2: expected a key in double quotes");
  assert.match(parseOciManifest('{"schemaVersion":2,"schemaVersion":2}') as string, /^line 1/);
});

test("descriptors of manifests are followed, others are not", () => {
  for (const mediaType of [INDEX, "application/vnd.docker.distribution.manifest.v2+json"])
    assert.ok(namesManifest({ mediaType, sha256: HEX, size: 1, annotations: {} }));
  assert.ok(!namesManifest({ mediaType: "application/json", sha256: HEX, size: 1, annotations: {} }));
});

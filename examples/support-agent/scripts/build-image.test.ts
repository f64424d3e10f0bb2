import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { copyOfAgent, root, tempDir } from "../tests/support.ts";
import { buildImage } from "./build-image.ts";

test("the image is reproducible, whole, and the one that the deployment names", () => {
  using copy = copyOfAgent();
  using one = tempDir();
  using two = tempDir();
  const digest = buildImage(copy.path, one.path);
  assert.equal(buildImage(copy.path, two.path), digest);
  assert.ok(readFileSync(join(root, "deploy/deployment.yaml"), "utf8").includes(`support-agent@${digest}\n`));

  const blobs = join(one.path, "blobs/sha256");
  for (const name of readdirSync(blobs)) {
    assert.equal(
      createHash("sha256")
        .update(readFileSync(join(blobs, name)))
        .digest("hex"),
      name,
    );
  }
  const blob = (name: string) => JSON.parse(readFileSync(join(blobs, name.slice(7)), "utf8"));
  const manifest = blob(digest);
  assert.deepEqual(blob(manifest.config.digest).rootfs.diff_ids, [manifest.layers[0].digest]);
  const layer = readFileSync(join(blobs, manifest.layers[0].digest.slice(7)));
  assert.ok(layer.includes("app/model/intent.safetensors"));
  assert.ok(!layer.includes("server.test.ts"));
});

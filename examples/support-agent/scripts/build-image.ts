/**
 * Builds the agent's OCI image layout without a daemon; the same files give the same digest. It holds the
 * agent alone: the Node runtime comes from the base image of the Dockerfile.
 *
 *   node scripts/build-image.ts [--out image] [--check FILE | --pin FILE]
 *
 * --check fails unless FILE names the image by this digest; --pin writes the digest into FILE.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Entry, tar } from "./tar.ts";

const PARTS = ["package.json", "src", "prompts", "tools", "corpus", "model"];
const REFERENCE = /(support-agent@)sha256:[0-9a-f]{64}/g;
const OCI = "application/vnd.oci.image";

/** Writes the layout to `out`, replacing what was there, and returns the manifest digest. */
export function buildImage(root: string, out: string): string {
  const layer = tar(PARTS.flatMap((part) => collect(root, part)));
  rmSync(join(out, "blobs"), { recursive: true, force: true });
  mkdirSync(join(out, "blobs/sha256"), { recursive: true });
  const put = (mediaType: string, bytes: Uint8Array) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(out, "blobs/sha256", hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const putJson = (mediaType: string, value: object) => put(mediaType, Buffer.from(JSON.stringify(value)));

  const layerDescriptor = put(`${OCI}.layer.v1.tar`, layer);
  const platform = { architecture: "amd64", os: "linux" };
  const config = putJson(`${OCI}.config.v1+json`, {
    created: "1970-01-01T00:00:00Z",
    ...platform,
    config: {
      User: "65532:65532",
      ExposedPorts: { "8080/tcp": {} },
      Env: ["PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin", "HOST=0.0.0.0", "PORT=8080"],
      Entrypoint: ["node", "src/server.ts"],
      WorkingDir: "/app",
    },
    rootfs: { type: "layers", diff_ids: [layerDescriptor.digest] },
    history: [{ created: "1970-01-01T00:00:00Z", created_by: "scripts/build-image.ts" }],
  });
  const manifest = putJson(`${OCI}.manifest.v1+json`, {
    schemaVersion: 2,
    mediaType: `${OCI}.manifest.v1+json`,
    config,
    layers: [layerDescriptor],
  });
  const index = {
    schemaVersion: 2,
    mediaType: `${OCI}.index.v1+json`,
    manifests: [{ ...manifest, platform }],
  };
  writeFileSync(join(out, "index.json"), JSON.stringify(index));
  writeFileSync(join(out, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  return manifest.digest;
}

function collect(root: string, part: string): Entry[] {
  if (part.includes(".")) return [{ path: `app/${part}`, bytes: readFileSync(join(root, part)) }];
  return readdirSync(join(root, part), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ path: `app/${file.slice(root.length + 1)}`, bytes: readFileSync(file) }));
}

function check(file: string, digest: string): void {
  const found = readFileSync(file, "utf8").match(REFERENCE) ?? [];
  if (found.length > 0 && found.every((reference) => reference.endsWith(`@${digest}`))) return;
  throw new Error(`${file} does not name the image by ${digest}`);
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, "..");
  const { values } = parseArgs({
    options: { out: { type: "string" }, check: { type: "string" }, pin: { type: "string" } },
  });
  const digest = buildImage(root, values.out === undefined ? join(root, "image") : resolve(values.out));
  if (values.pin) {
    const text = readFileSync(values.pin, "utf8");
    writeFileSync(values.pin, text.replace(REFERENCE, `$1${digest}`));
  }
  const file = values.check ?? values.pin;
  if (file) check(file, digest);
  console.log(digest);
}

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { needTools } from "../../scripts/toolbox/find.ts";
import { type RunningRegistry, serveRegistry } from "../../scripts/toolbox/serve-registry.ts";
import { sha256 } from "../core/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { keyId, publicKeyPem } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import type { ImageStore } from "../store/image-store.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { signImage } from "./image-sign.ts";
import { keySigners } from "./image-signers.ts";
import { verifyImage } from "./image-verify.ts";
import { openImage } from "./open-image.ts";

// Both ways: what cosign 2 and cosign 3 sign is verified here, what is signed here they verify.

const tools = needTools("cosign2", "cosign3", "docker-registry", "registry");
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), "waybill-cosign-"));
const running: RunningRegistry[] = [];
after(async () => {
  for (const registry of running) await registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

const env = {
  PATH: process.env.PATH!,
  HOME: folder,
  COSIGN_PASSWORD: "tulip",
  TUF_ROOT: join(folder, "tuf"),
};
const cosign = (version: "cosign2" | "cosign3", ...args: string[]) =>
  run(tools.paths[version], args, { env, cwd: folder, timeout: 60_000 });
const access = { env: { HOME: folder } };

/** Stores a small image, or an index of two. */
async function makeImage(
  store: ImageStore,
  tag: string,
  note: string,
): Promise<{ digest: string; parts: string[] }> {
  const parts: { digest: string; size: number; mediaType: string; platform: object }[] = [];
  for (const architecture of ["amd64", "arm64"]) {
    const config = Buffer.from(
      JSON.stringify({ architecture, os: "linux", rootfs: { type: "layers", diff_ids: [] }, note }),
    );
    await store.upload(bytesSource(config));
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: {
          mediaType: "application/vnd.oci.image.config.v1+json",
          digest: `sha256:${sha256(config)}`,
          size: config.length,
        },
        layers: [],
      }),
    );
    await store.write(manifest, OCI_MANIFEST, `${tag}-${architecture}`);
    parts.push({
      mediaType: OCI_MANIFEST,
      digest: `sha256:${sha256(manifest)}`,
      size: manifest.length,
      platform: { os: "linux", architecture },
    });
  }
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: parts }));
  return {
    digest: await store.write(index, OCI_INDEX, tag),
    parts: parts.map(({ digest }) => digest.slice(7)),
  };
}

async function makeKey(
  name: string,
  namedCurve: string,
): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  const pair = generateKeyPairSync("ec", { namedCurve });
  writeFileSync(join(folder, `${name}.p8`), pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  writeFileSync(join(folder, `${name}.pem`), publicKeyPem(pair.publicKey));
  await cosign("cosign2", "import-key-pair", "--key", `${name}.p8`, "--output-key-prefix", name);
  return pair;
}

const registries = ["docker-registry", "registry"] as const;
for (const [i, curve] of (["P-256", "P-384", "P-521"] as const).entries())
  test(`${curve}: signatures go both ways, in both layouts`, {
    skip: tools.skip,
    timeout: 180_000,
  }, async () => {
    const registry = await serveRegistry(tools.paths[registries[i % 2]!]);
    running.push(registry);
    const pair = await makeKey(curve, curve);
    const key = { name: "k", keyId: keyId(pair.publicKey), ...pair };
    await cosign("cosign2", "trusted-root", "create", "--out", "tr.json");
    const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    writeFileSync(join(folder, "other.pem"), publicKeyPem(stranger));
    const options = { types: [IMAGE_SIGNATURE], signers: keySigners([pair.publicKey]) };
    const insecure = ["--allow-insecure-registry", "--allow-http-registry"];

    // Theirs, verified here.
    const theirs: [string, "cosign2" | "cosign3", string[], "tag" | "referrer"][] = [
      ["c2-tag", "cosign2", ["--tlog-upload=false"], "tag"],
      ["c2-new", "cosign2", ["--tlog-upload=false", "--new-bundle-format"], "referrer"],
      ["c3", "cosign3", ["--use-signing-config=false", "--tlog-upload=false"], "referrer"],
      [
        "c3-tag",
        "cosign3",
        ["--use-signing-config=false", "--tlog-upload=false", "--new-bundle-format=false"],
        "tag",
      ],
    ];
    for (const [name, version, flags, layout] of theirs) {
      const reference = `${registry.host}/team/${name}`;
      const opened = openImage(`${reference}:v1`, access);
      const { digest } = await makeImage(opened.store, "v1", name);
      const unsigned = await verifyImage(opened, options);
      assert.deepEqual([unsigned.outcome, unsigned.findings[0]?.code], ["deny", "WB-IMAGE-030"]);
      await cosign(
        version,
        "sign",
        "--key",
        `${curve}.key`,
        ...flags,
        ...insecure,
        "--yes",
        `${reference}@sha256:${digest}`,
      );
      const verdict = await verifyImage(opened, options);
      assert.equal(verdict.outcome, "allow", `${name}: ${JSON.stringify(verdict.findings)}`);
      assert.deepEqual(
        verdict.accepted.map((each) => each.layout),
        [layout],
        name,
      );
    }

    // Ours, verified there. cosign signs with the hash of the curve and, unless told, verifies with SHA-256.
    const digest = [
      "--signature-digest-algorithm",
      { "P-256": "sha256", "P-384": "sha384", "P-521": "sha512" }[curve],
    ];
    for (const layout of ["tag", "referrer"] as const) {
      const reference = `${registry.host}/team/ours-${layout}`;
      const opened = openImage(`${reference}:v1`, access);
      await makeImage(opened.store, "v1", layout);
      await signImage(opened, { statements: keySigner(key), key }, [layout], new Date());
      const image = `${reference}:v1`;
      const flags = ["verify", "--key", `${curve}.pem`, "--insecure-ignore-tlog", ...digest, ...insecure];
      const bundles = layout === "referrer";
      const c2 = bundles ? ["--new-bundle-format", "--trusted-root", "tr.json"] : [];
      await cosign("cosign2", ...flags, ...c2, image);
      await cosign("cosign3", ...flags, ...(bundles ? [] : ["--new-bundle-format=false"]), image);
      await assert.rejects(
        cosign("cosign3", "verify", "--key", "other.pem", "--insecure-ignore-tlog", ...insecure, image),
        "cosign does look at the key",
      );
      assert.equal((await verifyImage(opened, options)).outcome, "allow");
      const denied = await verifyImage(opened, { ...options, signers: keySigners([stranger]) });
      assert.deepEqual([denied.outcome, denied.findings[0]?.code], ["deny", "WB-IMAGE-033"]);
    }
  });

test("attestations go both ways, and are no signatures", { skip: tools.skip, timeout: 180_000 }, async () => {
  const registry = await serveRegistry(tools.paths["docker-registry"]);
  running.push(registry);
  const pair = await makeKey("attester", "P-256");
  const key = { name: "k", keyId: keyId(pair.publicKey), ...pair };
  await cosign("cosign2", "trusted-root", "create", "--out", "tr.json");
  const insecure = ["--allow-insecure-registry", "--allow-http-registry"];
  const type = "https://in-toto.io/attestation/test-result/v0.1";
  const predicate = { result: "PASSED", configuration: [] };
  writeFileSync(join(folder, "predicate.json"), JSON.stringify(predicate));
  const signers = keySigners([pair.publicKey]);

  for (const [name, version, flags, layout] of [
    ["tag", "cosign2", [], "tag"],
    ["new", "cosign2", ["--new-bundle-format"], "referrer"],
    ["three", "cosign3", ["--use-signing-config=false"], "referrer"],
  ] as const) {
    const opened = openImage(`${registry.host}/attested/${name}:v1`, access);
    const { digest } = await makeImage(opened.store, "v1", name);
    const image = `${registry.host}/attested/${name}@sha256:${digest}`;
    await cosign(
      version,
      "attest",
      "--key",
      "attester.key",
      "--type",
      type,
      "--predicate",
      "predicate.json",
      "--tlog-upload=false",
      ...flags,
      ...insecure,
      "--yes",
      image,
    );
    const verdict = await verifyImage(opened, { types: [type], signers });
    assert.equal(verdict.outcome, "allow", `${name}: ${JSON.stringify(verdict.findings)}`);
    assert.deepEqual(
      verdict.accepted.map((each) => each.layout),
      [layout],
    );
    const asSignature = await verifyImage(opened, { types: [IMAGE_SIGNATURE], signers });
    assert.deepEqual([asSignature.outcome, asSignature.findings[0]?.code], ["deny", "WB-IMAGE-032"], name);
  }
  for (const layout of ["tag", "referrer"] as const) {
    const opened = openImage(`${registry.host}/attested/ours-${layout}:v1`, access);
    await makeImage(opened.store, "v1", layout);
    await signImage(opened, { statements: keySigner(key), key }, [layout], new Date(), { type, predicate });
    const flags = [
      "verify-attestation",
      "--key",
      "attester.pem",
      "--type",
      type,
      "--insecure-ignore-tlog",
      ...insecure,
    ];
    const bundles = layout === "referrer";
    const image = `${registry.host}/attested/ours-${layout}:v1`;
    await cosign(
      "cosign2",
      ...flags,
      ...(bundles ? ["--new-bundle-format", "--trusted-root", "tr.json"] : []),
      image,
    );
    await cosign("cosign3", ...flags, ...(bundles ? [] : ["--new-bundle-format=false"]), image);
    assert.equal((await verifyImage(opened, { types: [type], signers })).outcome, "allow");
  }
});

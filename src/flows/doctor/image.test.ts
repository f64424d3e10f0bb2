import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { needTools } from "../../../scripts/toolbox/find.ts";
import { serveRegistry } from "../../../scripts/toolbox/serve-registry.ts";
import { sha256 } from "../../core/digest.ts";
import { OCI_MANIFEST } from "../../formats/oci.ts";
import { bytesSource } from "../../net/oci/upload.ts";
import { keyId } from "../../sign/keys.ts";
import { keySigner } from "../../sign/statement-signer.ts";
import type { ImageStore } from "../../store/image-store.ts";
import { signImage } from "../image-sign.ts";
import { openImage } from "../open-image.ts";
import type { Bench, ConsumerName, Diagnosis } from "./consumer.ts";
import { doctor } from "./doctor.ts";
import { type KeyKind, keyPairOf } from "./kit.test.ts";

const tools = needTools("cosign2", "cosign3", "docker-registry", "registry");
const folder = mkdtempSync(join(tmpdir(), "waybill-doctor-image-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const env = { PATH: process.env.PATH ?? "", HOME: folder };
const bench: Bench = {
  env: { ...env, WAYBILL_COSIGN2: tools.paths.cosign2, WAYBILL_COSIGN3: tools.paths.cosign3 },
  signal: new AbortController().signal,
  timeoutMs: 60_000,
};

async function storeImage(store: ImageStore, note: string): Promise<void> {
  const config = Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] }, note }),
  );
  await store.upload(bytesSource(config));
  const described = {
    mediaType: "application/vnd.oci.image.config.v1+json",
    digest: `sha256:${sha256(config)}`,
    size: config.length,
  };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: described, layers: [] };
  await store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, "v1");
}

function signer(name: string, kind: KeyKind = "P-256") {
  const pair = keyPairOf(kind);
  writeFileSync(join(folder, `${name}.pub`), pair.publicKey.export({ type: "spki", format: "pem" }));
  return { name, keyId: keyId(pair.publicKey), ...pair };
}

const outcomes = (diagnoses: readonly Diagnosis[]) =>
  Object.fromEntries(diagnoses.map(({ consumer, outcome }) => [consumer, outcome])) as Record<
    ConsumerName,
    string
  >;

const ask = (target: string, key?: string) =>
  doctor({ target, cwd: folder, registries: { env }, ...(key ? { key: `${key}.pub` } : {}) }, bench);

test("images: each layout, each key, run against a real registry", {
  skip: tools.skip,
  timeout: 120_000,
}, async (t) => {
  const registry = await serveRegistry(tools.paths["docker-registry"]!);
  try {
    const layouts = { tag: ["tag"], referrer: ["referrer"], both: ["tag", "referrer"] } as const;
    for (const kind of ["P-256", "P-384"] as const)
      for (const [name, layout] of Object.entries(layouts))
        await t.test(`${name} by ${kind}`, async () => {
          const target = `${registry.host}/team/${name}-${kind.toLowerCase()}:v1`;
          const opened = openImage(target, { env });
          await storeImage(opened.store, name);
          const unsigned = outcomes(await ask(target));
          assert.deepEqual(
            [unsigned.waybill, unsigned.cosign3, unsigned.kyverno],
            ["refuses", "refuses", "refuses"],
          );
          const key = signer(`${name}-${kind}`, kind);
          await signImage(opened, { statements: keySigner(key), key }, layout, new Date());
          const answer = await ask(target, key.name);
          const said = outcomes(answer);
          assert.equal(said.waybill, "accepts", JSON.stringify(answer));
          assert.equal(said.cosign2, "accepts", JSON.stringify(answer[1]));
          assert.equal(said.cosign3, "accepts", JSON.stringify(answer[2]));
          assert.ok(answer.slice(1, 3).every(({ how }) => how === "run"));
          // Only the tags are read by policy-controller for a key.
          assert.equal(said["policy-controller"], name === "referrer" ? "refuses" : "accepts");
          assert.equal(said.model_signing, "cannot tell");
          const stranger = outcomes(await ask(target, signer("stranger").name));
          for (const consumer of ["waybill", "cosign2", "cosign3", "policy-controller", "kyverno"] as const)
            assert.equal(stranger[consumer], "refuses", consumer);
          assert.equal(outcomes(await ask(target)).cosign3, "cannot tell");
        });
  } finally {
    await registry.stop();
  }
});

test("an entry that a registry lists without its type is told to be invisible to Kyverno", {
  skip: tools.skip,
  timeout: 120_000,
}, async () => {
  const registry = await serveRegistry(tools.paths.registry!);
  try {
    const target = `${registry.host}/team/theirs:v1`;
    const opened = openImage(target, { env });
    await storeImage(opened.store, "theirs");
    const { privateKey } = signer("theirs");
    writeFileSync(join(folder, "theirs.p8"), privateKey.export({ type: "pkcs8", format: "pem" }));
    const run = promisify(execFile);
    const options = { cwd: folder, env: { ...env, COSIGN_PASSWORD: "tulip", TUF_ROOT: join(folder, "tuf") } };
    await run(
      tools.paths.cosign2!,
      ["import-key-pair", "--key", "theirs.p8", "--output-key-prefix", "theirs-c"],
      options,
    );
    await run(
      tools.paths.cosign2!,
      [
        "sign",
        "--key=theirs-c.key",
        "--new-bundle-format",
        "--tlog-upload=false",
        "--allow-http-registry",
        "--yes",
        target,
      ],
      options,
    );
    const answer = await ask(target, "theirs");
    assert.equal(outcomes(answer).cosign3, "accepts", JSON.stringify(answer));
    const kyverno = answer.find(({ consumer }) => consumer === "kyverno")!;
    assert.equal(kyverno.outcome, "refuses", JSON.stringify(kyverno));
    assert.match(kyverno.why.join(), /passes over/);
  } finally {
    await registry.stop();
  }
});

test("a layout on disk is judged by the rules", async () => {
  const target = `oci:${join(folder, "layout")}:v1`;
  const opened = openImage(target, { env }, { create: true });
  await storeImage(opened.store, "layout");
  const key = signer("layout");
  await signImage(opened, { statements: keySigner(key), key }, ["referrer"], new Date());
  const answer = await ask(target, "layout");
  assert.equal(outcomes(answer).waybill, "accepts", JSON.stringify(answer));
  assert.ok(answer.filter(({ consumer }) => consumer.startsWith("cosign")).every(({ how }) => how !== "run"));
});

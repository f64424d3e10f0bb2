import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { keyId } from "../sign/keys.ts";
import { makeSimpleSigning, SIMPLE_SIGNING } from "../sign/simple-signing.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { signImage } from "./image-sign.ts";
import { imageSigners, keySigners } from "./image-signers.ts";
import { type ImageVerdict, verifyImage } from "./image-verify.ts";
import { type OpenedImage, openImage } from "./open-image.ts";
import { scratch } from "./proofs-agent.test.ts";
import { GITHUB, TestAuthority, workflow } from "./proofs-authority.test.ts";

// Signatures of images, in a layout on disk: which image they are about, and who made them.

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { name: "ci", keyId: keyId(pair.publicKey), ...pair };
const signer = { statements: keySigner(key), key };
const BOTH = ["tag", "referrer"] as const;
const TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1";

function layout(): { path: string; at(reference: string): OpenedImage } {
  const path = join(mkdtempSync(join(scratch, "image-")), "layout");
  openImage(`oci:${path}:v1`, { env: {} }, { create: true });
  return { path, at: (reference) => openImage(`oci:${path}${reference}`, { env: {} }) };
}

/** Puts an image that differs by its note under the tag v1; gives its digest. */
async function put({ store }: OpenedImage, note: string): Promise<string> {
  const config = Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", note }));
  await store.upload(bytesSource(config));
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: "application/json", digest: `sha256:${sha256(config)}`, size: config.length },
    layers: [],
  };
  return store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, "v1");
}

const verdictOf = (opened: OpenedImage, type = IMAGE_SIGNATURE): Promise<ImageVerdict> =>
  verifyImage(opened, { types: [type], signers: keySigners([pair.publicKey]) });

test("an image is signed and attested by its digest: a tag that moves takes nothing along", async () => {
  const { at } = layout();
  const first = await put(at(":v1"), "first");
  const signed = await signImage(at(":v1"), signer, BOTH, new Date());
  const claim = { type: TEST_RESULT, predicate: { result: "PASSED" } };
  const attested = await signImage(at(":v1"), signer, BOTH, new Date(), claim);
  assert.deepEqual([signed.digest, attested.digest], [first, first]);
  const second = await put(at(":v1"), "second");
  assert.notEqual(second, first);
  for (const type of [IMAGE_SIGNATURE, TEST_RESULT]) {
    const moved = await verdictOf(at(":v1"), type);
    assert.deepEqual(
      [moved.outcome, moved.digest, moved.findings[0]?.code],
      ["deny", second, "WB-IMAGE-030"],
    );
    const named = await verdictOf(at(`@sha256:${first}`), type);
    assert.equal(named.outcome, "allow", type);
    assert.ok(named.accepted.every(({ digest }) => digest === first));
  }
});

test("an image that was changed after signing is denied, also with the old signature under its name", async () => {
  const { at } = layout();
  const first = await put(at(":v1"), "as built");
  await signImage(at(":v1"), signer, BOTH, new Date());
  assert.equal((await verdictOf(at(":v1"))).outcome, "allow");
  const second = await put(at(":v1"), "as built, and one thing more");
  const { store } = at(":v1");
  const old = await store.read(`sha256-${first}.sig`);
  await store.write(old!.bytes, OCI_MANIFEST, `sha256-${second}.sig`);
  const verdict = await verdictOf(at(":v1"));
  assert.deepEqual([verdict.outcome, verdict.findings.map(({ code }) => code)], ["deny", ["WB-IMAGE-031"]]);
});

test("what a workflow's cosign 2.2 step leaves in the tag verifies for that workflow, and for nobody else", async () => {
  const [authority, other] = [new TestAuthority("acme"), new TestAuthority("acme")];
  const { path, at } = layout();
  const digest = await put(at(":v1"), "signed by CI");
  const payload = makeSimpleSigning("registry.example/acme/agent", digest);
  const identity = { issuer: GITHUB, subject: workflow("acme/agent") };
  const { store } = at(":v1");
  await store.upload(bytesSource(payload));
  const leave = (annotations: Record<string, string>) => {
    const descriptor = { digest: `sha256:${sha256(payload)}`, size: payload.length };
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...descriptor },
      layers: [{ mediaType: SIMPLE_SIGNING, ...descriptor, annotations }],
    };
    return store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, `sha256-${digest}.sig`);
  };
  const root = `${path}.json`;
  writeFileSync(root, JSON.stringify(authority.root()));
  const judged = async (asked: { issuer: string; subject: string }) => {
    const options = { trustedRoot: root, requireLog: false, now: new Date() };
    const signers = await imageSigners({ by: "identity", ...asked }, options);
    return verifyImage(at(":v1"), { types: [IMAGE_SIGNATURE], signers });
  };
  // Years ago: what counts is when the log saw it, not that the certificate is over.
  const made = authority.annotations(payload, identity, new Date("2024-05-01T12:00:00Z"));
  await leave(made);
  const verdict = await judged(identity);
  assert.equal(verdict.outcome, "allow", JSON.stringify(verdict.findings));
  const [{ layout: where, established }] = verdict.accepted as [(typeof verdict.accepted)[0]];
  assert.deepEqual([where, established.times[0]?.by, established.logged.length], ["tag", "rekor-set", 1]);
  for (const asked of [
    { ...identity, subject: workflow("mallory/agent") },
    { ...identity, subject: workflow("acme/agent", "refs/heads/other") },
    { ...identity, issuer: "https://gitlab.com" },
  ])
    assert.equal((await judged(asked)).outcome, "deny", JSON.stringify(asked));
  const log = "dev.sigstore.cosign/bundle";
  const { [log]: entry, ...unlogged } = made;
  const elsewhere = other.annotations(payload, identity, new Date());
  for (const annotations of [unlogged, { ...unlogged, [log]: elsewhere[log]! }, elsewhere]) {
    await leave(annotations);
    assert.equal((await judged(identity)).outcome, "deny");
  }
  await leave({ ...unlogged, [log]: entry! });
  assert.equal((await judged(identity)).outcome, "allow");
});

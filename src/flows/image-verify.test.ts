import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { SIGNATURE } from "../sign/cosign-layer.ts";
import { keyId, publicKeyPem } from "../sign/keys.ts";
import { makeSimpleSigning, SIMPLE_SIGNING } from "../sign/simple-signing.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { signImage } from "./image-sign.ts";
import { imageSigners, keySigners } from "./image-signers.ts";
import { verifyImage } from "./image-verify.ts";
import { type OpenedImage, openImage } from "./open-image.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-image-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { name: "k", keyId: keyId(pair.publicKey), ...pair };
const signer = { statements: keySigner(key), key };
const signers = keySigners([pair.publicKey]);
const question = { types: [IMAGE_SIGNATURE], signers };
const now = new Date("2026-05-01T00:00:00Z");
let count = 0;

/** A layout with an index of two platforms under the tag v1. */
async function layout(): Promise<{
  opened: OpenedImage;
  at(reference: string): OpenedImage;
  index: string;
  parts: string[];
}> {
  count += 1;
  const path = join(folder, `layout-${count}`);
  const { store } = openImage(`oci:${path}:v1`, { env: {} }, { create: true });
  const parts: { digest: string }[] = [];
  for (const architecture of ["amd64", "arm64"]) {
    const config = Buffer.from(JSON.stringify({ architecture, count }));
    await store.upload(bytesSource(config));
    const descriptor = {
      mediaType: "application/vnd.oci.image.config.v1+json",
      digest: `sha256:${sha256(config)}`,
      size: config.length,
    };
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor, layers: [] }),
    );
    const digest = await store.write(bytes, OCI_MANIFEST, architecture);
    const platform = { os: "linux", architecture };
    parts.push({ ...{ mediaType: OCI_MANIFEST, size: bytes.length, platform }, digest: `sha256:${digest}` });
  }
  const index = await store.write(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: parts })),
    OCI_INDEX,
    "v1",
  );
  const at = (reference: string) => openImage(`oci:${path}${reference}`, { env: {} });
  return { opened: at(":v1"), at, index, parts: parts.map(({ digest }) => digest.slice(7)) };
}

test("a signature on an index counts for the platform that it names, and for no other", async () => {
  const { opened, at, index, parts } = await layout();
  await signImage(opened, signer, ["tag", "referrer"], now);
  const whole = await verifyImage(opened, question);
  assert.equal(whole.outcome, "allow");
  assert.deepEqual(whole.accepted.map((each) => each.layout).toSorted(), ["referrer", "tag"]);
  const arm = await verifyImage(opened, { ...question, platform: "linux/arm64" });
  assert.deepEqual([arm.outcome, arm.platform?.digest, arm.accepted[0]?.digest], ["allow", parts[1], index]);
  assert.match(arm.notes.join(), /on the index/);
  const none = await verifyImage(opened, { ...question, platform: "linux/s390x" });
  assert.deepEqual([none.outcome, none.findings[0]?.code], ["deny", "WB-IMAGE-036"]);
  // The image alone, without the index that vouches for it, is not signed.
  assert.equal((await verifyImage(at(`@sha256:${parts[1]}`), question)).outcome, "deny");
});

test("a signature on one platform's image does not count for the index", async () => {
  const { opened, at, parts } = await layout();
  await signImage(at(`@sha256:${parts[0]}`), signer, ["tag", "referrer"], now);
  assert.equal((await verifyImage(opened, question)).outcome, "deny");
  assert.equal((await verifyImage(opened, { ...question, platform: "linux/amd64" })).outcome, "allow");
  assert.equal((await verifyImage(opened, { ...question, platform: "linux/arm64" })).outcome, "deny");
});

test("a signature of another image under this one's tag is for another image", async () => {
  const [one, other] = [await layout(), await layout()];
  await signImage(other.opened, signer, ["tag"], now);
  const stolen = (await other.opened.store.read(`sha256-${other.index}.sig`))!;
  if (typeof stolen.manifest === "string") assert.fail();
  for (const { sha256: digest, size } of stolen.manifest.blobs)
    await one.opened.store.upload(bytesSource(await other.opened.store.blob({ digest, size }, 1 << 16)));
  await one.opened.store.write(stolen.bytes, OCI_MANIFEST, `sha256-${one.index}.sig`);
  const verdict = await verifyImage(one.opened, question);
  assert.deepEqual([verdict.outcome, verdict.findings.map(({ code }) => code)], ["deny", ["WB-IMAGE-031"]]);
});

test("a statement about another image is not counted though its manifest refers to this one", async () => {
  const [one, other] = [await layout(), await layout()];
  await signImage(other.opened, signer, ["referrer"], now);
  const [listed] = await other.opened.store.referrers(other.index);
  const stolen = (await other.opened.store.read(`sha256:${listed!.sha256}`))!;
  const bytes = stolen.bytes.toString().replaceAll(other.index, one.index);
  if (typeof stolen.manifest === "string") assert.fail();
  for (const { sha256: digest, size } of stolen.manifest.blobs)
    await one.opened.store.upload(bytesSource(await other.opened.store.blob({ digest, size }, 1 << 16)));
  await one.opened.store.write(Buffer.from(bytes), OCI_MANIFEST);
  const verdict = await verifyImage(one.opened, question);
  assert.deepEqual([verdict.outcome, verdict.findings.map(({ code }) => code)], ["deny", ["WB-IMAGE-031"]]);
});

test("an attestation is no signature, and a stranger's signature is none of ours", async () => {
  const { opened } = await layout();
  await signImage(opened, signer, ["tag", "referrer"], now, {
    type: "https://example.com/claim/v1",
    predicate: {},
  });
  const attested = await verifyImage(opened, question);
  assert.deepEqual([attested.outcome, attested.findings.map(({ code }) => code)], ["deny", ["WB-IMAGE-032"]]);
  const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  await signImage(opened, signer, ["tag", "referrer"], now);
  const other = await verifyImage(opened, { ...question, signers: keySigners([stranger]) });
  assert.equal(other.outcome, "deny");
  assert.equal(other.findings[0]?.code, "WB-IMAGE-033");
  const both = await verifyImage(opened, question);
  assert.deepEqual([both.outcome, both.accepted.length], ["allow", 2]);
});

test("a changed payload, a changed signature and rubbish are told apart and never counted", async () => {
  const { opened, index } = await layout();
  const payload = makeSimpleSigning("somewhere.example/else", index);
  await opened.store.upload(bytesSource(payload));
  const layer = (annotations: object, mediaType = SIMPLE_SIGNING) => ({
    mediaType,
    digest: `sha256:${sha256(payload)}`,
    size: payload.length,
    annotations,
  });
  const config = Buffer.from("{}");
  await opened.store.upload(bytesSource(config));
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: "application/json", digest: `sha256:${sha256(config)}`, size: 2 },
    layers: [
      layer({ [SIGNATURE]: Buffer.from("3006020101020101", "hex").toString("base64") }),
      layer({ [SIGNATURE]: "not base64!" }),
      layer({}, "text/plain"),
      layer({ [SIGNATURE]: "AAAA", "dev.sigstore.cosign/bundle": "{" }),
      layer({
        [SIGNATURE]: "AAAA",
        "dev.sigstore.cosign/certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      }),
    ],
  };
  await opened.store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, `sha256-${index}.sig`);
  const verdict = await verifyImage(opened, question);
  assert.equal(verdict.outcome, "deny");
  const details = verdict.findings.flatMap((finding) => finding.details ?? []);
  assert.equal(details.length, 5, details.join("\n"));
});

test("more than can be looked at is said", async () => {
  const { opened, index } = await layout();
  const payload = makeSimpleSigning("a.example/b", index);
  await opened.store.upload(bytesSource(payload));
  const layers = Array.from({ length: 250 }, () => ({
    mediaType: SIMPLE_SIGNING,
    digest: `sha256:${sha256(payload)}`,
    size: payload.length,
    annotations: { [SIGNATURE]: "AAAA" },
  }));
  await opened.store.write(
    Buffer.from(JSON.stringify({ schemaVersion: 2, config: layers[0], layers })),
    OCI_MANIFEST,
    `sha256-${index}.sig`,
  );
  const verdict = await verifyImage(opened, question);
  assert.ok(verdict.findings.some(({ code, message }) => code === "WB-IMAGE-037" && /50 more/.test(message)));
});

test("an identity that can match nothing is told with the one that is meant", async () => {
  const { opened } = await layout();
  const identity = await imageSigners(
    {
      by: "identity",
      subject: "repo:myorg/agent:ref:refs/heads/main",
      issuer: "https://token.actions.githubusercontent.com",
    },
    { trustedRoot: "sigstore-public", requireLog: false, now },
  );
  const verdict = await verifyImage(opened, { ...question, signers: identity });
  assert.equal(verdict.findings[0]?.code, "WB-TRUST-012");
  assert.match(
    verdict.findings[0]!.expected!,
    /^https:\/\/github\.com\/myorg\/agent\/\.github\/workflows\/.+@refs\/heads\/main$/,
  );
});

test("a trust policy says who may sign images, how many of them, and what else they may sign", async () => {
  const { opened } = await layout();
  const other = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const second = { name: "o", keyId: keyId(other.publicKey), ...other };
  const file = join(folder, "trust.yaml");
  const policy = (threshold: number, evidence = "image") =>
    writeFileSync(
      file,
      JSON.stringify({
        waybillTrust: "v1",
        version: 1,
        expires: "2040-01-01T00:00:00Z",
        principals: [
          { name: "ann", keys: [{ publicKey: publicKeyPem(pair.publicKey) }] },
          { name: "bob", keys: [{ publicKey: publicKeyPem(other.publicKey) }] },
        ],
        rules: [{ evidence, agents: ["*"], principals: ["ann", "bob"], threshold }],
      }),
    );
  const verdict = async (asked = now) =>
    verifyImage(opened, {
      types: [IMAGE_SIGNATURE],
      signers: await imageSigners(
        { by: "trust", file, agent: undefined },
        { trustedRoot: undefined, requireLog: false, now: asked },
      ),
    });
  policy(1);
  await signImage(opened, signer, ["tag", "referrer"], now);
  const one = await verdict();
  assert.deepEqual([one.outcome, one.accepted.map(({ by }) => by)], ["allow", ["ann", "ann"]]);
  policy(2);
  const two = await verdict();
  assert.deepEqual([two.outcome, two.findings[0]?.code], ["deny", "WB-IMAGE-033"]);
  await signImage(opened, { statements: keySigner(second), key: second }, ["tag"], now);
  assert.equal((await verdict()).outcome, "allow");
  policy(1, "sbom");
  assert.equal((await verdict()).outcome, "deny");
  await assert.rejects(verdict(new Date("2041-01-01T00:00:00Z")), { code: "WB-INPUT-006" });
});

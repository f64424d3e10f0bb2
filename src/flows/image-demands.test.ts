import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Json } from "../core/canonical-json.ts";
import { type Hex, sha256 } from "../core/digest.ts";
import { cosignatureSigner, encodeVerifierKey, signatureLine } from "../core/note.ts";
import { encodeStatement, STATEMENT_TYPE } from "../evidence/statement.ts";
import { EMPTY_TYPE, OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { BUNDLE_MEDIA_TYPE, makeKeyBundle } from "../sign/bundle.ts";
import { DSSE_LAYER } from "../sign/cosign-layer.ts";
import { publicKeyPem } from "../sign/keys.ts";
import { bundleOf, PrivateSigstore, signThing } from "../sign/private-sigstore.test.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { imageSigners, keySigners } from "./image-signers.ts";
import { verifyImage } from "./image-verify.ts";
import { type OpenedImage, openImage } from "./open-image.ts";

// What may be demanded of the signatures of images beyond a signer: a log, witnesses; and how large they may be.

const folder = mkdtempSync(join(tmpdir(), "waybill-demands-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const sigstore = new PrivateSigstore();
const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const now = new Date("2026-06-01T00:00:00Z");
const SBOM = "https://spdx.dev/Document";
let count = 0;

interface Made {
  opened: OpenedImage;
  digest: Hex;
}

async function image(): Promise<Made> {
  count += 1;
  const opened = openImage(`oci:${join(folder, `layout-${count}`)}:v1`, { env: {} }, { create: true });
  const config = Buffer.from(`{"n":${count}}`);
  await opened.store.upload(bytesSource(config));
  const descriptor = {
    mediaType: "application/json",
    digest: `sha256:${sha256(config)}`,
    size: config.length,
  };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor, layers: [] };
  const digest = await opened.store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, "v1");
  return { opened, digest };
}

async function store({ opened, digest }: Made, text: string, mediaType: string, tag?: string): Promise<void> {
  const [empty, bytes] = [Buffer.from("{}"), Buffer.from(text)];
  for (const blob of [empty, bytes]) await opened.store.upload(bytesSource(blob));
  const subject = { mediaType: OCI_MANIFEST, digest: `sha256:${digest}`, size: 1 };
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: mediaType,
    config: { mediaType: EMPTY_TYPE, digest: `sha256:${sha256(empty)}`, size: 2 },
    layers: [{ mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length }],
    ...(tag === undefined ? { subject } : {}),
  };
  await opened.store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, tag);
}

const statementOf = (digest: Hex, type: string, predicate: { [key: string]: Json } = {}) =>
  encodeStatement({
    _type: STATEMENT_TYPE,
    subject: [{ digest: { sha256: digest } }],
    predicateType: type,
    predicate,
  });

/** A signature by the key, in the log, its checkpoint cosigned by these. */
async function signLogged(made: Made, notes?: (checkpoint: string) => string): Promise<void> {
  const statement = statementOf(made.digest, IMAGE_SIGNATURE);
  const { data, signature } = signThing(pair, { statement });
  const entry = sigstore.entry(sigstore.body(data, signature, pair, "0.0.2"), undefined, notes);
  const bundle = bundleOf({ statement }, signature, pair, { entries: [entry] });
  await store(made, JSON.stringify(bundle), BUNDLE_MEDIA_TYPE);
}

test("--require-log: a signature in no trusted log does not count, one in it does", async () => {
  const root = join(folder, "root.json");
  writeFileSync(root, JSON.stringify(sigstore.trustedRoot()));
  const verdict = async ({ opened }: Made, requireLog: boolean, trustedRoot: string | undefined = root) => {
    const signer = { by: "key", publicKey: pair.publicKey } as const;
    const signers = await imageSigners(signer, { trustedRoot, requireLog, now });
    return verifyImage(opened, { types: [IMAGE_SIGNATURE], signers });
  };
  const bare = await image();
  await store(
    bare,
    makeKeyBundle(statementOf(bare.digest, IMAGE_SIGNATURE), pair.privateKey),
    BUNDLE_MEDIA_TYPE,
  );
  assert.equal((await verdict(bare, false)).outcome, "allow");
  const refused = await verdict(bare, true);
  assert.deepEqual([refused.outcome, refused.findings[0]?.code], ["deny", "WB-IMAGE-034"]);
  assert.match(refused.findings[0]!.details!.join(), /WB-LOG-001/);
  const logged = await image();
  await signLogged(logged);
  assert.equal((await verdict(logged, true)).outcome, "allow");
  const strange = join(folder, "other-root.json");
  writeFileSync(strange, JSON.stringify(new PrivateSigstore().trustedRoot()));
  assert.equal((await verdict(logged, true, strange)).outcome, "deny", "a log that nobody trusts is none");
});

test("the witnesses that trust names are told, and nobody else's", async () => {
  const witness = (name: string) => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const signer = cosignatureSigner(name, privateKey, () => Math.floor(now.getTime() / 1000));
    return { signer, key: encodeVerifierKey(name, createPublicKey(privateKey), "cosignature") };
  };
  const [known, stranger] = [witness("w.example"), witness("x.example")];
  const file = join(folder, "trust.yaml");
  const policy = {
    waybillTrust: "v1",
    version: 1,
    expires: "2040-01-01T00:00:00Z",
    principals: [{ name: "ann", keys: [{ publicKey: publicKeyPem(pair.publicKey) }] }],
    trustedRoots: [{ name: "private", root: sigstore.trustedRoot() }],
    witnesses: { threshold: 1, keys: [known.key] },
    rules: [{ evidence: "image", agents: ["*"], principals: ["ann"], threshold: 1 }],
  };
  writeFileSync(file, JSON.stringify(policy));
  const seen = async (...by: (typeof known)[]) => {
    const made = await image();
    await signLogged(made, (text) => by.map(({ signer }) => signatureLine(text, signer)).join(""));
    const signers = await imageSigners(
      { by: "trust", file, agent: undefined, home: join(folder, "home") },
      { trustedRoot: undefined, requireLog: true, now },
    );
    const verdict = await verifyImage(made.opened, { types: [IMAGE_SIGNATURE], signers });
    assert.equal(verdict.outcome, "allow", JSON.stringify(verdict.findings));
    return verdict.accepted[0]!.established.logged[0]!.witnesses;
  };
  assert.deepEqual(await seen(known, stranger), ["w.example"]);
  assert.deepEqual(await seen(stranger), []);
});

test("an attestation of 12 MiB counts for whoever asks for its type, and for nobody else", async () => {
  const predicate = { text: "x".repeat(9_000_000) };
  const question = { types: [SBOM], signers: keySigners([pair.publicKey]) };
  const made = await image();
  const bundle = makeKeyBundle(statementOf(made.digest, SBOM, predicate), pair.privateKey, {
    maxBytes: 16 << 20,
  });
  const { dsseEnvelope } = JSON.parse(bundle);
  await store(made, bundle, BUNDLE_MEDIA_TYPE);
  await store(made, JSON.stringify(dsseEnvelope), DSSE_LAYER, `sha256-${made.digest}.att`);
  const verdict = await verifyImage(made.opened, question);
  assert.deepEqual(
    [verdict.outcome, verdict.accepted.length],
    ["allow", 2],
    JSON.stringify(verdict.findings),
  );
  const other = await verifyImage(made.opened, { ...question, types: [IMAGE_SIGNATURE] });
  assert.equal(other.outcome, "deny");
  assert.match(other.findings.flatMap(({ details }) => details ?? []).join(), /at most 1048576|larger/);
  const larger = await image();
  await store(
    larger,
    makeKeyBundle(statementOf(larger.digest, SBOM, { text: "x".repeat(13_000_000) }), pair.privateKey, {
      maxBytes: 32 << 20,
    }),
    BUNDLE_MEDIA_TYPE,
  );
  assert.equal((await verifyImage(larger.opened, question)).outcome, "deny");
});

test("many large attestations are looked at only as far as memory allows", async () => {
  const made = await image();
  for (let i = 0; i < 9; i += 1) {
    const predicate = { text: String(i).repeat(8_000_000) };
    const bundle = makeKeyBundle(statementOf(made.digest, SBOM, predicate), pair.privateKey, {
      maxBytes: 16 << 20,
    });
    await store(made, bundle, BUNDLE_MEDIA_TYPE);
  }
  const verdict = await verifyImage(made.opened, { types: [SBOM], signers: keySigners([pair.publicKey]) });
  assert.ok(verdict.findings.some(({ code }) => code === "WB-IMAGE-037"));
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Json } from "../core/canonical-json.ts";
import { type Hex, sha256 } from "../core/digest.ts";
import { OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { CERTIFICATE, CHAIN, LOG_BUNDLE, SIGNATURE } from "../sign/cosign-layer.ts";
import { type Issued, PrivateSigstore, signThing } from "../sign/private-sigstore.test.ts";
import { makeSimpleSigning, SIMPLE_SIGNING } from "../sign/simple-signing.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { imageSigners } from "./image-signers.ts";
import { verifyImage } from "./image-verify.ts";
import { type OpenedImage, openImage } from "./open-image.ts";

// A keyless signature as cosign 2.2 leaves it under a tag: Fulcio's certificate, its chain, and Rekor's promise, all of
// them annotations of a layer. Everything is verified offline.

const folder = mkdtempSync(join(tmpdir(), "waybill-annotations-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const sigstore = new PrivateSigstore();
const root = join(folder, "trusted_root.json");
writeFileSync(root, JSON.stringify(sigstore.trustedRoot()));
const SUBJECT = "https://ci.test/job@refs/heads/main";
const ISSUER = "https://issuer.test";
let count = 0;

async function image(): Promise<{ opened: OpenedImage; digest: Hex }> {
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

const pem = ({ der }: Issued) =>
  `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/.{64}(?=.)/g, "$&\n")}\n-----END CERTIFICATE-----\n`;

/** What cosign 2.2 writes; `change` forges it before it is stored. */
async function sign(
  { opened, digest }: { opened: OpenedImage; digest: Hex },
  change: (log: { SignedEntryTimestamp: string; Payload: { [key: string]: Json } }) => unknown = () => {},
  certificate = sigstore.certificate(),
  place = digest,
): Promise<void> {
  const payload = makeSimpleSigning("registry.example/team/agent", digest);
  const { signature } = signThing(certificate, { file: payload });
  const entry = sigstore.entry(sigstore.body(payload, signature, certificate, "0.0.1"));
  const log = {
    SignedEntryTimestamp: (entry.inclusionPromise as { signedEntryTimestamp: string }).signedEntryTimestamp,
    Payload: {
      body: entry.canonicalizedBody!,
      integratedTime: Number(entry.integratedTime),
      logIndex: Number(entry.logIndex),
      logID: Buffer.from((entry.logId as { keyId: string }).keyId, "base64").toString("hex"),
    },
  };
  change(log);
  await opened.store.upload(bytesSource(payload));
  const layer = {
    mediaType: SIMPLE_SIGNING,
    digest: `sha256:${sha256(payload)}`,
    size: payload.length,
    annotations: {
      [SIGNATURE]: signature.toString("base64"),
      [CERTIFICATE]: pem(certificate),
      [CHAIN]: pem(sigstore.intermediate) + pem(sigstore.root),
      [LOG_BUNDLE]: JSON.stringify(log),
    },
  };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: layer, layers: [layer] };
  await opened.store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, `sha256-${place}.sig`);
}

async function verdict(
  { opened }: { opened: OpenedImage },
  more: { subject?: string; requireLog?: boolean } = {},
) {
  const signers = await imageSigners(
    { by: "identity", subject: more.subject ?? SUBJECT, issuer: ISSUER },
    { trustedRoot: root, requireLog: more.requireLog ?? false, now: new Date("2026-06-01T00:00:00Z") },
  );
  const { outcome, accepted, findings } = await verifyImage(opened, { types: [IMAGE_SIGNATURE], signers });
  const details = findings.flatMap((finding) => [finding.code, ...(finding.details ?? [])]).join("\n");
  return { outcome, accepted, details };
}

test("it is verified, long after its certificate ended, by the time that the log signed", async () => {
  const made = await image();
  await sign(made);
  for (const requireLog of [false, true]) {
    const { outcome, accepted, details } = await verdict(made, { requireLog });
    assert.equal(outcome, "allow", details);
    const [{ layout, established }] = accepted as [(typeof accepted)[0]];
    assert.deepEqual(
      [layout, established.times.map(({ by }) => by), established.logged.length],
      ["tag", ["rekor-set"], 1],
    );
  }
  const other = await verdict(made, { subject: `${SUBJECT}-2` });
  assert.deepEqual([other.outcome, /WB-IMAGE-033/.test(other.details)], ["deny", true]);
});

test("a forged promise, another time, another body and a promise of nobody are refused", async () => {
  const forgeries: [RegExp, Parameters<typeof sign>[1]][] = [
    [
      /WB-LOG/,
      (log) => {
        const bytes = Buffer.from(log.SignedEntryTimestamp, "base64");
        bytes[bytes.length - 1]! ^= 1;
        log.SignedEntryTimestamp = bytes.toString("base64");
      },
    ],
    [/WB-LOG/, (log) => (log.Payload.integratedTime = Number(log.Payload.integratedTime) + 60)],
    [/WB-LOG/, (log) => (log.Payload.logIndex = 5)],
    [/WB-LOG-001|WB-SIGN-015/, (log) => (log.Payload.logID = "ab".repeat(32))],
    [
      /WB-LOG/,
      (log) => {
        const body = JSON.parse(Buffer.from(String(log.Payload.body), "base64").toString());
        body.spec.data.hash.value = "cd".repeat(32);
        log.Payload.body = Buffer.from(JSON.stringify(body)).toString("base64");
      },
    ],
  ];
  for (const [expected, change] of forgeries) {
    const made = await image();
    await sign(made, change);
    const { outcome, details } = await verdict(made);
    assert.equal(outcome, "deny");
    assert.match(details, expected);
  }
});

test("a promise for another signature, another image's signature and an expired certificate are refused", async () => {
  const [one, other] = [await image(), await image()];
  // All of it is genuine, and lies under the tag of another image.
  await sign({ opened: other.opened, digest: one.digest }, undefined, undefined, other.digest);
  const stolen = await verdict(other);
  assert.deepEqual([stolen.outcome, /WB-IMAGE-031/.test(stolen.details)], ["deny", true]);
  const swapped = await image();
  const another = sigstore.certificate();
  const data = Buffer.from("something else");
  const { signature } = signThing(another, { file: data });
  const entry = sigstore.entry(sigstore.body(data, signature, another, "0.0.1"));
  await sign(swapped, (log) => {
    log.SignedEntryTimestamp = (
      entry.inclusionPromise as { signedEntryTimestamp: string }
    ).signedEntryTimestamp;
    log.Payload.body = entry.canonicalizedBody!;
  });
  const foreign = await verdict(swapped);
  assert.deepEqual([foreign.outcome, /WB-LOG-003/.test(foreign.details)], ["deny", true], foreign.details);
  const late = await image();
  const day = 86_400_000;
  await sign(
    late,
    undefined,
    sigstore.certificate({ notBefore: sigstore.start - 2 * day, notAfter: sigstore.start - day }),
  );
  const expired = await verdict(late);
  assert.deepEqual([expired.outcome, /WB-SIGN-014/.test(expired.details)], ["deny", true], expired.details);
});

test("witnesses: a promise without a checkpoint cannot have been seen by any", async () => {
  const made = await image();
  await sign(made);
  const { accepted } = await verdict(made);
  assert.deepEqual(accepted[0]?.established.logged[0]?.witnesses, []);
});

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { parseStatement } from "../evidence/statement.ts";
import { OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { keyId } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { type ImageLayout, signImage } from "./image-sign.ts";
import { keySigners } from "./image-signers.ts";
import { verifyImage } from "./image-verify.ts";
import { loggedSigner } from "./logged-signer.ts";
import { type OpenedImage, openImage } from "./open-image.ts";

// Whatever stands beside an image, the journal has an entry of what was said.

const folder = mkdtempSync(join(tmpdir(), "waybill-image-logged-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
const key = { name: "k", keyId: keyId(pair.publicKey), ...pair };
const now = new Date("2026-05-01T00:00:00Z");
const claim = { type: "https://example.com/claim/v1", predicate: { passed: true } };
let count = 0;

/** Signs an image with a logging key; gives the envelopes of the journal. */
async function signed(layouts: ImageLayout[], predicate?: typeof claim) {
  count += 1;
  const home = join(folder, `home-${count}`);
  const opened = openImage(`oci:${join(folder, `layout-${count}`)}:v1`, { env: {} }, { create: true });
  const config = Buffer.from(`{"n":${count}}`);
  await opened.store.upload(bytesSource(config));
  const descriptor = {
    mediaType: "application/json",
    digest: `sha256:${sha256(config)}`,
    size: config.length,
  };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor, layers: [] };
  await opened.store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, "v1");
  const logged: number[] = [];
  const statements = loggedSigner(keySigner(key), home, ({ index }) => logged.push(index));
  const { digest } = await signImage(opened, { statements, key }, layouts, now, predicate);
  const envelopes = (readdirSync(home, { recursive: true, encoding: "utf8" }) as string[])
    .filter((path) => /envelopes\/.+\.json$/.test(path))
    .map((path) => JSON.parse(readFileSync(join(home, path), "utf8")));
  return { opened, digest, logged, envelopes };
}

async function layerOf(opened: OpenedImage, tag: string): Promise<Buffer> {
  const stored = await opened.store.read(tag);
  if (!stored || typeof stored.manifest === "string") assert.fail(`no ${tag}`);
  const { sha256: digest, size } = stored.manifest.blobs[1]!;
  return opened.store.blob({ digest, size }, 1 << 20);
}

test("an attestation in a tag is the envelope that was logged, once for both layouts", async () => {
  for (const layouts of [["tag"], ["tag", "referrer"]] as ImageLayout[][]) {
    const { opened, digest, logged, envelopes } = await signed(layouts, claim);
    assert.deepEqual([logged, envelopes.length], [[0], 1]);
    const { payload, signatures } = JSON.parse((await layerOf(opened, `sha256-${digest}.att`)).toString());
    assert.deepEqual([payload, signatures[0].sig], [envelopes[0].payload, envelopes[0].signatures[0].sig]);
    const verdict = await verifyImage(opened, { types: [claim.type], signers: keySigners([pair.publicKey]) });
    assert.deepEqual([verdict.outcome, verdict.accepted.length], ["allow", layouts.length]);
  }
});

test("a signature in a tag alone has a statement of the same in the journal", async () => {
  const { opened, digest, logged, envelopes } = await signed(["tag"]);
  assert.deepEqual(logged, [0]);
  const statement = parseStatement(Buffer.from(envelopes[0].payload, "base64"));
  if ("problem" in statement) assert.fail(statement.problem);
  assert.equal(statement.predicateType, IMAGE_SIGNATURE);
  assert.equal(statement.subject[0]?.digest.sha256, digest);
  assert.equal((await opened.store.referrers(digest)).length, 0);
  const signers = keySigners([pair.publicKey]);
  assert.equal((await verifyImage(opened, { types: [IMAGE_SIGNATURE], signers })).outcome, "allow");
});

test("where a tag cannot be signed nothing is logged", async () => {
  const logged: number[] = [];
  const { opened } = await signed(["referrer"]);
  const statements = loggedSigner(keySigner(key), join(folder, "none"), ({ index }) => logged.push(index));
  await assert.rejects(signImage(opened, { statements }, ["tag"], now), { code: "WB-INPUT-007" });
  assert.deepEqual(logged, []);
});

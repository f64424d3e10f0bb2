import assert from "node:assert/strict";
import { generateKeyPairSync, hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { WaybillError } from "../core/errors.ts";
import { preAuthEncoding } from "../sign/dsse.ts";
import { spkiDer } from "../sign/keys.ts";
import { encodeEntry, entryOfEnvelope, envelopeDigest, parseEntry } from "./entry.ts";
import { encodeEnvelopeFile, envelopePath, leafOfEnvelopePath, parseEnvelopeFile } from "./envelope-file.ts";
import { TestMaker } from "./test-maker.test.ts";

const maker = new TestMaker();
const verifier = { kind: "publicKey" as const, der: spkiDer(maker.publicKey) };
const { envelope } = maker.statement("entry");
const { body } = entryOfEnvelope(envelope, verifier);

test("an entry is the canonical hashedrekord 0.0.2 over Hash(PAE) that cosign reads", () => {
  const payload = Buffer.from(envelope.payload, "base64");
  const digest = hash("sha256", preAuthEncoding(envelope.payloadType, payload), "base64");
  const key = verifier.der.toString("base64");
  assert.equal(
    body,
    `{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"${digest}"},"signature":{"content":"${envelope.signatures[0]!.sig}","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"${key}"}}}}}}`,
  );
});

test("what is written is read again, for each curve with its own hash", () => {
  for (const [namedCurve, algorithm, bytes] of [
    ["P-256", "SHA2_256", 32],
    ["P-384", "SHA2_384", 48],
    ["P-521", "SHA2_512", 64],
  ] as const) {
    const keys = new TestMaker(generateKeyPairSync("ec", { namedCurve }));
    const signed = keys.statement(namedCurve);
    const made = entryOfEnvelope(signed.envelope, { kind: "publicKey", der: spkiDer(keys.publicKey) });
    const entry = parseEntry(made.body);
    assert.ok(!("problem" in entry));
    assert.deepEqual([entry.algorithm, entry.digest.length], [algorithm, bytes]);
    assert.deepEqual(entry.digest, envelopeDigest(signed.envelope, keys.publicKey));
    assert.equal(encodeEntry(entry), made.body);
  }
});

test("any other text is refused: other order, other spelling, other algorithm, other fields, Ed25519", () => {
  const variants = [
    "",
    "null",
    "[]",
    `${body} `,
    body.replace("{", "{ "),
    body.replace("0.0.2", "0.0.1"),
    body.replace("hashedrekord", "dsse"),
    body.replace("SHA2_256", "SHA2_384"),
    body.replace("P256_SHA_256", "P384_SHA_384"),
    body.replace("publicKey", "x509Certificate"),
    body.replace('"kind"', '"extra":1,"kind"'),
    body.replace('"kind"', '"__proto__":{},"kind"'),
    body.replace(/"digest":"[^"]+"/, '"digest":"AAAA"'),
    body.replace(/"content":"[^"]+"/, '"content":""'),
  ];
  for (const text of variants) assert.ok("problem" in parseEntry(text), text.slice(0, 60));
  const ed = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" });
  const other = body.replace(verifier.der.toString("base64"), ed.toString("base64"));
  assert.ok("problem" in parseEntry(other));
  assert.throws(
    () =>
      encodeEntry({
        digest: Buffer.alloc(32),
        signature: Buffer.alloc(70),
        verifier: { kind: "publicKey", der: ed },
      }),
    (error) => error instanceof WaybillError && error.code === "WB-INPUT-016",
  );
});

test("no bytes make the readers throw, and every changed byte of an envelope file or entry shows", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.ok("problem" in parseEntry(text));
      assert.ok("problem" in parseEnvelopeFile(Buffer.from(text)));
    }),
  );
  const file = Buffer.from(encodeEnvelopeFile(envelope));
  for (let i = 0; i < file.length; i += 1) {
    const changed = Buffer.from(file);
    changed[i]! ^= 1;
    const read = parseEnvelopeFile(changed);
    // A changed value is left to digest and signature; nothing else can change.
    if (!("problem" in read)) assert.notDeepEqual(read, parseEnvelopeFile(file));
  }
});

test("an unsigned key id is not kept with an envelope: nobody could tell a changed one", () => {
  const named = { ...envelope, signatures: [{ ...envelope.signatures[0]!, keyid: "abc" }] };
  assert.equal(encodeEnvelopeFile(named), encodeEnvelopeFile(envelope));
  const text = encodeEnvelopeFile(envelope).replace('{"sig"', '{"keyid":"x","sig"');
  assert.ok("problem" in parseEnvelopeFile(Buffer.from(text)));
});

test("the path of an envelope names its leaf, in one spelling", () => {
  const leaf = "ab".repeat(32);
  assert.equal(leafOfEnvelopePath(envelopePath(leaf)), leaf);
  for (const path of [
    `envelopes/cd/${leaf}.json`,
    `envelopes/AB/${leaf}.json`,
    `envelopes/ab/${leaf}`,
    `ab/${leaf}.json`,
  ])
    assert.equal(leafOfEnvelopePath(path), undefined);
});

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  MAX_BUNDLE_BYTES,
  makeKeyBundle,
  type ParsedBundle,
  parseBundle,
  verifyBundleSignature,
} from "./bundle.ts";
import { generateKeyPair, keyHints } from "./keys.ts";

const { privateKey, publicKey } = generateKeyPair();
const statement = '{"_type":"https://in-toto.io/Statement/v1","note":"ü"}';
const good = makeKeyBundle(statement, privateKey);

function parsed(text: string): ParsedBundle {
  const result = parseBundle(text);
  if ("problem" in result) assert.fail(result.problem);
  return result;
}

function problem(text: string): string {
  const result = parseBundle(text);
  return "problem" in result ? result.problem : assert.fail("was read");
}

/** The good bundle, changed. */
// biome-ignore lint/suspicious/noExplicitAny: tests reach anywhere
function changed(change: (bundle: any) => void): string {
  const bundle = JSON.parse(good);
  change(bundle);
  return JSON.stringify(bundle);
}

test("a bundle is made, read and verified", () => {
  const bundle = parsed(good);
  assert.deepEqual(bundle.hints, [keyHints(publicKey).cosign]);
  assert.equal(bundle.payload.toString(), statement);
  assert.equal(verifyBundleSignature(bundle, publicKey), null);
});

test("another key, a changed payload, a changed signature: a reason", () => {
  assert.match(verifyBundleSignature(parsed(good), generateKeyPair().publicKey)!, /signature/);
  const payload = Buffer.from(statement.replace("ü", "u")).toString("base64");
  const other = changed((b) => {
    b.dsseEnvelope.payload = payload;
  });
  assert.match(verifyBundleSignature(parsed(other), publicKey)!, /signature/);
  const ed25519 = generateKeyPairSync("ed25519").publicKey;
  assert.match(verifyBundleSignature(parsed(good), ed25519)!, /ed25519/);
});

for (const namedCurve of ["P-384", "P-521"])
  test(`${namedCurve} signs with its own hash`, () => {
    const pair = generateKeyPairSync("ec", { namedCurve });
    const bundle = parsed(makeKeyBundle(statement, pair.privateKey));
    assert.equal(verifyBundleSignature(bundle, pair.publicKey), null);
    const other = { ...bundle, payload: Buffer.from("{}") };
    assert.match(verifyBundleSignature(other, pair.publicKey)!, /signature/);
  });

test("forms that others write: OMS's hint, rawBytes of older OMS, null and empty fields", () => {
  const hints = keyHints(publicKey);
  const oms = changed((b) => {
    b.verificationMaterial = {
      publicKey: { hint: hints.oms },
      tlogEntries: null,
      timestampVerificationData: null,
    };
    b.dsseEnvelope.signatures[0].keyid = null;
  });
  assert.deepEqual(parsed(oms).hints, [hints.oms]);
  const raw = changed((b) => {
    const rawBytes = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    b.verificationMaterial = { publicKey: { rawBytes, keyDetails: "PKIX_ECDSA_P256_SHA_256" } };
    b.dsseEnvelope.signatures[0].keyid = "";
  });
  assert.deepEqual(parsed(raw).hints, [hints.keyId]);
  for (const text of [oms, raw]) assert.equal(verifyBundleSignature(parsed(text), publicKey), null);
});

test("log entries and timestamps that nobody trusts are counted and not looked at", () => {
  const bundle = parsed(
    changed((b) => {
      b.verificationMaterial.tlogEntries = [{ logIndex: "1" }];
      b.verificationMaterial.timestampVerificationData = { rfc3161Timestamps: [{ signedTimestamp: "AA==" }] };
    }),
  );
  assert.deepEqual([bundle.logEntries, bundle.timestamps], [1, 1]);
  assert.equal(verifyBundleSignature(bundle, publicKey), null);
});

test("what is not such a bundle is refused with a reason", () => {
  const cases: [string, RegExp][] = [
    ["", /unexpected end/],
    ["[]", /not an object/],
    [good.repeat(2), /text after/],
    [`{"mediaType":"x",${good.slice(1)}`, /duplicate key/],
    [" ".repeat(MAX_BUNDLE_BYTES + 1), /larger than/],
    [`{"a":${"[".repeat(40)}`, /nesting/],
    [changed((b) => (b.mediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1")), /mediaType/],
    [changed((b) => (b.extra = 1)), /extra/],
    [changed((b) => (b.dsseEnvelope.payloadType = "text/plain")), /payloadType/],
    [changed((b) => (b.dsseEnvelope.signatures = [])), /signatures/],
    [changed((b) => b.dsseEnvelope.signatures.push(b.dsseEnvelope.signatures[0])), /signatures/],
    [changed((b) => (b.dsseEnvelope.payload += " ")), /base64/],
    [changed((b) => (b.dsseEnvelope.signatures[0].sig = "_-8=")), /base64/],
    [changed((b) => (b.verificationMaterial.publicKey = {})), /names no key/],
    [changed((b) => (b.verificationMaterial = { certificate: { rawBytes: "AA==" } })), /certificate/],
    [changed((b) => (b.messageSignature = { signature: "AA==" })), /over a file/],
  ];
  for (const [text, reason] of cases) assert.match(problem(text), reason);
});

test("a statement too large to be read back is not signed", () => {
  const large = JSON.stringify({ text: "x".repeat(MAX_BUNDLE_BYTES) });
  assert.throws(() => makeKeyBundle(large, privateKey), { code: "WB-INPUT-003" });
});

test("no text makes the reader throw", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom("{", "}", "[", '"', "null", "1e999", "\\ud800", "\0"),
  );
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), piece), (text) => {
      parseBundle(text);
    }),
    { numRuns: 500 },
  );
});

test("a mutated bundle is refused, fails, or says exactly what was signed", () => {
  const edit = fc.record({
    at: fc.nat(good.length),
    cut: fc.nat(3),
    add: fc.oneof(fc.string({ maxLength: 3 }), fc.json()),
  });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
      let text = good;
      for (const { at, cut, add } of edits) text = text.slice(0, at) + add + text.slice(at + cut);
      const result = parseBundle(text);
      if ("problem" in result) return;
      if (verifyBundleSignature(result, publicKey) === null)
        assert.equal(result.payload.toString(), statement);
    }),
    { numRuns: 1000 },
  );
});

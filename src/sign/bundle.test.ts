import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  addLogEntry,
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

function hintsOf({ signer }: ParsedBundle): string[] {
  return signer.kind === "key" ? signer.hints : assert.fail("signed by a certificate");
}

function payloadOf({ content }: ParsedBundle): Buffer {
  return content.kind === "dsse" ? content.payload : assert.fail("over a file");
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
  assert.deepEqual(hintsOf(bundle), [keyHints(publicKey).cosign]);
  assert.equal(payloadOf(bundle).toString(), statement);
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
    if (bundle.content.kind !== "dsse") assert.fail("over a file");
    const other = { ...bundle, content: { ...bundle.content, payload: Buffer.from("{}") } };
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
  assert.deepEqual(hintsOf(parsed(oms)), [hints.oms]);
  const raw = changed((b) => {
    const rawBytes = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    b.verificationMaterial = { publicKey: { rawBytes, keyDetails: "PKIX_ECDSA_P256_SHA_256" } };
    b.dsseEnvelope.signatures[0].keyid = "";
  });
  assert.deepEqual(hintsOf(parsed(raw)), [hints.keyId]);
  for (const text of [oms, raw]) assert.equal(verifyBundleSignature(parsed(text), publicKey), null);
});

const entry = {
  logIndex: "1",
  logId: { keyId: Buffer.alloc(32, 1).toString("base64") },
  kindVersion: { kind: "hashedrekord", version: "0.0.2" },
  inclusionProof: {
    logIndex: "1",
    rootHash: Buffer.alloc(32, 2).toString("base64"),
    treeSize: "2",
    hashes: [Buffer.alloc(32, 3).toString("base64")],
    checkpoint: { envelope: "log\n2\n" },
  },
  canonicalizedBody: Buffer.from("{}").toString("base64"),
};

test("log entries and timestamps are read, and do not touch the signature", () => {
  const bundle = parsed(
    changed((b) => {
      b.verificationMaterial.tlogEntries = [entry];
      b.verificationMaterial.timestampVerificationData = {
        rfc3161Timestamps: [{ signedTimestamp: "AA==" }, { signedTimestamp: "AQE\nB" }],
      };
    }),
  );
  assert.equal(bundle.logEntries[0]?.proof?.treeSize, 2);
  assert.deepEqual(bundle.timestamps, [Buffer.from([0]), Buffer.from([1, 1, 1])]);
  assert.equal(verifyBundleSignature(bundle, publicKey), null);
});

test("an entry is added to a bundle that is signed already", () => {
  const bundle = parsed(addLogEntry(parsed(good), entry));
  assert.equal(bundle.logEntries.length, 1);
  assert.equal(verifyBundleSignature(bundle, publicKey), null);
});

test("certificates, chains in v0.3 too (OMS), and signatures over files are read", () => {
  const certificate = { rawBytes: "MAA=" };
  const signer = (material: object) =>
    parsed(changed((b) => (b.verificationMaterial = { ...material, tlogEntries: [] }))).signer;
  assert.deepEqual(signer({ certificate }), { kind: "certificate", chain: [Buffer.from([0x30, 0])] });
  const chain = signer({ x509CertificateChain: { certificates: [certificate, certificate] } });
  assert.equal(chain.kind === "certificate" && chain.chain.length, 2);
  const message = parsed(
    changed((b) => {
      delete b.dsseEnvelope;
      b.messageSignature = {
        messageDigest: { algorithm: "SHA2_256", digest: "AA==" },
        signature: "AA==",
      };
    }),
  );
  assert.deepEqual(message.content, {
    kind: "message",
    digest: { algorithm: "sha256", value: Buffer.from([0]) },
  });
});

test("what is not such a bundle is refused with a reason", () => {
  const cases: [string, RegExp][] = [
    ["", /unexpected end/],
    ["[]", /not an object/],
    [good.repeat(2), /text after/],
    [`{"mediaType":"x",${good.slice(1)}`, /duplicate key/],
    [" ".repeat(MAX_BUNDLE_BYTES + 1), /larger than/],
    [`{"a":${"[".repeat(40)}`, /nesting/],
    [changed((b) => (b.mediaType = "application/vnd.dev.sigstore.bundle+json;version=99.9")), /mediaType/],
    [changed((b) => (b.mediaType = "application/vnd.dev.sigstore.bundle.v0.4+json")), /mediaType/],
    [changed((b) => (b.verificationMaterial.tlogEntries = [entry, entry])), /same log entry twice/],
    [changed((b) => (b.verificationMaterial.tlogEntries = [{ ...entry, logIndex: "-1" }])), /logIndex/],
    [
      changed((b) => (b.verificationMaterial.tlogEntries = [{ ...entry, inclusionProof: null }])),
      /inclusionProof: missing/,
    ],
    [
      changed((b) => {
        b.mediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1";
        b.verificationMaterial.tlogEntries = [entry];
      }),
      /inclusionPromise: missing/,
    ],
    [changed((b) => (b.verificationMaterial.tlogEntries = Array(33).fill(entry))), /more than 32/],
    [changed((b) => (b.verificationMaterial.x509CertificateChain = { certificates: [] })), /exactly one/],
    [changed((b) => (b.verificationMaterial = { x509CertificateChain: { certificates: [] } })), /empty/],
    [
      changed(
        (b) =>
          (b.verificationMaterial = { certificate: { rawBytes: Buffer.alloc(65_537).toString("base64") } }),
      ),
      /longer than/,
    ],
    [changed((b) => (b.extra = 1)), /extra/],
    [changed((b) => (b.dsseEnvelope.payloadType = "text/plain")), /payloadType/],
    [changed((b) => (b.dsseEnvelope.signatures = [])), /signatures/],
    [changed((b) => b.dsseEnvelope.signatures.push(b.dsseEnvelope.signatures[0])), /signatures/],
    [changed((b) => (b.dsseEnvelope.payload += " ")), /base64/],
    [changed((b) => (b.dsseEnvelope.signatures[0].sig = "_-8=")), /base64/],
    [changed((b) => (b.verificationMaterial.publicKey = {})), /names no key/],
    [changed((b) => (b.messageSignature = { signature: "AA==" })), /neither or both/],
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
        assert.equal(payloadOf(result).toString(), statement);
    }),
    { numRuns: 1000 },
  );
});

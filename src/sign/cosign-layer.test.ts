import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  bundleOfLayer,
  CERTIFICATE,
  CHAIN,
  LOG_BUNDLE,
  NAMELESS,
  SIGNATURE,
  TIMESTAMP,
} from "./cosign-layer.ts";
import { makeSimpleSigning, parseSimpleSigning } from "./simple-signing.ts";
import { verifyBundle } from "./verify-bundle.ts";

const HEX = "ab".repeat(32);
const payload = makeSimpleSigning("registry.example/a", HEX);
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const signature = sign("sha256", payload, privateKey).toString("base64");

test("a simple signing payload is cosign's, letter for letter, and is read back", () => {
  assert.equal(
    payload.toString(),
    `{"critical":{"identity":{"docker-reference":"registry.example/a"},"image":{"docker-manifest-digest":"sha256:${HEX}"},"type":"cosign container image signature"},"optional":null}`,
  );
  assert.deepEqual(parseSimpleSigning(payload), { digest: HEX, dockerReference: "registry.example/a" });
  for (const [from, to] of [
    ["cosign container", "atomic container"],
    ["sha256:", "sha512:"],
    ["docker-reference", "reference"],
    ['{"critical"', '{"critical":{},"critical"'],
  ] as const)
    assert.ok("problem" in parseSimpleSigning(Buffer.from(payload.toString().replace(from, to))), to);
});

test("a layer signed by a key is a bundle over its payload", () => {
  const bundle = bundleOfLayer("signature", payload, { [SIGNATURE]: signature });
  if ("problem" in bundle) assert.fail(bundle.problem);
  assert.deepEqual(bundle.signer, { kind: "key", hints: [NAMELESS] });
  const authority = { roots: [], findKey: () => publicKey };
  assert.ok("signer" in verifyBundle(bundle, authority, { bytes: payload }));
  assert.ok("problem" in verifyBundle(bundle, authority, { bytes: Buffer.from(`${payload} `) }));
});

test("certificate, chain, log entry and timestamp come out of the annotations", () => {
  const pem = (bytes: string) =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(bytes).toString("base64")}\n-----END CERTIFICATE-----\n`;
  const body = Buffer.from('{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}').toString("base64");
  const bundle = bundleOfLayer("signature", payload, {
    [SIGNATURE]: signature,
    [CERTIFICATE]: pem("leaf"),
    [CHAIN]: pem("middle") + pem("root"),
    [LOG_BUNDLE]: JSON.stringify({
      SignedEntryTimestamp: "AAAA",
      Payload: { body, integratedTime: 1_700_000_000, logIndex: 7, logID: HEX },
    }),
    [TIMESTAMP]: '{"SignedRFC3161Timestamp":"MAA="}',
  });
  if ("problem" in bundle) assert.fail(bundle.problem);
  assert.ok(bundle.signer.kind === "certificate");
  assert.deepEqual(bundle.signer.chain.map(String), ["leaf", "middle", "root"]);
  const [entry] = bundle.logEntries;
  assert.deepEqual(
    [entry?.kind, entry?.logIndex, entry?.integratedTime, entry?.logId.toString("hex")],
    ["hashedrekord", 7, 1_700_000_000, HEX],
  );
  assert.equal(bundle.timestamps.length, 1);
});

test("no annotation and no bytes make the reader throw", () => {
  const text = fc.oneof(fc.string(), fc.json(), fc.constant('{"Payload":{"body":"e30=","logID":"ab"}}'));
  const names = [SIGNATURE, CERTIFICATE, CHAIN, LOG_BUNDLE, TIMESTAMP];
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.array(fc.tuple(fc.constantFrom(...names), text)),
      (bytes, annotations) => {
        const given = Object.fromEntries(annotations);
        bundleOfLayer("signature", bytes, given);
        bundleOfLayer("attestation", bytes, given);
        parseSimpleSigning(bytes);
      },
    ),
  );
  const large = bundleOfLayer("signature", payload, { [CHAIN]: "x".repeat(1 << 20) });
  assert.ok("problem" in large);
});

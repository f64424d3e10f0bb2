import assert from "node:assert/strict";
import { generateKeyPairSync, verify } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { hashOf, preAuthEncoding, signEnvelope } from "./dsse.ts";

test("PAE: the vector of DSSE's protocol.md, and lengths in bytes", () => {
  assert.equal(
    preAuthEncoding("http://example.com/HelloWorld", Buffer.from("hello world")).toString(),
    "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
  );
  assert.equal(preAuthEncoding("é", Buffer.from("ü")).toString(), "DSSEv1 2 é 2 ü");
  assert.equal(preAuthEncoding("", Buffer.alloc(0)).toString(), "DSSEv1 0  0 ");
});

/** Reads a PAE back by its lengths. */
function readPae(bytes: Buffer): [string, Buffer] {
  const typeLength = /^DSSEv1 (\d+) /.exec(bytes.toString("latin1"))!;
  const typeStart = typeLength[0].length;
  const typeEnd = typeStart + Number(typeLength[1]);
  const bodyLength = /^ (\d+) /.exec(bytes.subarray(typeEnd).toString("latin1"))!;
  const body = bytes.subarray(typeEnd + bodyLength[0].length);
  assert.equal(body.length, Number(bodyLength[1]));
  return [bytes.subarray(typeStart, typeEnd).toString("utf8"), body];
}

test("PAE can be read back, so no two pairs share one", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.uint8Array(), (type, payload) => {
      const [gotType, gotPayload] = readPae(preAuthEncoding(type, payload));
      assert.equal(gotType, type);
      assert.deepEqual([...gotPayload], [...payload]);
    }),
  );
});

for (const [namedCurve, hash] of [
  ["P-256", "sha256"],
  ["P-384", "sha384"],
  ["P-521", "sha512"],
] as const)
  test(`an envelope signed with ${namedCurve} verifies with ${hash}`, () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    assert.equal(hashOf(publicKey), hash);
    const envelope = signEnvelope("text/plain", Buffer.from("hi"), privateKey);
    assert.equal(envelope.payload, "aGk=");
    const sig = Buffer.from(envelope.signatures[0]!.sig, "base64");
    assert.ok(verify(hash, preAuthEncoding("text/plain", Buffer.from("hi")), publicKey, sig));
  });

test("RSA and Ed25519 sign nothing", () => {
  for (const { privateKey } of [
    generateKeyPairSync("ed25519"),
    generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ])
    assert.throws(() => signEnvelope("t", Buffer.from("p"), privateKey), { code: "WB-INPUT-016" });
});

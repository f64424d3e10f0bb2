import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, ECDH, generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { exportPrivateKey } from "./key-export.ts";
import {
  cosignHint,
  curveOf,
  generateKeyPair,
  importPrivateKey,
  importPublicKey,
  keyHints,
  keyId,
  keyIdOfHint,
  publicKeyPem,
} from "./keys.ts";

const pair = generateKeyPair();

test("ids and hints: DER, cosign's base64, OMS's PEM text", () => {
  const der = pair.publicKey.export({ type: "spki", format: "der" });
  const pem = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
  const hints = keyHints(pair.publicKey);
  assert.equal(curveOf(pair.publicKey), "P-256");
  assert.equal(publicKeyPem(pair.publicKey), pem);
  assert.equal(hints.keyId, createHash("sha256").update(der).digest("hex"));
  assert.equal(hints.cosign, createHash("sha256").update(der).digest("base64"));
  assert.equal(hints.oms, createHash("sha256").update(pem).digest("hex"));
  assert.equal(keyId(pair.privateKey), hints.keyId);
  assert.equal(keyIdOfHint(hints.cosign), hints.keyId);
  assert.equal(keyIdOfHint(hints.keyId), hints.keyId);
  assert.equal(cosignHint(hints.keyId), hints.cosign);
  for (const other of ["", "key1", `${hints.cosign} `, hints.cosign.replace("=", "")])
    assert.equal(keyIdOfHint(other), undefined);
});

test("an encrypted private key opens with its passphrase only", () => {
  const pem = exportPrivateKey(pair.privateKey, "pässword");
  assert.match(pem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  assert.ok(importPrivateKey(pem, "pässword").equals(pair.privateKey));
  for (const wrong of ["password", "pässword ", "x"])
    assert.throws(() => importPrivateKey(pem, wrong), { code: "WB-INPUT-009" });
  assert.throws(() => importPrivateKey(pem, ""), { code: "WB-INPUT-008" });
  assert.throws(() => exportPrivateKey(pair.privateKey, ""), { code: "WB-INPUT-008" });
});

test("keys written by others: Node's own export, P-384 and P-521, a plain one refused", () => {
  for (const namedCurve of ["P-384", "P-521"]) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
    const pem = privateKey
      .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
      .toString();
    assert.equal(keyId(importPrivateKey(pem, "x")), keyId(publicKey));
    assert.equal(keyId(importPublicKey(publicKeyPem(publicKey))), keyId(publicKey));
  }
  const plain = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  assert.throws(() => importPrivateKey(plain, "x"), { code: "WB-INPUT-016" });
  assert.throws(() => importPublicKey(plain), { code: "WB-INPUT-016", message: /private key/ });
});

test("openssl opens the encrypted key and sees the work factor", (t) => {
  const pem = exportPrivateKey(pair.privateKey, "secret");
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { input: pem, stdio: "pipe" }).toString();
  try {
    openssl("version");
  } catch {
    return t.skip("openssl is not on PATH");
  }
  assert.equal(openssl("pkey", "-passin", "pass:secret", "-pubout"), publicKeyPem(pair.publicKey));
  const asn1 = openssl("asn1parse");
  for (const part of ["PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0"])
    assert.ok(asn1.includes(part), part);
});

test("other kinds of keys are refused with their name", () => {
  const pem = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();
  for (const [key, name] of [
    [generateKeyPairSync("ed25519").publicKey, /ed25519/],
    [generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey, /rsa/],
    [generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey, /secp256k1/],
  ] as const)
    assert.throws(() => importPublicKey(pem(key)), { code: "WB-INPUT-016", message: name });
});

test("a second spelling of one key is refused: it would have a second id", () => {
  const der = pair.publicKey.export({ type: "spki", format: "der" });
  const point = ECDH.convertKey(der.subarray(26), "prime256v1", undefined, undefined, "compressed") as Buffer;
  const head = Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex");
  const body = Buffer.concat([head, point]).toString("base64");
  const compressed = `-----BEGIN PUBLIC KEY-----\n${body}\n-----END PUBLIC KEY-----\n`;
  assert.throws(() => importPublicKey(compressed), { code: "WB-INPUT-016", message: /compressed/ });
  const good = publicKeyPem(pair.publicKey);
  assert.throws(() => importPublicKey(good + good), { code: "WB-INPUT-016" });
  assert.throws(() => importPublicKey(`note\n${good}`), { code: "WB-INPUT-016" });
  assert.equal(keyId(importPublicKey(good.replaceAll("\n", "\r\n"))), keyId(pair.publicKey));
});

test("no text makes the readers throw anything but a WaybillError", () => {
  const good = publicKeyPem(pair.publicKey);
  const text = fc.oneof(
    fc.string(),
    fc.base64String().map((b) => `-----BEGIN PUBLIC KEY-----\n${b}\n-----END PUBLIC KEY-----`),
    fc
      .nat(good.length - 1)
      .chain((at) => fc.string({ maxLength: 2 }).map((s) => good.slice(0, at) + s + good.slice(at + 1))),
  );
  fc.assert(
    fc.property(text, (pem) => {
      for (const read of [() => importPublicKey(pem), () => importPrivateKey(pem, "x")])
        try {
          read();
        } catch (error) {
          assert.equal((error as Error).name, "WaybillError");
        }
    }),
  );
});

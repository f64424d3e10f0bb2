import type { KeyObject } from "node:crypto";
import { type Hex, isHex, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";

// Not `import`, which would load WebCrypto too: this is on the path of a program that must start fast.
const { createPrivateKey, createPublicKey, generateKeyPairSync } = process.getBuiltinModule("node:crypto");

/** The curves whose keys are accepted: what cosign and OMS can check. */
export type Curve = "P-256" | "P-384" | "P-521";

/** By OpenSSL's name: ours, and the size of a SubjectPublicKeyInfo with an uncompressed point, in bytes. */
const CURVES: Readonly<Record<string, { curve: Curve; spki: number }>> = {
  prime256v1: { curve: "P-256", spki: 91 },
  secp384r1: { curve: "P-384", spki: 120 },
  secp521r1: { curve: "P-521", spki: 158 },
};

/** One PEM block and nothing else: tools disagree on which of several they read. */
const PUBLIC_PEM = /^\s*-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----\s*$/;
const ENCRYPTED_PEM =
  /^\s*-----BEGIN ENCRYPTED PRIVATE KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END ENCRYPTED PRIVATE KEY-----\s*$/;
const MAX_PEM = 16_384;

/** A fresh ECDSA P-256 key pair. */
export function generateKeyPair(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

/**
 * The curve of an accepted key, private or public.
 *
 * @throws WaybillError WB-INPUT-016 for RSA, Ed25519 and every other kind: pure Ed25519 cannot be checked from
 *   a hashedrekord's digest, and model_signing and cosign's log read neither
 */
export function curveOf(key: KeyObject): Curve {
  const named = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (key.type !== "secret" && key.asymmetricKeyType === "ec" && named) return named.curve;
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? key.type;
  throw refused(`a key of type ${kind} is not accepted`);
}

/** To export a key takes longer than to verify a signature with it. */
const EXPORTED = new WeakMap<KeyObject, Buffer>();

/** SubjectPublicKeyInfo in DER of a public key of any kind. Not to be written into: the same bytes are given again. */
export function spkiOf(publicKey: KeyObject): Buffer {
  let der = EXPORTED.get(publicKey);
  if (!der) {
    der = publicKey.export({ type: "spki", format: "der" });
    EXPORTED.set(publicKey, der);
  }
  return der;
}

/**
 * SubjectPublicKeyInfo (RFC 5480) of an accepted key in DER, as `spkiOf`; of a private key, that of its public half.
 *
 * @throws WaybillError WB-INPUT-016 as `curveOf`, and for a compressed point or explicit parameters, which would give
 *   one key a second id, unknown to revocations
 */
export function spkiDer(key: KeyObject): Buffer {
  curveOf(key);
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const der = spkiOf(publicKey);
  const named = CURVES[publicKey.asymmetricKeyDetails?.namedCurve ?? ""];
  if (der.length !== named?.spki) throw refused("a key with a compressed point or explicit parameters");
  return der;
}

/** The id of a key: hex SHA-256 of its SubjectPublicKeyInfo in DER. A private key has the id of its public half. */
export function keyId(key: KeyObject): Hex {
  return sha256(spkiDer(key));
}

/** SubjectPublicKeyInfo as PEM (RFC 7468 §13), 64 characters a line, with a newline at the end, as OpenSSL writes it. */
export function publicKeyPem(key: KeyObject): string {
  const lines = spkiDer(key)
    .toString("base64")
    .match(/.{1,64}/g)!;
  return `-----BEGIN PUBLIC KEY-----\n${lines.join("\n")}\n-----END PUBLIC KEY-----\n`;
}

/** The names under which bundles refer to a key. */
export interface KeyHints {
  /** Hex SHA-256 of the DER: Waybill's own. */
  keyId: Hex;
  /** Base64 SHA-256 of the DER: cosign's, and what Waybill writes. */
  cosign: string;
  /** Hex SHA-256 of the PEM text (`sha256sum key.pub`): that of OMS v1.0. */
  oms: Hex;
}

/** Every name under which a bundle may refer to this key. A hint finds a key; it proves nothing. */
export function keyHints(key: KeyObject): KeyHints {
  const id = keyId(key);
  return { keyId: id, cosign: cosignHint(id), oms: sha256(publicKeyPem(key)) };
}

/** cosign's hint of the key with this id: the same hash in base64. */
export function cosignHint(id: Hex): string {
  return Buffer.from(id, "hex").toString("base64");
}

/** The key id that a hint states, when it is cosign's form or the id itself; undefined for anything else. */
export function keyIdOfHint(hint: string): Hex | undefined {
  if (isHex(hint)) return hint;
  const bytes = Buffer.from(hint, "base64");
  return bytes.length === 32 && bytes.toString("base64") === hint ? bytes.toString("hex") : undefined;
}

/**
 * Reads a public key from SubjectPublicKeyInfo PEM: exactly one block, nothing around it.
 *
 * @throws WaybillError WB-INPUT-016 for anything else, private keys and certificates included
 */
export function importPublicKey(pem: string): KeyObject {
  if (pem.includes("PRIVATE KEY")) throw refused("a private key stands where a public key belongs");
  if (pem.length > MAX_PEM || !PUBLIC_PEM.test(pem)) throw refused("not a public key in PEM");
  let key: KeyObject;
  try {
    key = createPublicKey({ key: pem, format: "pem" });
  } catch (cause) {
    throw refused("not a public key in PEM", cause);
  }
  spkiDer(key);
  return key;
}

/**
 * Opens an encrypted PKCS#8 PEM.
 *
 * @throws WaybillError WB-INPUT-016 not such a PEM or not an accepted key, WB-INPUT-008 empty passphrase,
 *   WB-INPUT-009 the passphrase does not open it (a damaged body cannot be told from that)
 */
export function importPrivateKey(pem: string, passphrase: string): KeyObject {
  if (pem.length > MAX_PEM || !ENCRYPTED_PEM.test(pem))
    throw refused("not an encrypted PKCS#8 private key in PEM");
  if (passphrase === "") throw noPassphrase();
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, format: "pem", passphrase });
  } catch (cause) {
    throw new WaybillError("WB-INPUT-009", "the passphrase does not open the key", {
      hint: "try again; a lost passphrase cannot be recovered: create a new key and let trust name it",
      cause,
    });
  }
  curveOf(key);
  return key;
}

/** The error of an empty passphrase. */
export function noPassphrase(): WaybillError {
  return new WaybillError("WB-INPUT-008", "the key needs a passphrase and none was given", {
    hint: "private keys are stored encrypted only",
  });
}

function refused(message: string, cause?: unknown): WaybillError {
  return new WaybillError("WB-INPUT-016", message, {
    hint: "Waybill signs with ECDSA on P-256 (P-384 and P-521 are read too); `waybill keys create` makes such a key",
    ...(cause === undefined ? {} : { cause }),
  });
}

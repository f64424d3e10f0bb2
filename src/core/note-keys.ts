import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { decodeBase64 } from "./base64.ts";

// Keys of signed notes (https://c2sp.org/signed-note, "Signatures"). Pure: a cosigner's clock is its caller's.

/** A public key that may sign notes under a name. */
export interface NoteVerifier {
  readonly name: string;
  /** 8 lower-case hex digits. */
  readonly keyId: string;
  /** Null when the signature holds for the text, else why not. Never throws. */
  verify(text: string, signature: Uint8Array): null | string;
  /**
   * Cosignatures only: the time in the signature, in POSIX seconds, or undefined where it has none that fits a
   * number. It is worth something only after `verify`.
   */
  time?(signature: Uint8Array): number | undefined;
}

/** A private key that signs notes under a name. */
export interface NoteSigner {
  readonly name: string;
  /** 8 lower-case hex digits. */
  readonly keyId: string;
  sign(text: string): Uint8Array;
}

/** Why something was refused, in words for people. */
export interface NoteProblem {
  problem: string;
}

/** Types of keys that are understood: Ed25519 over the text, and timestamped cosignatures (c2sp.org/tlog-cosignature). */
export type KeyType = "ed25519" | "cosignature";

const TYPE_BYTE: Readonly<Record<KeyType, number>> = { ed25519: 0x01, cosignature: 0x04 };

/**
 * Reads a verifier key `name+id+base64(type ‖ key)` (c2sp.org/signed-note, "Verifier keys"): type 0x01 (Ed25519)
 * or 0x04 (Ed25519 cosignature). The id must be the one that name and key give.
 */
export function parseVerifierKey(text: string): NoteVerifier | NoteProblem {
  // The base64 of the key may hold plus signs of its own.
  const match = /^([^+]{1,1024})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{1,8192}={0,2})$/u.exec(text);
  if (match === null) return { problem: "a verifier key reads name+id+base64" };
  const [name, keyId] = [match[1]!, match[2]!];
  if (!isKeyName(name)) return { problem: "the name of a key is empty or holds spaces" };
  const bytes = decodeBase64(match[3]!);
  if (bytes === null) return { problem: "the key is not standard base64" };
  const type = (["ed25519", "cosignature"] as const).find((each) => TYPE_BYTE[each] === bytes[0]);
  if (type === undefined) return { problem: "the key is of a type that is not accepted (0x01 and 0x04 are)" };
  if (bytes.length !== 33) return { problem: "an Ed25519 key has 32 bytes" };
  const verifier =
    type === "ed25519"
      ? ed25519Verifier(name, bytes.subarray(1))
      : cosignatureVerifier(name, bytes.subarray(1));
  if (verifier.keyId !== keyId) return { problem: `the id of the key is ${verifier.keyId}, not ${keyId}` };
  return verifier;
}

/**
 * A verifier key as text, the inverse of parseVerifierKey.
 *
 * @param key the Ed25519 public or private key, or its 32 raw bytes
 */
export function encodeVerifierKey(name: string, key: KeyObject | Uint8Array, type: KeyType): string {
  const raw = rawEd25519(key);
  const bytes = Buffer.concat([Uint8Array.of(TYPE_BYTE[type]), raw]);
  return `${name}+${noteKeyId(name, raw, type).slice(0, 8)}+${bytes.toString("base64")}`;
}

/**
 * SHA-256(name ‖ "\n" ‖ type ‖ key), as 64 hex digits: the key id is its first 8, and the whole of it is the
 * `logId.keyId` of a Sigstore trusted root.
 *
 * @param key the Ed25519 public or private key, or its 32 raw bytes
 */
export function noteKeyId(name: string, key: KeyObject | Uint8Array, type: KeyType): string {
  return createHash("sha256")
    .update(`${name}\n`)
    .update(Uint8Array.of(TYPE_BYTE[type]))
    .update(rawEd25519(key))
    .digest("hex");
}

/**
 * Verifies plain Ed25519 signatures, type 0x01.
 *
 * @param key the public key, or its 32 raw bytes
 * @throws RangeError for a key of another kind or length
 */
export function ed25519Verifier(name: string, key: KeyObject | Uint8Array): NoteVerifier {
  const raw = rawEd25519(key);
  const publicKey = fromRaw(raw);
  return {
    name,
    keyId: noteKeyId(name, raw, "ed25519").slice(0, 8),
    verify: (text, signature) => verifyBytes(null, Buffer.from(text), publicKey, signature),
  };
}

/**
 * Verifies timestamped Ed25519 cosignatures, type 0x04 (c2sp.org/tlog-cosignature): 8 bytes of big-endian POSIX
 * seconds, then the signature over `cosignature/v1\ntime T\n` and the note's text.
 *
 * @param key the public key, or its 32 raw bytes
 * @throws RangeError for a key of another kind or length
 */
export function cosignatureVerifier(name: string, key: KeyObject | Uint8Array): NoteVerifier {
  const raw = rawEd25519(key);
  const publicKey = fromRaw(raw);
  return {
    name,
    keyId: noteKeyId(name, raw, "cosignature").slice(0, 8),
    verify(text, signature) {
      const time = cosignatureTime(signature);
      if (time === undefined) return "it has no time that can be";
      return verifyBytes(null, cosignedMessage(text, time), publicKey, signature.subarray(8));
    },
    time: cosignatureTime,
  };
}

/**
 * Verifies ECDSA signatures in DER over SHA-256, as Rekor v1 signs its checkpoints (type 0x02 of the
 * specification): the key id is the first four bytes of the SHA-256 of the key's SPKI DER, whatever the name.
 *
 * @param key an EC public key
 * @throws RangeError for a key of another kind
 */
export function ecdsaVerifier(name: string, key: KeyObject): NoteVerifier {
  if (key.asymmetricKeyType !== "ec") throw new RangeError("not an EC key");
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  const spki = publicKey.export({ type: "spki", format: "der" });
  return {
    name,
    keyId: createHash("sha256").update(spki).digest("hex").slice(0, 8),
    verify: (text, signature) => verifyBytes("sha256", Buffer.from(text), publicKey, signature),
  };
}

/**
 * Signs by plain Ed25519, type 0x01.
 *
 * @throws RangeError for another kind of key
 */
export function ed25519Signer(name: string, privateKey: KeyObject): NoteSigner {
  checkKeyName(name);
  return {
    name,
    keyId: noteKeyId(name, privateKey, "ed25519").slice(0, 8),
    sign: (text) => sign(null, Buffer.from(text), privateKey),
  };
}

/**
 * Signs timestamped cosignatures, type 0x04.
 *
 * @param now gives the time in POSIX seconds, asked once a signature
 * @throws RangeError for another kind of key
 */
export function cosignatureSigner(name: string, privateKey: KeyObject, now: () => number): NoteSigner {
  checkKeyName(name);
  return {
    name,
    keyId: noteKeyId(name, privateKey, "cosignature").slice(0, 8),
    sign(text) {
      const time = now();
      if (!Number.isSafeInteger(time) || time < 0)
        throw new RangeError("a time is a whole number of seconds");
      const head = Buffer.alloc(8);
      head.writeBigUInt64BE(BigInt(time));
      return Buffer.concat([head, sign(null, cosignedMessage(text, time), privateKey)]);
    },
  };
}

/** True for a name that a key may have: not empty, no spaces, no plus sign. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.isWellFormed() && !/[\p{White_Space}\p{Cc}+]/u.test(name);
}

function checkKeyName(name: string): void {
  if (!isKeyName(name))
    throw new RangeError("a key's name is not empty and holds no spaces and no plus sign");
}

function cosignedMessage(text: string, time: number): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
}

/** The last second of the year 9999: a later time cannot be written as a date. */
const LAST_SECOND = 253_402_300_799n;

/** The seconds in a cosignature; undefined when it is too short or the time is none that can be. */
function cosignatureTime(signature: Uint8Array): number | undefined {
  if (signature.length !== 72) return undefined;
  const time = Buffer.from(signature.buffer, signature.byteOffset, 8).readBigUInt64BE();
  return time <= LAST_SECOND ? Number(time) : undefined;
}

function verifyBytes(
  algorithm: string | null,
  data: Buffer,
  key: KeyObject,
  signature: Uint8Array,
): string | null {
  try {
    return verify(algorithm, data, key, signature) ? null : "it is not by this key over this text";
  } catch {
    // OpenSSL throws on some malformed signatures.
    return "it is malformed";
  }
}

function fromRaw(raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}

function rawEd25519(key: KeyObject | Uint8Array): Uint8Array {
  if (key instanceof Uint8Array) {
    if (key.length !== 32) throw new RangeError("an Ed25519 key has 32 bytes");
    return key;
  }
  if (key.asymmetricKeyType !== "ed25519") throw new RangeError("not an Ed25519 key");
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
}

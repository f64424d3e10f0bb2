import { createCipheriv, pbkdf2Sync, randomBytes } from "node:crypto";

/**
 * Rounds of PBKDF2-HMAC-SHA-256: what OWASP's password storage sheet asks (2023). Node's own export of encrypted
 * PKCS#8 takes OpenSSL's 2048, which a graphics card tries a few hundred times faster.
 */
const ROUNDS = 600_000;

// DER of the object identifiers (RFC 8018 appendix C, NIST CSOR for AES).
const PBES2 = oid("2a864886f70d01050d");
const PBKDF2 = oid("2a864886f70d01050c");
const HMAC_SHA256 = oid("2a864886f70d0209");
const AES_256_CBC = oid("60864801650304012a");

/**
 * Encrypts a PKCS#8 PrivateKeyInfo to EncryptedPrivateKeyInfo (RFC 5958 §3) under PBES2 (RFC 8018 §6.2):
 * PBKDF2-HMAC-SHA-256, 600,000 rounds, 16 bytes of salt, AES-256-CBC. OpenSSL, and so Node, opens it.
 *
 * @param privateKeyInfo DER
 * @param passphrase taken as its UTF-8 bytes, as OpenSSL does
 * @returns PEM (RFC 7468 §11)
 */
export function encryptPkcs8(privateKeyInfo: Uint8Array, passphrase: string): string {
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const key = pbkdf2Sync(Buffer.from(passphrase, "utf8"), salt, ROUNDS, 32, "sha256");
  const cipher = createCipheriv("aes-256-cbc", key, iv);
  const encrypted = Buffer.concat([cipher.update(privateKeyInfo), cipher.final()]);
  key.fill(0);
  const prf = sequence(HMAC_SHA256, der(0x05));
  const derivation = sequence(PBKDF2, sequence(der(0x04, salt), integer(ROUNDS), integer(32), prf));
  const algorithm = sequence(PBES2, sequence(derivation, sequence(AES_256_CBC, der(0x04, iv))));
  const lines = sequence(algorithm, der(0x04, encrypted))
    .toString("base64")
    .match(/.{1,64}/g)!;
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines.join("\n")}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

/** One DER element (X.690 §8.1) of up to 65535 bytes. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  if (length > 0xffff) throw new RangeError("too long for a key");
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

function sequence(...parts: Uint8Array[]): Buffer {
  return der(0x30, ...parts);
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

/** A positive INTEGER: big-endian, with a zero in front where the first bit is set. */
function integer(value: number): Buffer {
  let hex = value.toString(16);
  if (hex.length % 2 === 1) hex = `0${hex}`;
  const bytes = Buffer.from(hex, "hex");
  return der(0x02, bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

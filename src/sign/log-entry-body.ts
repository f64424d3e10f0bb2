import type { Json } from "../core/canonical-json.ts";
import { JsonSyntaxError, parseStrictJson } from "../core/strict-json.ts";
import type { SignedHash } from "./bundle-signature.ts";
import { bytesOf, type Fields, fieldsOf, listOf, optional, ShapeError, textOf } from "./json-shape.ts";
import type { LogEntry } from "./log-entry.ts";

/** What an entry must be about. */
export interface Logged {
  signature: Buffer;
  /** DER of the signer's certificate, or SubjectPublicKeyInfo of the key. */
  verifier: Buffer;
  /** Of the file, or of the PAE of a statement. */
  signedHash: SignedHash;
  /** Hash of a statement's payload; absent for a signature over a file. */
  payloadHash?: SignedHash;
  payloadType?: string;
}

const HASHES: Readonly<Record<string, string>> = {
  sha256: "sha256",
  sha384: "sha384",
  sha512: "sha512",
  SHA2_256: "sha256",
  SHA2_384: "sha384",
  SHA2_512: "sha512",
};

/** Kinds of entries that name their signature. `intoto` 0.0.1 does not: it would stand for any signature. */
const KINDS: Readonly<Record<string, (spec: Fields, logged: Logged) => void>> = {
  "hashedrekord 0.0.1": hashedRekord1,
  "hashedrekord 0.0.2": hashedRekord2,
  "dsse 0.0.1": dsse1,
  "dsse 0.0.2": dsse2,
  "intoto 0.0.2": intoto2,
};

/**
 * Compares a log entry's body with what it must be about: signature, signer and hash, all of them (rekor,
 * pkg/types; rekor-tiles, api/proto/rekor/v2). A statement may be logged as `hashedrekord` over Hash(PAE).
 *
 * @returns null, or what does not agree. Never throws for any bytes.
 */
export function bodyProblem(entry: LogEntry, logged: Logged): string | null {
  try {
    const text = entry.body.toString("utf8");
    const body = fieldsOf(
      parseStrictJson(text, { maxBytes: 1 << 20, maxDepth: 16, maxNodes: 10_000 }),
      "body",
    );
    if (body.kind !== entry.kind || body.apiVersion !== entry.version)
      return "its body is of another kind than it says";
    const name = `${entry.kind} ${entry.version}`;
    const compare = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    if (compare === undefined) return `entries of kind ${name} do not say which signature they are about`;
    compare(fieldsOf(body.spec, "spec"), logged);
    return null;
  } catch (error) {
    if (error instanceof ShapeError || error instanceof JsonSyntaxError) return error.message;
    throw error;
  }
}

function hashedRekord1(spec: Fields, logged: Logged): void {
  const signature = fieldsOf(spec.signature, "signature");
  sameSignature(bytesOf(signature.content, "signature.content", 4096), logged);
  sameVerifier(fromPem(fieldsOf(signature.publicKey, "publicKey").content), logged);
  sameHash(fieldsOf(fieldsOf(spec.data, "data").hash, "data.hash"), "value", "hex", logged.signedHash);
}

function hashedRekord2(spec: Fields, logged: Logged): void {
  const record = fieldsOf(spec.hashedRekordV002, "hashedRekordV002");
  const signature = fieldsOf(record.signature, "signature");
  sameSignature(bytesOf(signature.content, "signature.content", 4096), logged);
  sameVerifier(rawVerifier(signature.verifier), logged);
  sameHash(fieldsOf(record.data, "data"), "digest", "base64", logged.signedHash);
}

function dsse1(spec: Fields, logged: Logged): void {
  const signature = onlySignature(spec.signatures);
  sameSignature(bytesOf(signature.signature, "signature", 4096), logged);
  sameVerifier(fromPem(signature.verifier), logged);
  sameHash(fieldsOf(spec.payloadHash, "payloadHash"), "value", "hex", payloadHash(logged));
}

function dsse2(spec: Fields, logged: Logged): void {
  const entry = fieldsOf(spec.dsseV002, "dsseV002");
  const signature = onlySignature(entry.signatures);
  sameSignature(bytesOf(signature.content, "signature", 4096), logged);
  sameVerifier(rawVerifier(signature.verifier), logged);
  sameHash(fieldsOf(entry.payloadHash, "payloadHash"), "digest", "base64", payloadHash(logged));
}

function intoto2(spec: Fields, logged: Logged): void {
  const content = fieldsOf(spec.content, "content");
  const envelope = fieldsOf(content.envelope, "envelope");
  if (envelope.payloadType !== logged.payloadType) throw new ShapeError("it is about another payload type");
  const signature = onlySignature(envelope.signatures);
  // Base64 of the base64: the entry holds the envelope's text, and its own JSON encodes that once more.
  const once = bytesOf(signature.sig, "sig", 8192).toString("latin1");
  sameSignature(bytesOf(once, "sig", 4096), logged);
  sameVerifier(fromPem(signature.publicKey), logged);
  sameHash(fieldsOf(content.payloadHash, "payloadHash"), "value", "hex", payloadHash(logged));
}

function onlySignature(value: Json | undefined): Fields {
  const list = listOf(value, "signatures", 32);
  if (list.length !== 1) throw new ShapeError("it does not hold exactly one signature");
  return fieldsOf(list[0], "signatures");
}

function payloadHash(logged: Logged): SignedHash {
  if (logged.payloadHash === undefined)
    throw new ShapeError("it is about a statement, the bundle about a file");
  return logged.payloadHash;
}

function sameSignature(found: Buffer, { signature }: Logged): void {
  if (!found.equals(signature)) throw new ShapeError("it is about another signature");
}

function sameVerifier(found: Buffer, { verifier }: Logged): void {
  if (!found.equals(verifier)) throw new ShapeError("it names another signer");
}

function sameHash(
  fields: Fields,
  key: "value" | "digest",
  encoding: "hex" | "base64",
  expected: SignedHash,
): void {
  const name = textOf(fields.algorithm, "algorithm", 32);
  const algorithm = Object.hasOwn(HASHES, name) ? HASHES[name] : undefined;
  if (algorithm === undefined) throw new ShapeError("it uses a hash that is not known");
  if (textOf(fields[key], key, 256) !== expected(algorithm).toString(encoding))
    throw new ShapeError("it is about other content");
}

/** A Rekor v2 verifier: a certificate or a key in DER. */
function rawVerifier(value: Json | undefined): Buffer {
  const verifier = fieldsOf(value, "verifier");
  const holder = optional(verifier, "x509Certificate") ?? optional(verifier, "publicKey");
  return bytesOf(fieldsOf(holder, "verifier").rawBytes, "verifier.rawBytes", 1 << 16);
}

/** DER of the first block in a PEM text that is itself in base64: a certificate or a public key. */
function fromPem(value: Json | undefined): Buffer {
  const pem = bytesOf(value, "publicKey", 1 << 17).toString("latin1");
  const match = /-----BEGIN (CERTIFICATE|PUBLIC KEY)-----([A-Za-z0-9+/=\s]*)-----END \1-----/.exec(pem);
  if (match === null) throw new ShapeError("it names no signer");
  return Buffer.from(match[2]!, "base64");
}

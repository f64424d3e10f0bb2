import { createPublicKey, hash, type KeyObject, verify, X509Certificate } from "node:crypto";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { decodeBase64 } from "../core/note.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { MAX_ENTRY } from "../core/tlog-tiles.ts";
import { type Envelope, preAuthEncoding } from "../sign/dsse.ts";
import { type Curve, curveOf, keyId, spkiDer } from "../sign/keys.ts";

/** `kindVersion` of every entry that is written or read. */
export const ENTRY_KIND = { kind: "hashedrekord", version: "0.0.2" } as const;

/** Digest algorithm (protobuf-specs HashAlgorithm), its OpenSSL name and length, and key details of each curve. */
const BY_CURVE: Readonly<
  Record<Curve, { algorithm: string; hash: string; bytes: number; keyDetails: string }>
> = {
  "P-256": { algorithm: "SHA2_256", hash: "sha256", bytes: 32, keyDetails: "PKIX_ECDSA_P256_SHA_256" },
  "P-384": { algorithm: "SHA2_384", hash: "sha384", bytes: 48, keyDetails: "PKIX_ECDSA_P384_SHA_384" },
  "P-521": { algorithm: "SHA2_512", hash: "sha512", bytes: 64, keyDetails: "PKIX_ECDSA_P521_SHA_512" },
};

/** Who an entry says made the signature. */
export type EntryVerifier = { kind: "publicKey"; der: Buffer } | { kind: "x509Certificate"; der: Buffer };

/** A hashedrekord 0.0.2, well formed. Its signature has not been verified: only its digest is known here. */
export interface Entry {
  /** Hash over the signed bytes: of an attestation, Hash(PAE). */
  digest: Buffer;
  algorithm: "SHA2_256" | "SHA2_384" | "SHA2_512";
  /** DER. */
  signature: Buffer;
  verifier: EntryVerifier;
  /** The key in the verifier. */
  publicKey: KeyObject;
  /** Hex id of that key. */
  keyId: string;
}

/**
 * The body of a log entry: canonical JSON of a Rekor v2 `hashedrekord` 0.0.2 (rekor-tiles, hashedrekord.proto).
 *
 * @throws WaybillError WB-INPUT-016 for a key that is not ECDSA on P-256, P-384 or P-521: pure Ed25519 cannot be
 *   checked from a digest; WB-INPUT-003 when it would be larger than a tile can hold
 */
export function encodeEntry(entry: {
  digest: Uint8Array;
  signature: Uint8Array;
  verifier: EntryVerifier;
}): string {
  const { verifier } = entry;
  const { algorithm, keyDetails } = BY_CURVE[curveOf(publicKeyOf(verifier))];
  const body = canonicalJson({
    apiVersion: ENTRY_KIND.version,
    kind: ENTRY_KIND.kind,
    spec: {
      hashedRekordV002: {
        data: { algorithm, digest: base64(entry.digest) },
        signature: {
          content: base64(entry.signature),
          verifier: { keyDetails, [verifier.kind]: { rawBytes: base64(verifier.der) } },
        },
      },
    },
  });
  if (body.length > MAX_ENTRY)
    throw new WaybillError(
      "WB-INPUT-003",
      `the log entry would have ${body.length} bytes; at most ${MAX_ENTRY} fit`,
      {
        hint: "sign with a smaller certificate, or with a key",
      },
    );
  return body;
}

/**
 * The entry over a DSSE envelope of one signature, which is verified first: what does not verify is never logged.
 *
 * @throws WaybillError WB-INPUT-006 not one signature, or one that does not verify; WB-INPUT-016, WB-INPUT-003
 */
export function entryOfEnvelope(
  envelope: Envelope,
  verifier: EntryVerifier,
): { body: string; digest: Buffer } {
  const publicKey = publicKeyOf(verifier);
  const problem = envelopeProblem(envelope, publicKey);
  if (problem !== null)
    throw new WaybillError("WB-INPUT-006", `nothing is logged: ${problem}`, {
      hint: "sign it again with the key that is named, then log it",
    });
  const digest = envelopeDigest(envelope, publicKey);
  const signature = Buffer.from(envelope.signatures[0]!.sig, "base64");
  return { body: encodeEntry({ digest, signature, verifier }), digest };
}

/** Hash(PAE) of an envelope, by the algorithm of the key's curve; throws as `curveOf`. */
export function envelopeDigest({ payloadType, payload }: Envelope, publicKey: KeyObject): Buffer {
  const pae = preAuthEncoding(payloadType, Buffer.from(payload, "base64"));
  return hash(BY_CURVE[curveOf(publicKey)].hash, pae, "buffer");
}

/** Why an envelope of one signature does not verify by this key, or null. Never throws for an accepted key. */
export function envelopeProblem(envelope: Envelope, publicKey: KeyObject): string | null {
  const [signature, second] = envelope.signatures;
  if (signature === undefined || second !== undefined)
    return "the envelope does not have exactly one signature";
  const bytes = decodeBase64(signature.sig);
  const payload = decodeBase64(envelope.payload);
  if (bytes === null || payload === null) return "the envelope is not in standard base64";
  const algorithm = BY_CURVE[curveOf(publicKey)].hash;
  try {
    const signed = preAuthEncoding(envelope.payloadType, payload);
    return verify(algorithm, signed, { key: publicKey, dsaEncoding: "der" }, bytes)
      ? null
      : "the envelope's signature is not by the key that is named";
  } catch {
    return "the envelope's signature is malformed";
  }
}

/**
 * Reads an entry's body strictly: exactly the canonical text of a hashedrekord 0.0.2 with an ECDSA key or
 * certificate, its digest as long as the key's curve demands. Never throws for any text.
 */
export function parseEntry(body: string): Entry | { problem: string } {
  try {
    const data = parseStrictJson(body, { maxBytes: MAX_ENTRY, maxDepth: 8, maxNodes: 32 });
    const spec = fields(fields(data, "apiVersion", "kind", "spec").spec, "hashedRekordV002").hashedRekordV002;
    const { data: content, signature } = fields(spec, "data", "signature");
    const { algorithm, digest } = fields(content, "algorithm", "digest");
    const { content: sig, verifier: named } = fields(signature, "content", "verifier");
    const kind = Object.hasOwn(Object(named) as object, "publicKey") ? "publicKey" : "x509Certificate";
    const { keyDetails, [kind]: held } = fields(named, "keyDetails", kind);
    const verifier: EntryVerifier = { kind, der: bytesOf(fields(held, "rawBytes").rawBytes) };
    const publicKey = publicKeyOf(verifier);
    const expected = BY_CURVE[curveOf(publicKey)];
    const entry: Entry = {
      digest: bytesOf(digest),
      algorithm: expected.algorithm as Entry["algorithm"],
      signature: bytesOf(sig),
      verifier,
      publicKey,
      keyId: keyId(publicKey),
    };
    if (algorithm !== expected.algorithm || keyDetails !== expected.keyDetails)
      return { problem: "not an entry that is read: its algorithm is not that of its key" };
    if (entry.digest.length !== expected.bytes)
      return { problem: "not an entry that is read: its digest has another length" };
    if (encodeEntry(entry) !== body)
      return { problem: "not an entry that is read: not canonical, or another version" };
    return entry;
  } catch (error) {
    return { problem: `not an entry that is read: ${(error as Error).message}` };
  }
}

/**
 * The key of a verifier.
 *
 * @throws WaybillError WB-INPUT-016 not a key or certificate, or not ECDSA on an accepted curve
 */
export function publicKeyOf(verifier: EntryVerifier): KeyObject {
  const name = `${verifier.kind} ${verifier.der.toString("latin1")}`;
  const known = KNOWN.get(name);
  if (known !== undefined) return known;
  const key = readKey(verifier);
  if (KNOWN.size >= 64) KNOWN.clear();
  KNOWN.set(name, key);
  return key;
}

/** Keys that were read before: a journal is mostly written by a few, and reading one costs as much as verifying. */
const KNOWN = new Map<string, KeyObject>();

function readKey(verifier: EntryVerifier): KeyObject {
  let key: KeyObject;
  try {
    if (verifier.kind === "publicKey")
      key = createPublicKey({ key: verifier.der, format: "der", type: "spki" });
    else {
      const certificate = new X509Certificate(verifier.der);
      // Node looks for a PEM text anywhere in the bytes first: one in an extension would lend its key.
      if (!certificate.raw.equals(verifier.der)) throw new TypeError("not one certificate in DER");
      key = certificate.publicKey;
    }
  } catch (cause) {
    throw new WaybillError("WB-INPUT-016", "the verifier is not a key or certificate in DER", {
      hint: "give the key's SubjectPublicKeyInfo or the X.509 certificate",
      cause,
    });
  }
  const spki = spkiDer(key);
  if (verifier.kind === "publicKey" && !spki.equals(verifier.der))
    throw new WaybillError("WB-INPUT-016", "the key is not in its usual DER form", {
      hint: "an uncompressed point and a named curve are accepted",
    });
  return key;
}

function fields<Name extends string>(value: Json | undefined, ...names: Name[]): Record<Name, Json> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TypeError("a part is no object");
  const keys = Object.keys(value);
  if (keys.length !== names.length || !names.every((name) => Object.hasOwn(value, name)))
    throw new TypeError(`a part does not have exactly the fields ${names.join(", ")}`);
  return value as Record<Name, Json>;
}

function bytesOf(value: Json): Buffer {
  const bytes = typeof value === "string" ? decodeBase64(value) : null;
  if (bytes === null || bytes.length === 0) throw new TypeError("a value is not standard base64");
  return bytes;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

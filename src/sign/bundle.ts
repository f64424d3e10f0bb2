import type { KeyObject } from "node:crypto";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { JsonSyntaxError, parseStrictJson } from "../core/strict-json.ts";
import { type Envelope, hashOf, IN_TOTO_PAYLOAD, preAuthEncoding, signEnvelope } from "./dsse.ts";
import { bytesOf, type Fields, fieldsOf, listOf, optional, ShapeError, textOf } from "./json-shape.ts";
import { keyHints } from "./keys.ts";
import { type LogEntry, readLogEntry } from "./log-entry.ts";
import { verifySignature } from "./verify-signature.ts";

export const BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** Largest bundle that is written, or read where it was not named: in folders, registries, logs. In bytes. */
export const MAX_BUNDLE_BYTES = 1 << 20;

/** Largest bundle that is read when somebody names it: attestations can be large. In bytes. */
export const MAX_NAMED_BUNDLE_BYTES = 16 << 20;

export type BundleVersion = "0.1" | "0.2" | "0.3";

const VERSIONS: Readonly<Record<string, BundleVersion>> = {
  "application/vnd.dev.sigstore.bundle+json;version=0.1": "0.1",
  "application/vnd.dev.sigstore.bundle+json;version=0.2": "0.2",
  "application/vnd.dev.sigstore.bundle+json;version=0.3": "0.3",
  [BUNDLE_MEDIA_TYPE]: "0.3",
};

/** How a bundle names its signer. */
export type BundleSigner =
  /** Names of the key as the bundle states them: cosign's form, OMS's form, or a key id in hex. Not signed. */
  | { kind: "key"; hints: string[] }
  /** Certificates in DER, the signer's own first. */
  | { kind: "certificate"; chain: Buffer[] };

/** What a bundle's signature is over. */
export type BundleContent =
  | { kind: "dsse"; payloadType: typeof IN_TOTO_PAYLOAD; payload: Buffer; envelope: Envelope }
  /** A file that is not in the bundle. */
  | { kind: "message"; digest?: { algorithm: string; value: Buffer } };

/** A Sigstore bundle, well formed. Nothing in it has been verified: `verifyBundle`. */
export interface ParsedBundle {
  version: BundleVersion;
  signer: BundleSigner;
  content: BundleContent;
  /** DER for ECDSA. */
  signature: Buffer;
  logEntries: readonly LogEntry[];
  /** RFC 3161 TimeStampResp in DER. */
  timestamps: readonly Buffer[];
  /** The document as it was parsed. */
  json: Json;
}

const MAX_ENTRIES = 32;
const MAX_TIMESTAMPS = 32;
const MAX_CERTIFICATES = 10;
const MAX_DER = 1 << 16;

/** Hash of each algorithm that a message digest may state, by the name that Node gives it. */
const DIGESTS: Readonly<Record<string, string>> = {
  SHA2_256: "sha256",
  SHA2_384: "sha384",
  SHA2_512: "sha512",
};

/**
 * Signs a statement into a Sigstore bundle v0.3 (sigstore/protobuf-specs, sigstore_bundle.proto).
 *
 * @param statementJson the statement's exact text (`encodeStatement`)
 * @param privateKey EC P-256, P-384 or P-521
 * @param options `hint`: the form in which the key is named, cosign's when not given; `maxBytes`: 1 MiB
 * @returns the bundle's text: RFC 8785 JSON and a newline
 * @throws WaybillError WB-INPUT-016 for another key, WB-INPUT-003 when the bundle would exceed `maxBytes`
 */
export function makeKeyBundle(
  statementJson: string,
  privateKey: KeyObject,
  options: { hint?: "cosign" | "oms"; maxBytes?: number } = {},
): string {
  const { cosign, oms } = keyHints(privateKey);
  const envelope = signEnvelope(IN_TOTO_PAYLOAD, Buffer.from(statementJson, "utf8"), privateKey);
  return encodeBundle(
    {
      mediaType: BUNDLE_MEDIA_TYPE,
      verificationMaterial: {
        publicKey: { hint: options.hint === "oms" ? oms : cosign },
        tlogEntries: [],
      },
      dsseEnvelope: envelope as unknown as Json,
    },
    options.maxBytes,
  );
}

/**
 * A bundle with one more log entry. ECDSA signatures differ each time, so that a log can only be given an
 * envelope that was signed before: sign, log, then add the entry here.
 *
 * @param parsed a bundle as it was read
 * @param logEntry TransparencyLogEntry JSON
 * @throws WaybillError WB-INPUT-003 when the bundle would exceed 1 MiB
 */
export function addLogEntry(parsed: ParsedBundle, logEntry: Json, maxBytes?: number): string {
  const bundle = parsed.json as Fields;
  const material = bundle.verificationMaterial as Fields;
  const tlogEntries = [...((material.tlogEntries as Json[] | null) ?? []), logEntry];
  return encodeBundle({ ...bundle, verificationMaterial: { ...material, tlogEntries } }, maxBytes);
}

function encodeBundle(bundle: Json, maxBytes = MAX_BUNDLE_BYTES): string {
  const text = `${canonicalJson(bundle)}\n`;
  if (Buffer.byteLength(text) > maxBytes)
    throw new WaybillError(
      "WB-INPUT-003",
      `the statement is too large: its bundle would exceed ${maxBytes >> 20} MiB`,
      { hint: "a release: declare fewer components, or shorter origins; a model: fewer files" },
    );
  return text;
}

/**
 * Reads a Sigstore bundle v0.1 to v0.3 of unknown origin strictly: bounded, I-JSON, only known fields, canonical
 * base64, one signature, no log entry or timestamp twice. DSSE payloads must be in-toto. A chain of certificates
 * is read in v0.3 too, against its specification: OMS v1.0 writes it. Never throws for any text.
 *
 * @param limits.maxBytes 1 MiB when not given
 */
export function parseBundle(
  text: string,
  limits: { maxBytes?: number } = {},
): ParsedBundle | { problem: string } {
  const { maxBytes = MAX_BUNDLE_BYTES } = limits;
  try {
    return readBundle(parseStrictJson(text, { maxBytes, maxDepth: 32, maxNodes: 20_000 }), maxBytes);
  } catch (error) {
    if (error instanceof ShapeError || error instanceof JsonSyntaxError)
      return { problem: `not a bundle: ${error.message}` };
    throw error;
  }
}

function readBundle(data: Json, maxBytes: number): ParsedBundle {
  const bundle = fieldsOf(data, "document", [
    "mediaType",
    "verificationMaterial",
    "dsseEnvelope",
    "messageSignature",
  ]);
  const mediaType = textOf(bundle.mediaType, "mediaType", 128);
  const version = Object.hasOwn(VERSIONS, mediaType) ? VERSIONS[mediaType] : undefined;
  if (version === undefined) throw new ShapeError("mediaType: not a version that is known");
  const material = fieldsOf(bundle.verificationMaterial, "verificationMaterial", [
    "publicKey",
    "certificate",
    "x509CertificateChain",
    "tlogEntries",
    "timestampVerificationData",
  ]);
  const dsse = optional(bundle, "dsseEnvelope");
  const message = optional(bundle, "messageSignature");
  if ((dsse === undefined) === (message === undefined))
    throw new ShapeError("document: neither or both of dsseEnvelope and messageSignature");
  const logEntries = listOf(material.tlogEntries, "tlogEntries", MAX_ENTRIES).map((entry, i) => {
    const read = readLogEntry(entry, `tlogEntries.${i}`);
    demandInclusion(read, version, `tlogEntries.${i}`);
    return read;
  });
  const timestamps = readTimestamps(optional(material, "timestampVerificationData"));
  refuseRepeats(
    logEntries.map(({ logId, body }) => sha256(Buffer.concat([logId, body]))),
    "log entry",
  );
  refuseRepeats(timestamps.map(sha256), "timestamp");
  return {
    version,
    signer: readSigner(material),
    ...(dsse === undefined ? readMessage(message!) : readEnvelope(dsse, maxBytes)),
    logEntries,
    timestamps,
    json: data,
  };
}

/** What each version demands of an entry: sigstore_bundle.proto, VerificationMaterial.tlog_entries. */
function demandInclusion(entry: LogEntry, version: BundleVersion, at: string): void {
  if (version === "0.1") {
    if (entry.promise === undefined) throw new ShapeError(`${at}.inclusionPromise: missing`);
  } else if (entry.proof?.checkpoint === undefined)
    throw new ShapeError(`${at}.inclusionProof${entry.proof ? ".checkpoint" : ""}: missing`);
}

function readSigner(material: Fields): BundleSigner {
  const key = optional(material, "publicKey");
  const single = optional(material, "certificate");
  const several = optional(material, "x509CertificateChain");
  if ([key, single, several].filter((each) => each !== undefined).length !== 1)
    throw new ShapeError("verificationMaterial: not exactly one of a key, a certificate and a chain");
  if (key !== undefined) return { kind: "key", hints: readHints(key) };
  const list =
    single !== undefined
      ? [single]
      : listOf(
          fieldsOf(several, "x509CertificateChain", ["certificates"]).certificates,
          "x509CertificateChain.certificates",
          MAX_CERTIFICATES,
        );
  if (list.length === 0) throw new ShapeError("x509CertificateChain.certificates: empty");
  const chain = list.map((certificate) =>
    bytesOf(fieldsOf(certificate, "certificate", ["rawBytes"]).rawBytes, "certificate.rawBytes", MAX_DER),
  );
  return { kind: "certificate", chain };
}

/** `rawBytes` and `keyDetails` as older OMS bundles carry them (OMS v1.0, signing with a key). */
function readHints(value: Json): string[] {
  const key = fieldsOf(value, "publicKey", ["hint", "rawBytes", "keyDetails"]);
  const details = optional(key, "keyDetails");
  if (details !== undefined && !Number.isSafeInteger(details)) textOf(details, "publicKey.keyDetails", 64);
  const hint = textOf(optional(key, "hint") ?? "", "publicKey.hint", 256);
  const raw = optional(key, "rawBytes");
  const hints = [
    ...(hint === "" ? [] : [hint]),
    ...(raw === undefined ? [] : [sha256(bytesOf(raw, "publicKey.rawBytes", 4096))]),
  ];
  if (hints.length === 0) throw new ShapeError("publicKey: it names no key");
  return hints;
}

function readTimestamps(value: Json | undefined): Buffer[] {
  if (value === undefined) return [];
  const data = fieldsOf(value, "timestampVerificationData", ["rfc3161Timestamps"]);
  return listOf(data.rfc3161Timestamps, "rfc3161Timestamps", MAX_TIMESTAMPS).map((timestamp, i) => {
    const at = `rfc3161Timestamps.${i}`;
    const { signedTimestamp } = fieldsOf(timestamp, at, ["signedTimestamp"]);
    // Put in by hand these come in lines as tools wrap them, and other readers take them so.
    const text = textOf(signedTimestamp, `${at}.signedTimestamp`, 2 * MAX_DER).replace(/\r?\n/g, "");
    return bytesOf(text, `${at}.signedTimestamp`, MAX_DER);
  });
}

function readEnvelope(value: Json, maxBytes: number): Pick<ParsedBundle, "content" | "signature"> {
  const envelope = fieldsOf(value, "dsseEnvelope", ["payload", "payloadType", "signatures"]);
  const payload = bytesOf(envelope.payload, "dsseEnvelope.payload", maxBytes);
  if (envelope.payloadType !== IN_TOTO_PAYLOAD)
    throw new ShapeError(`dsseEnvelope.payloadType: not ${IN_TOTO_PAYLOAD}`);
  const signatures = listOf(envelope.signatures, "dsseEnvelope.signatures", 1);
  const only = fieldsOf(signatures[0], "dsseEnvelope.signatures", ["sig", "keyid"]);
  const signature = bytesOf(only.sig, "dsseEnvelope.signatures.sig", 1024);
  const keyid = textOf(optional(only, "keyid") ?? "", "dsseEnvelope.signatures.keyid", 256);
  const sig = only.sig as string;
  return {
    signature,
    content: {
      kind: "dsse",
      payloadType: IN_TOTO_PAYLOAD,
      payload,
      envelope: {
        payload: envelope.payload as string,
        payloadType: IN_TOTO_PAYLOAD,
        signatures: [keyid === "" ? { sig } : { sig, keyid }],
      },
    },
  };
}

function readMessage(value: Json): Pick<ParsedBundle, "content" | "signature"> {
  const message = fieldsOf(value, "messageSignature", ["messageDigest", "signature"]);
  const signature = bytesOf(message.signature, "messageSignature.signature", 1024);
  const stated = optional(message, "messageDigest");
  if (stated === undefined) return { signature, content: { kind: "message" } };
  const digest = fieldsOf(stated, "messageDigest", ["algorithm", "digest"]);
  const name = textOf(digest.algorithm, "messageDigest.algorithm", 64);
  const algorithm = Object.hasOwn(DIGESTS, name) ? DIGESTS[name] : undefined;
  if (algorithm === undefined) throw new ShapeError("messageDigest.algorithm: not one that is known");
  const value64 = bytesOf(digest.digest, "messageDigest.digest", 64);
  return { signature, content: { kind: "message", digest: { algorithm, value: value64 } } };
}

function refuseRepeats(names: readonly string[], what: string): void {
  if (new Set(names).size !== names.length) throw new ShapeError(`the same ${what} twice`);
}

/**
 * The bytes that a bundle's signature covers: the PAE of a statement, or the file itself.
 *
 * @param artifact the file, for a signature over one
 */
export function signedBytes(content: BundleContent, artifact?: Uint8Array): Uint8Array | undefined {
  return content.kind === "dsse" ? preAuthEncoding(content.payloadType, content.payload) : artifact;
}

/**
 * Verifies the signature of a bundle over a statement by this key: the signature only, by keys that Waybill
 * accepts from makers (ECDSA on P-256, P-384, P-521, each with its hash). Whether the key is trusted for what the
 * payload says is the affair of `verify/`, and hints are not compared: they are not signed.
 *
 * @returns null when it is valid, else the reason
 */
export function verifyBundleSignature(parsed: ParsedBundle, publicKey: KeyObject): string | null {
  if (parsed.content.kind !== "dsse") return "a signature over a file, not over a statement";
  try {
    hashOf(publicKey);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return verifySignature(signedBytes(parsed.content)!, parsed.signature, publicKey);
}

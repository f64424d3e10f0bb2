import { isUtf8 } from "node:buffer";
import type { Json } from "../../core/canonical-json.ts";
import { parseStrictJson } from "../../core/strict-json.ts";
import { type Fields, fieldsOf, listOf, unknownFields } from "./fields.ts";

/** Largest bundle that the doctor looks at, in bytes. */
export const MAX_PATIENT_BYTES = 16 << 20;

/** A log entry as far as consumers differ over it. */
export interface EntryFacts {
  /** `hashedrekord 0.0.1`, `dsse 0.0.1`, `hashedrekord 0.0.2` … */
  kind: string;
  /** A Rekor v1 signed entry timestamp. */
  promise: boolean;
  proof: boolean;
  /** Rekor v1 says when it took an entry; Rekor v2 does not. */
  integratedTime: boolean;
}

/** An in-toto statement as far as consumers differ over it. */
export interface StatementFacts {
  type: string;
  predicateType: string;
  subjects: { name?: string; digest: Readonly<Record<string, string>> }[];
  predicate: Json | undefined;
  /** Places of fields that the in-toto Statement does not have. */
  unknown: string[];
}

/** What a bundle consists of, right or wrong. Nothing in it has been verified. */
export interface BundleFacts {
  bytes: number;
  mediaType: string;
  /** As the media type states it, such as `0.3` or `0.4`; undefined when it is no bundle's media type. */
  version: string | undefined;
  signer:
    | { kind: "key"; hint: string | undefined; rawBytes: boolean }
    | { kind: "certificate"; form: "certificate" | "x509CertificateChain"; chain: Buffer[] }
    | undefined;
  content:
    | {
        kind: "dsse";
        payloadType: string;
        payload: Buffer;
        signatures: Buffer[];
        statement: StatementFacts | undefined;
      }
    | { kind: "message"; algorithm: string | undefined; digest: Buffer | undefined; signature: Buffer }
    | undefined;
  entries: EntryFacts[];
  timestamps: number;
  /** Places of fields that sigstore_bundle.proto does not have; protobuf readers refuse them. */
  unknown: string[];
}

const LEGACY = /^application\/vnd\.dev\.sigstore\.bundle\+json;version=(\d+\.\d+)$/;
const MODERN = /^application\/vnd\.dev\.sigstore\.bundle\.v(\d+(?:\.\d+){0,2})\+json$/;

/**
 * Takes a bundle apart without judging it: `parseBundle` says whether Waybill reads it, this says what others meet.
 *
 * Format: sigstore/protobuf-specs sigstore_bundle.proto in proto3 JSON, v0.1 to v0.3.
 *
 * @returns the facts, or why the text is no JSON object that all readers read alike. Never throws for any text
 */
export function takeApart(text: string): BundleFacts | { problem: string } {
  let data: Json;
  try {
    data = parseStrictJson(text, { maxBytes: MAX_PATIENT_BYTES, maxDepth: 64, maxNodes: 500_000 });
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
  const bundle = fieldsOf(data);
  if (!bundle) return { problem: "not a JSON object" };
  const unknown = unknownFields(bundle);
  const material = bundle.object("verificationMaterial");
  const mediaType = bundle.text("mediaType") ?? "";
  const times = material?.object("timestampVerificationData");
  return {
    bytes: Buffer.byteLength(text),
    mediaType,
    version: (LEGACY.exec(mediaType) ?? MODERN.exec(mediaType))?.[1],
    signer: signerOf(material),
    content: contentOf(bundle),
    entries: listOf(material?.get("tlogEntries")).map(entryOf),
    timestamps: listOf(times?.get("rfc3161Timestamps")).length,
    unknown,
  };
}

function signerOf(material: Fields | undefined): BundleFacts["signer"] {
  const key = material?.object("publicKey");
  if (key)
    return { kind: "key", hint: key.text("hint") || undefined, rawBytes: key.get("rawBytes") !== undefined };
  const single = material?.object("certificate");
  const chain = material?.object("x509CertificateChain");
  const listed = single ? [single] : listOf(chain?.get("certificates")).map(fieldsOf);
  if (!single && !chain) return undefined;
  return {
    kind: "certificate",
    form: single ? "certificate" : "x509CertificateChain",
    chain: listed.flatMap((one) => one?.bytes("rawBytes") ?? []),
  };
}

function contentOf(bundle: Fields): BundleFacts["content"] {
  const envelope = bundle.object("dsseEnvelope");
  if (envelope) {
    const payload = envelope.bytes("payload") ?? Buffer.alloc(0);
    return {
      kind: "dsse",
      payloadType: envelope.text("payloadType") ?? "",
      payload,
      signatures: listOf(envelope.get("signatures")).map(
        (one) => fieldsOf(one)?.bytes("sig") ?? Buffer.alloc(0),
      ),
      statement: statementOf(payload),
    };
  }
  const message = bundle.object("messageSignature");
  if (!message) return undefined;
  const digest = message.object("messageDigest");
  return {
    kind: "message",
    algorithm: digest?.text("algorithm"),
    digest: digest?.bytes("digest"),
    signature: message.bytes("signature") ?? Buffer.alloc(0),
  };
}

function statementOf(payload: Buffer): StatementFacts | undefined {
  if (!isUtf8(payload)) return undefined;
  let data: Json;
  try {
    data = parseStrictJson(payload.toString("utf8"), { maxDepth: 64, maxNodes: 500_000 });
  } catch {
    return undefined;
  }
  const statement = fieldsOf(data);
  if (!statement) return undefined;
  const allowed = new Set(["_type", "type", "subject", "predicateType", "predicate_type", "predicate"]);
  return {
    type: statement.text("_type") ?? "",
    predicateType: statement.text("predicateType") ?? "",
    predicate: statement.get("predicate"),
    unknown: statement.names().filter((name) => !allowed.has(name)),
    subjects: listOf(statement.get("subject")).flatMap((one) => {
      const subject = fieldsOf(one);
      if (!subject) return [];
      const digest = subject.object("digest");
      const pairs = digest?.names().flatMap((name) => {
        const value = digest.text(name);
        return value === undefined ? [] : [[name, value] as const];
      });
      const name = subject.text("name");
      return [{ ...(name === undefined ? {} : { name }), digest: Object.fromEntries(pairs ?? []) }];
    }),
  };
}

function entryOf(data: Json): EntryFacts {
  const entry = fieldsOf(data);
  const kind = entry?.object("kindVersion");
  const time = entry?.get("integratedTime");
  const root = entry?.object("inclusionProof");
  return {
    kind: `${kind?.text("kind") ?? "unknown"} ${kind?.text("version") ?? "?"}`,
    promise: entry?.object("inclusionPromise") !== undefined,
    proof: root !== undefined,
    integratedTime: time !== undefined && time !== "0" && time !== 0,
  };
}

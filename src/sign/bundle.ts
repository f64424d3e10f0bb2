import { type KeyObject, verify } from "node:crypto";
import { type Bundle, bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import { z } from "zod";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { type Envelope, hashOf, IN_TOTO_PAYLOAD, preAuthEncoding, signEnvelope } from "./dsse.ts";
import { cosignHint, keyId } from "./keys.ts";

export const BUNDLE_MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** Largest bundle that is written or read, in bytes. */
export const MAX_BUNDLE_BYTES = 1 << 20;

/** A bundle signed by a key, well formed. Nothing in it has been verified. */
export interface ParsedBundle {
  /** Names of the signing key as the bundle states them: cosign's form, OMS's form, or a key id in hex. */
  hints: string[];
  payloadType: typeof IN_TOTO_PAYLOAD;
  payload: Buffer;
  /** DER. */
  signature: Buffer;
  envelope: Envelope;
  /** Log entries and RFC 3161 timestamps that it carries. No log is trusted yet, so they are not looked at. */
  logEntries: number;
  timestamps: number;
}

const base64 = z
  .string()
  .refine((text) => Buffer.from(text, "base64").toString("base64") === text, "not standard base64");

const keyBundle = z.strictObject({
  mediaType: z.literal(BUNDLE_MEDIA_TYPE),
  verificationMaterial: z.strictObject({
    publicKey: z.strictObject({
      hint: z.string().max(256).exactOptional(),
      // As older OMS bundles carry it (OMS v1.0, signing with a key).
      rawBytes: base64.max(4096).exactOptional(),
      keyDetails: z.union([z.string().max(64), z.int()]).exactOptional(),
    }),
    tlogEntries: z.array(z.unknown()).max(32).nullish(),
    timestampVerificationData: z
      .strictObject({ rfc3161Timestamps: z.array(z.unknown()).max(32).nullish() })
      .nullish(),
  }),
  dsseEnvelope: z.strictObject({
    payload: base64.min(1),
    payloadType: z.literal(IN_TOTO_PAYLOAD),
    signatures: z
      .array(z.strictObject({ sig: base64.min(1).max(1024), keyid: z.string().max(256).nullish() }))
      .length(1),
  }),
});

/**
 * Signs a statement into a Sigstore bundle v0.3 (sigstore/protobuf-specs, sigstore_bundle.proto) that names the
 * key by cosign's hint.
 *
 * @param statementJson the statement's exact text (`encodeStatement`)
 * @param privateKey EC P-256, P-384 or P-521
 * @returns the bundle's text: RFC 8785 JSON and a newline
 * @throws WaybillError WB-INPUT-016 for another key, WB-INPUT-003 when the bundle would exceed 1 MiB
 */
export function makeKeyBundle(statementJson: string, privateKey: KeyObject): string {
  const envelope = signEnvelope(IN_TOTO_PAYLOAD, Buffer.from(statementJson, "utf8"), privateKey);
  const text = `${canonicalJson({
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: { publicKey: { hint: cosignHint(keyId(privateKey)) }, tlogEntries: [] },
    dsseEnvelope: envelope as unknown as Json,
  })}\n`;
  if (text.length > MAX_BUNDLE_BYTES)
    throw new WaybillError("WB-INPUT-003", "the statement is too large: its bundle would exceed 1 MiB", {
      hint: "declare fewer components, or shorter origins",
    });
  return text;
}

/**
 * Reads a bundle of unknown origin strictly: at most 1 MiB, I-JSON, only known fields, canonical base64, one
 * signature by a key over an in-toto payload. Never throws for any text.
 */
export function parseBundle(text: string): ParsedBundle | { problem: string } {
  try {
    const data = parseStrictJson(text, { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 32 });
    const refused = unsupported(data);
    if (refused !== undefined) return { problem: refused };
    const result = keyBundle.safeParse(data);
    if (!result.success) {
      const { path, message } = result.error.issues[0]!;
      return { problem: `not a bundle: ${path.join(".") || "document"}: ${message}` };
    }
    const { verificationMaterial: material, dsseEnvelope: envelope } = result.data;
    const { hint, rawBytes } = material.publicKey;
    const hints = [...(hint ? [hint] : []), ...(rawBytes ? [sha256(Buffer.from(rawBytes, "base64"))] : [])];
    if (hints.length === 0) return { problem: "not a bundle: it names no key" };
    const { sig, keyid } = envelope.signatures[0]!;
    const parsed: ParsedBundle = {
      hints,
      payloadType: IN_TOTO_PAYLOAD,
      payload: Buffer.from(envelope.payload, "base64"),
      signature: Buffer.from(sig, "base64"),
      envelope: { ...envelope, signatures: [keyid ? { sig, keyid } : { sig }] },
      logEntries: material.tlogEntries?.length ?? 0,
      timestamps: material.timestampVerificationData?.rfc3161Timestamps?.length ?? 0,
    };
    // The library's own rules too: what it would refuse, other Sigstore clients refuse.
    sigstoreBundle(parsed);
    return parsed;
  } catch (error) {
    return { problem: `not a bundle: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/**
 * Verifies the signature of a bundle by this key: the signature only. Whether the key is trusted for what the
 * payload says is `judgeSigner`'s affair, and hints are not compared: they are not signed.
 *
 * @returns null when it is valid, else the reason
 */
export function verifyBundleSignature(parsed: ParsedBundle, publicKey: KeyObject): string | null {
  try {
    const algorithm = hashOf(publicKey);
    const entity = toSignedEntity(sigstoreBundle(parsed));
    // The library hashes with SHA-256 whatever the curve; P-384 and P-521 sign SHA-384 and SHA-512 (OMS v1.0).
    if (algorithm !== "sha256") {
      const signed = preAuthEncoding(parsed.payloadType, parsed.payload);
      entity.signature.verifySignature = (key) => verify(algorithm, signed, key, entity.signature.signature);
    }
    // No trusted log, timestamp or certificate authority: thresholds of 0, and no root.
    const nothing = {
      mediaType: "",
      tlogs: [],
      ctlogs: [],
      certificateAuthorities: [],
      timestampAuthorities: [],
    };
    const material = toTrustMaterial(nothing, () => ({ publicKey, validFor: () => true }));
    new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }).verify(entity);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * The library's form, made of the very bytes that callers read. Log entries and timestamps are left out: see
 * `ParsedBundle`.
 */
function sigstoreBundle({ hints, payloadType, payload, signature }: ParsedBundle): Bundle {
  return bundleFromJSON({
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: { publicKey: { hint: hints[0]! }, tlogEntries: [] },
    dsseEnvelope: {
      payload: payload.toString("base64"),
      payloadType,
      signatures: [{ sig: signature.toString("base64"), keyid: "" }],
    },
  } as unknown as Parameters<typeof bundleFromJSON>[0]);
}

/** Well-known forms that are not read get a sentence of their own instead of a schema error. */
function unsupported(data: Json): string | undefined {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return "not a bundle: not an object";
  const material = data.verificationMaterial;
  if (typeof material === "object" && material !== null && !Array.isArray(material)) {
    if (material.certificate != null || material.x509CertificateChain != null)
      return "signed by a certificate: only bundles signed by a key are read";
  }
  if (data.messageSignature != null) return "a signature over a file, not over a statement";
  return undefined;
}

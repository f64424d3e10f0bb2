import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { sha256 } from "../core/digest.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { type ParsedBundle, parseBundle } from "./bundle.ts";

// Annotations of the layers of `sha256-….sig` and `.att` manifests (cosign, specs/SIGNATURE_SPEC.md).
export const SIGNATURE = "dev.cosignproject.cosign/signature";
export const CERTIFICATE = "dev.sigstore.cosign/certificate";
export const CHAIN = "dev.sigstore.cosign/chain";
export const LOG_BUNDLE = "dev.sigstore.cosign/bundle";
export const TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp";

/** Media type of an attestation's layer (cosign, specs/ATTESTATION_SPEC.md). */
export const DSSE_LAYER = "application/vnd.dsse.envelope.v1+json";

/** A Sigstore bundle of the first version: the one that may have a log's promise without a proof. */
const FIRST_BUNDLE = "application/vnd.dev.sigstore.bundle+json;version=0.1";

/** A layer of a signature manifest without a certificate names no key; the reader of a bundle wants a name. */
export const NAMELESS = "unnamed";

const MAX_ANNOTATION = 1 << 18;

/**
 * Reads a layer of cosign's tag layout as the Sigstore bundle that it would be: over the payload's bytes for a
 * signature, the envelope itself for an attestation; certificate, Rekor v1 entry and RFC 3161 timestamp out of
 * the annotations. Never throws for any bytes.
 *
 * @param layer the layer's blob: a simple signing payload, or a DSSE envelope
 * @param limits.maxBytes of the bundle that it would be; 1 MiB when not given
 * @returns the bundle, whose hint is `NAMELESS` where a key signed; verify it over `layer` when it is a signature
 */
export function bundleOfLayer(
  kind: "signature" | "attestation",
  layer: Uint8Array,
  annotations: Readonly<Record<string, string>>,
  limits: { maxBytes?: number } = {},
): ParsedBundle | { problem: string } {
  try {
    for (const name of [SIGNATURE, CERTIFICATE, CHAIN, LOG_BUNDLE, TIMESTAMP])
      if ((annotations[name]?.length ?? 0) > MAX_ANNOTATION)
        return { problem: `the annotation ${name} is too large` };
    const log = annotations[LOG_BUNDLE];
    const timestamp = annotations[TIMESTAMP];
    return parseBundle(
      canonicalJson({
        mediaType: FIRST_BUNDLE,
        verificationMaterial: {
          ...signerOf(annotations),
          tlogEntries: log === undefined || log === "" ? [] : [logEntryOf(log)],
          timestampVerificationData: {
            rfc3161Timestamps:
              timestamp === undefined || timestamp === ""
                ? []
                : [{ signedTimestamp: timestampOf(timestamp) }],
          },
        },
        ...(kind === "signature"
          ? {
              messageSignature: {
                messageDigest: {
                  algorithm: "SHA2_256",
                  digest: Buffer.from(sha256(layer), "hex").toString("base64"),
                },
                signature: annotations[SIGNATURE] ?? "",
              },
            }
          : { dsseEnvelope: parseStrictJson(Buffer.from(layer).toString("utf8")) }),
      }),
      limits,
    );
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

function signerOf(annotations: Readonly<Record<string, string>>): { [key: string]: Json } {
  const certificate = annotations[CERTIFICATE];
  if (certificate === undefined || certificate === "") return { publicKey: { hint: NAMELESS } };
  const certificates = [...pemBlocks(certificate).slice(0, 1), ...pemBlocks(annotations[CHAIN] ?? "")];
  return { x509CertificateChain: { certificates: certificates.map((rawBytes) => ({ rawBytes })) } };
}

/** The contents of the certificates of a PEM text, in base64 without line ends. */
function pemBlocks(pem: string): string[] {
  return [...pem.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g)].map(
    ([, body]) => body!.replace(/\s/g, ""),
  );
}

/** `{SignedEntryTimestamp, Payload: {body, integratedTime, logIndex, logID}}` as a TransparencyLogEntry. */
function logEntryOf(annotation: string): Json {
  const data = fields(parseStrictJson(annotation), "the log bundle");
  const payload = fields(data.Payload, "the log bundle's Payload");
  const { body, logID, logIndex, integratedTime } = payload;
  if (typeof body !== "string" || typeof logID !== "string")
    throw new Error("the log bundle has no body or logID");
  const entry = fields(parseStrictJson(Buffer.from(body, "base64").toString("utf8")), "the log entry");
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(logID, "hex").toString("base64") },
    kindVersion: { kind: entry.kind ?? null, version: entry.apiVersion ?? null },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: data.SignedEntryTimestamp ?? null },
    canonicalizedBody: body,
  };
}

function timestampOf(annotation: string): Json {
  return fields(parseStrictJson(annotation), "the timestamp").SignedRFC3161Timestamp ?? null;
}

function fields(value: Json | undefined, what: string): { [key: string]: Json } {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new Error(`${what} is no object`);
}

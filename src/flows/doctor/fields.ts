import type { Json } from "../../core/canonical-json.ts";

/** An object of unknown form, read one field at a time; a field of another type counts as absent. */
export interface Fields {
  /** proto3 JSON takes null for an absent field. */
  get(name: string): Json | undefined;
  text(name: string): string | undefined;
  /** Base64, standard or URL-safe, as proto3 JSON reads it. */
  bytes(name: string): Buffer | undefined;
  object(name: string): Fields | undefined;
  names(): string[];
}

/** The fields of a JSON object, or undefined for any other value. */
export function fieldsOf(value: Json | undefined): Fields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const get = (name: string) => (Object.hasOwn(value, name) ? (value[name] ?? undefined) : undefined);
  const text = (name: string) => {
    const found = get(name);
    return typeof found === "string" ? found : undefined;
  };
  return {
    get,
    text,
    bytes(name) {
      const encoded = text(name);
      return encoded === undefined ? undefined : Buffer.from(encoded, "base64");
    },
    object: (name) => fieldsOf(get(name)),
    names: () => Object.keys(value),
  };
}

/** The items of a JSON array; none for any other value. */
export function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

type Shape = { [field: string]: Shape | [Shape] | true };

const DIGEST: Shape = { algorithm: true, digest: true };
const CERTIFICATE: Shape = { rawBytes: true };
const ENTRY: Shape = {
  logIndex: true,
  logId: { keyId: true },
  kindVersion: { kind: true, version: true },
  integratedTime: true,
  inclusionPromise: { signedEntryTimestamp: true },
  inclusionProof: {
    logIndex: true,
    rootHash: true,
    treeSize: true,
    hashes: true,
    checkpoint: { envelope: true },
  },
  canonicalizedBody: true,
};
/** Messages of sigstore_bundle.proto, sigstore_common.proto, sigstore_rekor.proto and envelope.proto. */
const BUNDLE: Shape = {
  mediaType: true,
  verificationMaterial: {
    publicKey: { hint: true },
    certificate: CERTIFICATE,
    x509CertificateChain: { certificates: [CERTIFICATE] },
    tlogEntries: [ENTRY],
    timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: true }] },
  },
  dsseEnvelope: { payload: true, payloadType: true, signatures: [{ sig: true, keyid: true }] },
  messageSignature: { messageDigest: DIGEST, signature: true },
};

/** At most this many are named: one is enough to be refused. */
const MAX_NAMED = 5;

/** Places such as `verificationMaterial.publicKey.rawBytes` that the bundle's protobuf messages do not have. */
export function unknownFields(bundle: Fields): string[] {
  const found: string[] = [];
  visit(bundle, BUNDLE, "", found);
  return found;
}

function visit(fields: Fields, shape: Shape, place: string, found: string[]): void {
  for (const name of fields.names()) {
    if (found.length === MAX_NAMED) return;
    // proto3 JSON also reads a field by its name in the .proto file: media_type.
    const inner =
      own(shape, name) ??
      own(
        shape,
        name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase()),
      );
    if (inner === undefined) found.push(`${place}${name}`);
    else if (Array.isArray(inner))
      for (const item of listOf(fields.get(name))) {
        const object = fieldsOf(item);
        if (object) visit(object, inner[0], `${place}${name}[].`, found);
      }
    else if (inner !== true) {
      const object = fields.object(name);
      if (object) visit(object, inner, `${place}${name}.`, found);
    }
  }
}

function own(shape: Shape, name: string): Shape[string] | undefined {
  return Object.hasOwn(shape, name) ? shape[name] : undefined;
}

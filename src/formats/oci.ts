import type { Json } from "../core/canonical-json.ts";
import { isHex } from "../core/digest.ts";
import { JsonSyntaxError, parseStrictJson } from "../core/strict-json.ts";

/** Largest manifest or index that is read, in bytes (as registries have it). */
export const MAX_MANIFEST_BYTES = 4 << 20;

/** A content descriptor of the OCI image specification; only SHA-256 is accepted. */
export interface Descriptor {
  mediaType: string;
  /** Hex of the SHA-256. */
  sha256: string;
  /** In bytes. */
  size: number;
  annotations: Record<string, string>;
  /** What an index says of the artifact behind it; only its own manifest counts. */
  artifactType?: string;
  /** For which machine an image of an index is. */
  platform?: Platform;
}

/** A machine as image indexes name it (OCI image-spec v1.1, "platform"). */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
}

/** An image manifest: what it names, in order. An index names further manifests. */
export interface OciManifest {
  isIndex: boolean;
  blobs: Descriptor[];
  /** The manifest that this one refers to: it is about that one (OCI image-spec v1.1, "subject"). */
  subject?: Descriptor;
  /** What it is, where it says so. */
  artifactType?: string;
  /** Where there are any. */
  annotations?: Record<string, string>;
}

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** Config of an artifact that has none: the two bytes `{}` (OCI image-spec v1.1, "Guidance for an empty descriptor"). */
export const EMPTY_TYPE = "application/vnd.oci.empty.v1+json";

const INDEX_TYPES = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);

/**
 * Reads an image manifest or index (OCI image-spec v1.1, Docker schema 2).
 *
 * @returns what it names, or a sentence that says what is wrong
 */
export function parseOciManifest(text: string): OciManifest | string {
  let data: Json;
  try {
    data = parseStrictJson(text, { maxBytes: MAX_MANIFEST_BYTES });
  } catch (error) {
    if (error instanceof JsonSyntaxError)
      return `line ${error.line}, column ${error.column}: ${error.reason}`;
    throw error;
  }
  if (!isObject(data) || data.schemaVersion !== 2) return "schemaVersion is not 2";
  const lists = data.manifests !== undefined;
  if (lists && (data.layers !== undefined || data.config !== undefined))
    return "it is an index and a manifest at once";
  if (typeof data.mediaType === "string" && INDEX_TYPES.has(data.mediaType) !== lists)
    return "its mediaType contradicts what it holds";
  const named = lists
    ? data.manifests
    : [data.config, ...(Array.isArray(data.layers) ? data.layers : [undefined])];
  if (!Array.isArray(named) || named.length > 10_000) return "it has no list of manifests or layers";
  const blobs: Descriptor[] = [];
  for (const entry of named) {
    const descriptor = readDescriptor(entry);
    if (typeof descriptor === "string") return descriptor;
    blobs.push(descriptor);
  }
  const subject = data.subject === undefined ? undefined : readDescriptor(data.subject);
  if (typeof subject === "string") return `its subject: ${subject}`;
  const { artifactType } = data;
  const annotations = texts(data.annotations);
  return {
    isIndex: lists,
    blobs,
    ...(subject ? { subject } : {}),
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
}

/** What an artifact is: its `artifactType`, else the media type of its config. */
export function artifactTypeOf(manifest: OciManifest): string | undefined {
  return manifest.artifactType ?? (manifest.isIndex ? undefined : manifest.blobs[0]?.mediaType);
}

/** True for a descriptor that names a manifest or an index rather than a config or a layer. */
export function namesManifest(descriptor: Descriptor): boolean {
  return (
    INDEX_TYPES.has(descriptor.mediaType) ||
    descriptor.mediaType === "application/vnd.oci.image.manifest.v1+json" ||
    descriptor.mediaType === "application/vnd.docker.distribution.manifest.v2+json"
  );
}

const IMAGE_CONFIGS = new Set([
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
]);

/** Layers of the signatures and attestations that cosign keeps under tags. */
const SIGNATURE_LAYERS = new Set([
  "application/vnd.dev.cosign.simplesigning.v1+json",
  "application/vnd.dsse.envelope.v1+json",
]);

/**
 * True for a manifest that is about an image and can be run as none: an artifact with a subject, whose config is no
 * image's, or one that holds nothing but signatures. What an index says of it (a tag, a type, annotations) decides
 * nothing: whoever writes the index could hide an image behind it.
 */
export function isAboutImage(manifest: OciManifest): boolean {
  const [config, ...layers] = manifest.blobs;
  if (manifest.isIndex || config === undefined) return false;
  if (layers.length > 0 && layers.every(({ mediaType }) => SIGNATURE_LAYERS.has(mediaType))) return true;
  return manifest.subject !== undefined && !IMAGE_CONFIGS.has(config.mediaType);
}

/** True for an entry of an index that says of itself that it is a signature or the like: by its tag, or its type. */
export function claimsToBeAboutImage({ annotations, artifactType }: Descriptor): boolean {
  const name = annotations["org.opencontainers.image.ref.name"] ?? "";
  return artifactType !== undefined || /^sha256-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?$/.test(name);
}

function readDescriptor(entry: Json | undefined): Descriptor | string {
  if (!isObject(entry)) return "a descriptor is missing";
  const { mediaType, digest, size, annotations, artifactType, platform } = entry;
  if (typeof mediaType !== "string") return "a descriptor has no mediaType";
  if (typeof digest !== "string" || !digest.startsWith("sha256:") || !isHex(digest.slice(7)))
    return "a descriptor has no sha256 digest";
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) return "a descriptor has no size";
  const machine = readPlatform(platform);
  return {
    mediaType,
    sha256: digest.slice(7),
    size,
    annotations: texts(annotations),
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    ...(machine ? { platform: machine } : {}),
  };
}

function readPlatform(value: Json | undefined): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== "string" || typeof architecture !== "string") return undefined;
  return { os, architecture, ...(typeof variant === "string" && variant !== "" ? { variant } : {}) };
}

function texts(value: Json | undefined): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((e): e is [string, string] => typeof e[1] === "string"),
  );
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

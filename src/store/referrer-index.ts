import type { Json } from "../core/canonical-json.ts";
import type { Hex } from "../core/digest.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import {
  artifactTypeOf,
  MAX_MANIFEST_BYTES,
  OCI_INDEX,
  type OciManifest,
  parseOciManifest,
} from "../formats/oci.ts";

/**
 * Adds a manifest to an image index and leaves all else in it as it is.
 *
 * @param index the index as it is now; undefined for none
 * @param entry digest, bytes' length, media type and content of the manifest
 * @param annotations of the entry; those of the manifest when not given
 * @returns the new text, undefined where the manifest is listed already, or a sentence on why it cannot be added
 */
export function addToIndex(
  index: Buffer | undefined,
  entry: { digest: Hex; size: number; mediaType: string; manifest: OciManifest },
  annotations: Readonly<Record<string, string>> | undefined = entry.manifest.annotations,
): { text: string } | undefined | string {
  let fields: { [key: string]: Json } = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] };
  if (index !== undefined) {
    const parsed = parseOciManifest(index.toString("utf8"));
    if (typeof parsed === "string") return parsed;
    if (!parsed.isIndex) return "it is no index";
    fields = parseStrictJson(index.toString("utf8"), { maxBytes: MAX_MANIFEST_BYTES }) as {
      [key: string]: Json;
    };
  }
  const digest = `sha256:${entry.digest}`;
  const tag = annotations?.[REF_NAME];
  // A tag stands for one manifest: what had it before stays, without it.
  const manifests = (fields.manifests as { [key: string]: Json }[]).map((other) =>
    tag !== undefined && other.digest !== digest && nameOf(other) === tag ? withoutName(other) : other,
  );
  if (manifests.some((other) => other.digest === digest && (tag === undefined || nameOf(other) === tag)))
    return undefined;
  const artifactType = artifactTypeOf(entry.manifest);
  manifests.push({
    mediaType: entry.mediaType,
    digest,
    size: entry.size,
    ...(artifactType === undefined || entry.manifest.subject === undefined ? {} : { artifactType }),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations: { ...annotations } } : {}),
  });
  const text = JSON.stringify({ ...fields, manifests });
  return text.length > MAX_MANIFEST_BYTES ? "it would exceed 4 MiB" : { text };
}

/** The annotation that names a manifest of a layout (OCI image-spec, "Pre-Defined Annotation Keys"). */
export const REF_NAME = "org.opencontainers.image.ref.name";

function nameOf(descriptor: { [key: string]: Json }): Json | undefined {
  const { annotations } = descriptor;
  return typeof annotations === "object" && annotations !== null && !Array.isArray(annotations)
    ? annotations[REF_NAME]
    : undefined;
}

function withoutName(descriptor: { [key: string]: Json }): { [key: string]: Json } {
  const { [REF_NAME]: _, ...annotations } = descriptor.annotations as { [key: string]: Json };
  return { ...descriptor, annotations };
}

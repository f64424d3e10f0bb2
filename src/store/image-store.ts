import type { Hex } from "../core/digest.ts";
import { type Descriptor, type OciManifest, parseOciManifest } from "../formats/oci.ts";
import type { BlobSink } from "../net/oci/download.ts";
import type { BlobSource } from "../net/oci/upload.ts";

/** A manifest with its digest, which was computed from its bytes. */
export interface StoredManifest {
  digest: Hex;
  /** What it was stored as. */
  mediaType: string;
  bytes: Buffer;
  /** What it says, or why that cannot be read. */
  manifest: OciManifest | string;
}

/** A place where images and artifacts are kept: a repository of a registry, or an image layout on disk. */
export interface ImageStore {
  /** For people: `registry.example/team/agent`, `oci:PATH`. */
  readonly name: string;
  /** A manifest by tag or by `sha256:…`; undefined where there is none. */
  read(reference: string): Promise<StoredManifest | undefined>;
  /** A blob of at most `limit` bytes, its digest and size checked. */
  blob(blob: { digest: Hex; size: number }, limit: number): Promise<Buffer>;
  /** A blob of any size, checked while it comes. */
  download(blob: { digest: Hex; size: number }, sink: BlobSink): Promise<void>;
  /** Stores a blob unless it is there; says whether it had to be sent. */
  upload(source: BlobSource, options?: { mountFrom?: string }): Promise<"there" | "mounted" | "sent">;
  /** Stores a manifest, under a tag where one is given. One with a subject is listed among its referrers. */
  write(bytes: Buffer, mediaType: string, tag?: string): Promise<Hex>;
  /** Descriptors of the manifests that refer to this one, as far as the place says: each must be read. */
  referrers(digest: Hex): Promise<Descriptor[]>;
}

/** A manifest of these bytes. */
export function storedManifest(digest: Hex, mediaType: string, bytes: Buffer): StoredManifest {
  return { digest, mediaType, bytes, manifest: parseOciManifest(bytes.toString("utf8")) };
}

/** The tag under which registries without the referrers API list them (distribution-spec, "Referrers Tag Schema"). */
export function referrersTag(digest: Hex): string {
  return `sha256-${digest}`;
}

/** One descriptor a digest, in order. */
export function distinct(descriptors: readonly Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((descriptor) => [descriptor.sha256, descriptor])).values()];
}

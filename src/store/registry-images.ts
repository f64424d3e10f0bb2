import { type Hex, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { type Descriptor, OCI_INDEX, parseOciManifest } from "../formats/oci.ts";
import { type BlobSink, downloadBlob, readBlob } from "../net/oci/download.ts";
import type { RegistryRepository } from "../net/oci/registry.ts";
import { type BlobSource, uploadBlob } from "../net/oci/upload.ts";
import {
  distinct,
  type ImageStore,
  referrersTag,
  type StoredManifest,
  storedManifest,
} from "./image-store.ts";
import { addToIndex } from "./referrer-index.ts";

/** Tries to get into the fallback index while others write it too. */
const MAX_RACES = 5;

/** A repository of a registry as an image store. Throws as `RegistryRepository` and `downloadBlob` do. */
export class RegistryImages implements ImageStore {
  readonly name: string;
  private readonly repository: RegistryRepository;

  constructor(repository: RegistryRepository) {
    this.repository = repository;
    this.name = `${repository.registry}/${repository.repository}`;
  }

  async read(reference: string): Promise<StoredManifest | undefined> {
    const found = await this.repository.manifest(reference);
    return found && storedManifest(found.digest, found.mediaType, found.bytes);
  }

  blob(blob: { digest: Hex; size: number }, limit: number): Promise<Buffer> {
    return readBlob(this.repository, blob, limit);
  }

  download(blob: { digest: Hex; size: number }, sink: BlobSink): Promise<void> {
    return downloadBlob(this.repository, blob, sink);
  }

  upload(source: BlobSource, options?: { mountFrom?: string }): Promise<"there" | "mounted" | "sent"> {
    return uploadBlob(this.repository, source, options);
  }

  async write(bytes: Buffer, mediaType: string, tag?: string): Promise<Hex> {
    const { subjectListed } = await this.repository.putManifest(bytes, mediaType, tag);
    const manifest = parseOciManifest(bytes.toString("utf8"));
    const digest = sha256(bytes);
    if (!subjectListed && typeof manifest !== "string" && manifest.subject) {
      const entry = { digest, size: bytes.length, mediaType, manifest };
      await this.list(manifest.subject.sha256, entry);
    }
    return digest;
  }

  /**
   * The referrers as the API lists them, else as the fallback tag does. What the list says of each is not to be
   * relied on: clients of registries without the API write it, and some leave it out.
   */
  async referrers(digest: Hex): Promise<Descriptor[]> {
    const pages = await this.repository.referrersPages(digest);
    if (pages !== undefined) return distinct(pages.flatMap((page) => this.listed(page)));
    const fallback = await this.repository.manifest(referrersTag(digest));
    // An image may have such a tag of its own.
    if (!fallback?.bytes.includes('"manifests"')) return [];
    return distinct(this.listed(fallback.bytes));
  }

  private listed(bytes: Buffer): Descriptor[] {
    const index = parseOciManifest(bytes.toString("utf8"));
    if (typeof index !== "string" && index.isIndex) return index.blobs;
    throw new WaybillError(
      "WB-NET-002",
      `the list of referrers of ${this.name} is none: ${typeof index === "string" ? index : "no index"}`,
      { hint: "the registry or what was stored there is broken" },
    );
  }

  private async list(subject: Hex, entry: Parameters<typeof addToIndex>[1]): Promise<void> {
    const tag = referrersTag(subject);
    for (let race = 0; race < MAX_RACES; race += 1) {
      const before = await this.repository.manifest(tag);
      const next = addToIndex(before?.bytes, entry);
      if (next === undefined) return;
      if (typeof next === "string")
        throw new WaybillError("WB-NET-002", `the tag ${tag} of ${this.name} cannot list another: ${next}`, {
          hint: "remove referrers that nobody needs any more",
        });
      await this.repository.putManifest(Buffer.from(next.text), OCI_INDEX, tag);
      // No registry compares before it replaces: whoever wrote at the same moment may have taken ours away.
    }
    throw new WaybillError("WB-NET-001", `the tag ${tag} of ${this.name} is written by others all the time`, {
      hint: "run the command again",
    });
  }
}

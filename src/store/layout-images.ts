import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  createReadStream,
  fsyncSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Hex, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import {
  claimsToBeAboutImage,
  type Descriptor,
  isAboutImage,
  MAX_MANIFEST_BYTES,
  namesManifest,
  OCI_INDEX,
  OCI_MANIFEST,
  parseOciManifest,
} from "../formats/oci.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readFileBounded } from "../hash/read-file.ts";
import type { BlobSink } from "../net/oci/download.ts";
import type { BlobSource } from "../net/oci/upload.ts";
import {
  distinct,
  type ImageStore,
  referrersTag,
  type StoredManifest,
  storedManifest,
} from "./image-store.ts";
import { addToIndex, REF_NAME } from "./referrer-index.ts";

const MARKER = '{"imageLayoutVersion":"1.0.0"}';
const HINT = "check that the layout's folder is writable";

/** Manifests of a layout that are looked through for referrers. */
const MAX_LISTED = 1000;

/**
 * An OCI image layout (image-spec v1.1, image-layout.md) as an image store. Referrers are found by reading the
 * manifests that `index.json` lists; new ones are listed there, and tags are its `ref.name` annotations.
 *
 * Reading throws WaybillError WB-INPUT-001, -002, -003 and -006, writing WB-STORE-001 and -002; bytes that are not
 * those of their name are WB-INPUT-006.
 */
export class LayoutImages implements ImageStore {
  readonly name: string;
  private readonly folder: string;

  /** @param options `create`: make the layout where there is none */
  constructor(path: string, options: { create?: boolean } = {}) {
    this.name = `oci:${path}`;
    if (options.create) makeLayout(path);
    try {
      this.folder = realpathSync(path);
    } catch (cause) {
      throw new WaybillError("WB-INPUT-001", `there is no layout at ${path}`, {
        hint: "check the path",
        cause,
      });
    }
    const marker = readFileBounded(join(this.folder, "oci-layout"), 4096).toString("utf8");
    if (!/"imageLayoutVersion"\s*:\s*"1\./.test(marker))
      throw new WaybillError("WB-INPUT-006", `${path} is not an image layout of version 1`, {
        hint: "is it the folder that holds oci-layout and index.json?",
      });
  }

  /** By digest, by name, or with the empty reference the only image of the layout. */
  async read(reference: string): Promise<StoredManifest | undefined> {
    const listed = this.listed();
    const hex = reference.startsWith("sha256:") ? reference.slice(7) : this.named(listed, reference);
    if (hex === undefined) return undefined;
    const bytes = this.bytes(hex, MAX_MANIFEST_BYTES);
    if (bytes === undefined) return undefined;
    const known = listed.find(({ sha256: digest }) => digest === hex)?.mediaType;
    const read = storedManifest(hex, known ?? "", bytes);
    const isIndex = typeof read.manifest !== "string" && read.manifest.isIndex;
    return known === undefined ? { ...read, mediaType: isIndex ? OCI_INDEX : OCI_MANIFEST } : read;
  }

  async blob({ digest, size }: { digest: Hex; size: number }, limit: number): Promise<Buffer> {
    const bytes = this.bytes(digest, Math.min(limit, size));
    if (bytes?.length === size) return bytes;
    throw this.damaged(digest, bytes ? `it has ${bytes.length} bytes, not ${size}` : "it is not there");
  }

  async download({ digest, size }: { digest: Hex; size: number }, sink: BlobSink): Promise<void> {
    const path = this.path(digest);
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() !== true)
      throw this.damaged(digest, "it is not there");
    for await (const chunk of createReadStream(path, { start: sink.have })) {
      if (sink.have + chunk.length > size) throw this.damaged(digest, "it is longer than declared");
      sink.hash.update(chunk);
      await sink.write(chunk);
      sink.have += chunk.length;
    }
    const found = sink.hash.copy().digest("hex");
    if (sink.have !== size || found !== digest) throw this.damaged(digest, `its bytes are sha256:${found}`);
  }

  async upload(source: BlobSource): Promise<"there" | "sent"> {
    const path = this.path(source.digest);
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile()) return "there";
    const temp = join(this.folder, "blobs", "sha256", `.waybill-${randomBytes(8).toString("hex")}.tmp`);
    const hash = createHash("sha256");
    try {
      const fd = openSync(temp, "wx", 0o644);
      try {
        for await (const chunk of source.open(0)) {
          hash.update(chunk);
          for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
        }
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      if (hash.digest("hex") !== source.digest)
        throw this.damaged(source.digest, "the bytes to be stored changed");
      renameSync(temp, path);
    } catch (cause) {
      rmSync(temp, { force: true });
      throw cause instanceof WaybillError ? cause : writeError(path, cause as NodeJS.ErrnoException);
    }
    return "sent";
  }

  async write(bytes: Buffer, mediaType: string, tag?: string): Promise<Hex> {
    const digest = sha256(bytes);
    const manifest = parseOciManifest(bytes.toString("utf8"));
    if (typeof manifest === "string") throw new TypeError(`not a manifest: ${manifest}`);
    writeFileAtomic(this.path(digest), bytes);
    const annotations = { ...manifest.annotations, ...(tag === undefined ? {} : { [REF_NAME]: tag }) };
    const index = readFileBounded(join(this.folder, "index.json"), MAX_MANIFEST_BYTES);
    const next = addToIndex(index, { digest, size: bytes.length, mediaType, manifest }, annotations);
    if (typeof next === "string")
      throw new WaybillError("WB-INPUT-006", `index.json of ${this.name}: ${next}`, {
        hint: "is it an image layout?",
      });
    if (next !== undefined) writeFileAtomic(join(this.folder, "index.json"), next.text);
    return digest;
  }

  /** The manifests of the layout that have this one for a subject, and those that its fallback tag lists. */
  async referrers(digest: Hex): Promise<Descriptor[]> {
    const listed = this.listed();
    const tagged = listed.filter(({ annotations }) => annotations[REF_NAME] === referrersTag(digest));
    const nested = tagged.flatMap((descriptor) => {
      const index = this.parsed(descriptor);
      return index?.isIndex ? index.blobs : [];
    });
    return distinct([...listed, ...nested])
      .filter(namesManifest)
      .slice(0, MAX_LISTED)
      .filter((descriptor) => this.parsed(descriptor)?.subject?.sha256 === digest);
  }

  private parsed(descriptor: Descriptor): Exclude<ReturnType<typeof parseOciManifest>, string> | undefined {
    const bytes = this.bytes(descriptor.sha256, MAX_MANIFEST_BYTES);
    const manifest = bytes && parseOciManifest(bytes.toString("utf8"));
    return manifest === undefined || typeof manifest === "string" ? undefined : manifest;
  }

  private listed(): Descriptor[] {
    const text = readFileBounded(join(this.folder, "index.json"), MAX_MANIFEST_BYTES).toString("utf8");
    const index = parseOciManifest(text);
    if (typeof index !== "string" && index.isIndex) return index.blobs;
    throw new WaybillError(
      "WB-INPUT-006",
      `index.json of ${this.name}: ${typeof index === "string" ? index : "no index"}`,
      { hint: "is it an image layout?" },
    );
  }

  private named(listed: readonly Descriptor[], name: string): Hex | undefined {
    if (name !== "") return listed.find(({ annotations }) => annotations[REF_NAME] === name)?.sha256;
    const different = distinct(listed);
    const images = different
      .slice(0, MAX_LISTED)
      .filter((descriptor) => !this.isAboutAnother(descriptor, true));
    if (images.length === 1 && different.length <= MAX_LISTED) return images[0]!.sha256;
    throw new WaybillError("WB-INPUT-019", `${this.name} holds ${images.length} images`, {
      hint: `name one: ${this.name}:TAG or ${this.name}@sha256:…`,
    });
  }

  /** Whether this is a signature or the like, or a list of such, judged by what it is and not by its tag. */
  private isAboutAnother(descriptor: Descriptor, mayList: boolean): boolean {
    const manifest = this.parsed(descriptor);
    if (!manifest) return claimsToBeAboutImage(descriptor);
    if (isAboutImage(manifest)) return true;
    if (!mayList || !manifest.isIndex || !claimsToBeAboutImage(descriptor)) return false;
    return manifest.blobs.slice(0, MAX_LISTED).every((listed) => this.isAboutAnother(listed, false));
  }

  private path(hex: Hex): string {
    return join(this.folder, "blobs", "sha256", hex);
  }

  /** A blob in memory, held against its name; undefined where there is none. */
  private bytes(hex: Hex, limit: number): Buffer | undefined {
    const path = this.path(hex);
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
    const bytes = readFileBounded(path, limit);
    const found = sha256(bytes);
    if (found !== hex) throw this.damaged(hex, `its bytes are sha256:${found}`);
    return bytes;
  }

  private damaged(hex: Hex, why: string): WaybillError {
    return new WaybillError("WB-INPUT-006", `blobs/sha256/${hex} of ${this.name}: ${why}`, {
      hint: "copy the image into the layout again",
    });
  }
}

function makeLayout(path: string): void {
  makeFolder(join(path, "blobs", "sha256"), { hint: HINT });
  if (lstatSync(join(path, "oci-layout"), { throwIfNoEntry: false })) return;
  const empty = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
  writeFileAtomic(join(path, "index.json"), empty);
  writeFileAtomic(join(path, "oci-layout"), MARKER);
}

function writeError(path: string, cause: NodeJS.ErrnoException): WaybillError {
  const full = cause.code === "ENOSPC" || cause.code === "EDQUOT";
  return new WaybillError(full ? "WB-STORE-002" : "WB-STORE-001", `cannot write ${path}: ${cause.message}`, {
    hint: full ? "free some space and run the command again" : HINT,
    cause,
  });
}

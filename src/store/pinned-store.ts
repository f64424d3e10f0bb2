import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isHex, sha256 } from "../core/digest.ts";
import { merkleRoot } from "../core/merkle.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readFileBounded } from "../hash/read-file.ts";

/** Folder of Waybill's own in an agent's folder; it belongs to no component and is not committed. */
export const STATE_FOLDER = ".waybill";

/** Texts up to this size are kept to explain a later change, in bytes. */
export const MAX_PINNED_TEXT = 256 << 10;

const MAX_CHUNK_LIST = 256 << 20;

/**
 * The content store of an agent's folder: texts by their SHA-256, lists of chunk hashes by their root. Whatever
 * is read is held against its name, so a damaged or forged entry is as good as none.
 */
export class PinnedStore {
  readonly #root: string;

  /** @param folder absolute path of the agent's folder */
  constructor(folder: string) {
    this.#root = join(folder, STATE_FOLDER);
  }

  /** Keeps a text. Takes its SHA-256 in hex and its bytes. Throws WB-STORE-001 to -003. */
  putText(digest: string, bytes: Uint8Array): void {
    this.#put(join("blobs", digest), bytes);
  }

  /** The text of that SHA-256, or undefined. */
  text(digest: string): string | undefined {
    const bytes = this.#get(join("blobs", digest), MAX_PINNED_TEXT);
    return bytes && sha256(bytes) === digest ? bytes.toString("utf8") : undefined;
  }

  /** Keeps the hashes of a file's chunks, 32 bytes each, under their root in hex. Throws as `putText`. */
  putChunks(root: string, hashes: Uint8Array): void {
    this.#put(join("chunks", root), hashes);
  }

  /** The hashes of the chunks under that root, or undefined. */
  chunks(root: string): Uint8Array | undefined {
    const bytes = isHex(root) ? this.#get(join("chunks", root), MAX_CHUNK_LIST) : undefined;
    if (!bytes || bytes.length === 0 || bytes.length % 32 !== 0) return undefined;
    const leaves = Array.from({ length: bytes.length / 32 }, (_, i) => bytes.subarray(i * 32, i * 32 + 32));
    return Buffer.from(merkleRoot(leaves)).toString("hex") === root ? bytes : undefined;
  }

  #put(name: string, bytes: Uint8Array): void {
    const path = join(this.#root, name);
    // Compared, not only counted: a damaged entry of the right size is written again.
    if (this.#get(name, bytes.length)?.equals(bytes)) return;
    this.#makeFolder(dirname(path));
    const ignore = join(this.#root, ".gitignore");
    if (!statSync(ignore, { throwIfNoEntry: false })) writeFileAtomic(ignore, "*\n");
    writeFileAtomic(path, bytes);
  }

  #makeFolder(folder: string): void {
    for (const at of [this.#root, folder])
      makeFolder(at, { hint: "check that the agent's folder is writable" });
  }

  #get(name: string, limit: number): Buffer | undefined {
    try {
      return readFileBounded(join(this.#root, name), limit);
    } catch {
      return undefined;
    }
  }
}

import { hash } from "node:crypto";
import { RootAccumulator } from "../core/merkle.ts";
import { CHUNK_SIZE, CHUNK_TAG } from "../core/tree.ts";

/** Bytes of one leaf in a row of chunk hashes. */
export const LEAF_SIZE = 32;

/** What stands before a chunk in its leaf's preimage: 0x00 and the tag (docs/formats/tree.md). */
const PREFIX = Buffer.from(`\0${CHUNK_TAG}`);

/**
 * A buffer for one chunk with the leaf's prefix already before it, so that a leaf is one call of `hash` over
 * one run of bytes. One chunk, not more, is read at a time: it then is still in the core's own cache when it
 * is hashed, and reads of 2 to 8 MiB measured no faster.
 */
export class ChunkBuffer {
  /** Where the chunk's bytes begin in `bytes`. */
  static readonly OFFSET: number = PREFIX.length;
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(PREFIX.length + CHUNK_SIZE);

  constructor() {
    PREFIX.copy(this.bytes);
  }

  /** The chunk of `length` bytes that was read to OFFSET. */
  chunk(length: number): Buffer {
    return this.bytes.subarray(ChunkBuffer.OFFSET, ChunkBuffer.OFFSET + length);
  }

  /** Leaf hash of that chunk. */
  leaf(length: number): Buffer {
    return hash("sha256", this.bytes.subarray(0, ChunkBuffer.OFFSET + length), "buffer");
  }
}

/** True for a file, of `size` bytes, that has a chunk tree: one larger than a chunk. */
export function hasChunks(size: number): boolean {
  return size > CHUNK_SIZE;
}

/** Number of chunks of a file that has a chunk tree; 0 for one that has none. */
export function chunkCount(size: number): number {
  return hasChunks(size) ? Math.ceil(size / CHUNK_SIZE) : 0;
}

/** Bytes of chunk `index` of a file. */
export function chunkLength(size: number, index: number): number {
  return Math.min(CHUNK_SIZE, size - index * CHUNK_SIZE);
}

/** Root, hex, of the RFC 6962 tree over a row of chunk hashes of 32 bytes each. */
export function chunkRoot(leaves: Uint8Array): string {
  // Pushed one by one: a view of each would take more memory than the hashes themselves.
  const tree = new RootAccumulator();
  for (let at = 0; at < leaves.length; at += LEAF_SIZE) tree.push(leaves.subarray(at, at + LEAF_SIZE));
  return Buffer.from(tree.root()).toString("hex");
}

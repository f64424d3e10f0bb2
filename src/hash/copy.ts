import { createHash } from "node:crypto";
import { closeSync, constants, fchmodSync, openSync, read, rmSync, write } from "node:fs";
import { promisify } from "node:util";
import { CHUNK_SIZE } from "../core/tree.ts";
import { ChunkBuffer, chunkCount, chunkLength, chunkRoot, hasChunks, LEAF_SIZE } from "./chunks.ts";
import { assertUnchanged, FileProblem, openRegular, problemOf } from "./open.ts";
import type { HashedFile, HashFailure } from "./pool.ts";

/** What to make of a copy. */
export interface CopyOptions {
  /** Of the source, in bytes, as listed. */
  size: number;
  /** Permission bits of the finished copy, such as 0o444; until then nobody else can open it. */
  mode: number;
  /** Which digests to make, as in a HashRequest. */
  want: "lock" | "verify";
  /** Device and inode of the source, as listed. */
  dev?: bigint;
  ino?: bigint;
  /** Ends the copy: the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
}

const readAsync = promisify(read);
const writeAsync = promisify(write);
const CREATE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0);

/**
 * Makes a private copy of a file and gives the digests of exactly the bytes that went into it: whatever
 * happens to the source later, or happened while it was read, a copy with the right digest is the right file.
 * Never a hard link, whose bytes the source's owner could still change.
 *
 * Takes absolute paths; the destination must not exist. A source that cannot be copied is a HashFailure. An
 * error in writing (ENOSPC, EEXIST, EROFS…) is thrown with its code. Either way no part of a copy stays.
 */
export async function copyHashed(
  source: string,
  destination: string,
  options: CopyOptions,
): Promise<HashedFile | HashFailure> {
  options.signal?.throwIfAborted();
  let from: number | undefined;
  let to: number | undefined;
  let finished = false;
  try {
    const opened = openRegular(source, options);
    from = opened.fd;
    to = openSync(destination, CREATE, 0o600);
    const result = await pump(from, to, options);
    assertUnchanged(from, opened.before);
    fchmodSync(to, options.mode);
    finished = true;
    return result;
  } catch (error) {
    if (error instanceof FileProblem) return { ok: false, problem: error.problem, detail: error.message };
    throw error;
  } finally {
    if (from !== undefined) closeSync(from);
    if (to !== undefined) {
      closeSync(to);
      if (!finished) rmSync(destination, { force: true });
    }
  }
}

/** Copies and hashes by turns of two buffers: while one is hashed and written, the next one is read. */
async function pump(from: number, to: number, options: CopyOptions): Promise<HashedFile> {
  const { size, want, signal } = options;
  const chunked = hasChunks(size);
  const whole = want === "lock" || !chunked ? createHash("sha256") : undefined;
  const leaves = new Uint8Array(chunkCount(size) * LEAF_SIZE);
  const count = Math.ceil(size / CHUNK_SIZE);
  let [current, next] = [new ChunkBuffer(), new ChunkBuffer()];
  if (count > 0) await fill(from, current, size, 0);
  for (let chunk = 0; chunk < count; chunk += 1) {
    signal?.throwIfAborted();
    const length = chunkLength(size, chunk);
    const bytes = current.chunk(length);
    // Both go on in Node's thread pool while this thread hashes.
    const reading = chunk + 1 < count ? fill(from, next, size, chunk + 1) : undefined;
    const writing = drain(to, bytes, chunk * CHUNK_SIZE);
    if (chunked) leaves.set(current.leaf(length), chunk * LEAF_SIZE);
    whole?.update(bytes);
    const ends = await Promise.allSettled([writing, reading]);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    [current, next] = [next, current];
  }
  const result: HashedFile = { ok: true, size };
  if (whole) result.sha256 = whole.digest("hex");
  if (chunked) result.chunks = chunkRoot(leaves);
  return result;
}

async function fill(fd: number, buffer: ChunkBuffer, size: number, chunk: number): Promise<void> {
  const length = chunkLength(size, chunk);
  for (let done = 0; done < length; ) {
    const at = chunk * CHUNK_SIZE + done;
    const { bytesRead } = await readAsync(
      fd,
      buffer.bytes,
      ChunkBuffer.OFFSET + done,
      length - done,
      at,
    ).catch((error: unknown) => {
      throw problemOf(error);
    });
    if (bytesRead === 0) throw new FileProblem("changed", "it became shorter while it was copied");
    done += bytesRead;
  }
}

async function drain(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await writeAsync(fd, bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

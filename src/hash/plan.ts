import { CHUNK_SIZE } from "../core/tree.ts";
import { chunkCount, hasChunks } from "./chunks.ts";

/** Kinds of task; numbers, since tasks travel to the workers in shared memory. */
export const SMALL = 0;
export const LEAVES = 1;
export const DIGEST = 2;
export const FUSED = 3;

/**
 * A piece of work for one worker.
 * SMALL: whole-file digests of `count` files from `file` on. LEAVES: `count` chunk leaves of `file` from chunk
 * `first` on. DIGEST: the whole-file digest of `file`. FUSED: its digest and all its leaves in one pass.
 */
export interface Task {
  kind: typeof SMALL | typeof LEAVES | typeof DIGEST | typeof FUSED;
  file: number;
  first: number;
  count: number;
}

/** A file as the plan sees it; `lock` wants both digests of a large file, `verify` only its leaves. */
export interface PlannedFile {
  size: number;
  mode: "lock" | "verify";
}

/** Chunks of a LEAVES task: 8 MiB, about 5 ms, is the longest that one worker waits for another at the end. */
const RANGE = 8;
/** LEAVES tasks at most, one a file beside: beyond 512 GiB they are longer, since each is laid out in memory. */
const MAX_RANGES = 65_536;
const SMALL_FILES = 64;
const SMALL_BYTES = 8 * CHUNK_SIZE;

/** Order in which `plan` wants its files: large ones first, longest first; small ones as they came. */
export function planOrder(files: readonly PlannedFile[]): number[] {
  const large = files.flatMap(({ size }, i) => (hasChunks(size) ? [i] : []));
  const small = files.flatMap(({ size }, i) => (hasChunks(size) ? [] : [i]));
  return [...large.toSorted((a, b) => files[b]!.size - files[a]!.size), ...small];
}

/**
 * Cuts the hashing of `files` (in the order of `planOrder`) into tasks, to be pulled in this order by so many
 * workers.
 *
 * A whole-file SHA-256 cannot be cut. A file that wants both digests is cheapest in one pass (FUSED), but then
 * keeps its worker for two hashes: so it is fused only while that does not make the whole take longer than its
 * lower bound. Otherwise the digest is one task and the leaves fill up the other workers. The long tasks come
 * first, the pieces that even out the end come last.
 */
export function plan(files: readonly PlannedFile[], workers: number): Task[] {
  const large = files.filter(({ size }) => hasChunks(size)).length;
  const work = files.reduce((sum, f) => sum + f.size * (f.mode === "lock" && hasChunks(f.size) ? 2 : 1), 0);
  const longest = files.find((f) => f.mode === "lock" && hasChunks(f.size))?.size ?? 0;
  const bound = Math.max(work / workers, longest) + RANGE * CHUNK_SIZE;

  const chunks = files.reduce((sum, f) => sum + chunkCount(f.size), 0);
  const range = Math.max(RANGE, Math.ceil(chunks / MAX_RANGES));

  const long: Task[] = [];
  const pieces: Task[] = [];
  const load = new Array<number>(workers).fill(0);
  for (let file = 0; file < large; file += 1) {
    const { size, mode } = files[file]!;
    const count = chunkCount(size);
    if (mode === "lock") {
      const worker = load.indexOf(Math.min(...load));
      const fused = load[worker]! + 2 * size <= bound;
      load[worker]! += fused ? 2 * size : size;
      long.push({ kind: fused ? FUSED : DIGEST, file, first: 0, count });
      if (fused) continue;
    }
    for (let first = 0; first < count; first += range) {
      pieces.push({ kind: LEAVES, file, first, count: Math.min(range, count - first) });
    }
  }
  return [...long, ...pieces, ...batches(files, large)];
}

/** Small files in batches, so that ten thousand of them are not ten thousand turns at the counter. */
function batches(files: readonly PlannedFile[], from: number): Task[] {
  const tasks: Task[] = [];
  for (let file = from; file < files.length; ) {
    let count = 0;
    for (
      let bytes = 0;
      file + count < files.length && count < SMALL_FILES && bytes < SMALL_BYTES;
      count += 1
    ) {
      bytes += files[file + count]!.size;
    }
    tasks.push({ kind: SMALL, file, first: 0, count });
    file += count;
  }
  return tasks;
}

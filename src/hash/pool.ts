import { getCompileCacheDir } from "node:module";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { chunkRoot, hasChunks } from "./chunks.ts";
import { digestOf, type HashRequest, type Job, leavesOf, makeJob, taskCount } from "./job.ts";
import type { FileProblemKind } from "./open.ts";
import { type FailureReport, runTasks } from "./tasks.ts";

export type { HashRequest } from "./job.ts";

/** Digests of one file; which of them, the request's mode and size say. */
export interface HashedFile {
  ok: true;
  /** In bytes. */
  size: number;
  /** Whole-file SHA-256, hex. */
  sha256?: string;
  /** Root of the chunk tree, hex. */
  chunks?: string;
  /** The chunk tree's leaf hashes, 32 bytes each, in the file's order; on request only. */
  chunkHashes?: Uint8Array;
}

/** Why one file has no digest. */
export interface HashFailure {
  ok: false;
  problem: FileProblemKind;
  /** For a person: what exactly is wrong, without the path. */
  detail: string;
}

/** State of the work. `bytesTotal` is the sum of the files' sizes, however often each byte is hashed. */
export interface HashProgress {
  bytesDone: number;
  bytesTotal: number;
  filesDone: number;
  filesTotal: number;
}

export interface HashOptions {
  /** Threads; default: as many as the machine has, at most 8. */
  workers?: number;
  /** Called about ten times a second, and once at the end. */
  onProgress?: (progress: HashProgress) => void;
  /** Ends the work: the promise is rejected with the signal's reason once all threads are gone. */
  signal?: AbortSignal;
  /** Give the chunk tree's leaf hashes too. */
  keepChunks?: boolean;
}

const MAX_WORKERS = 8;
/** A worker makes short-lived garbage only: a small nursery keeps eight of them within the memory of a few. */
const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 };
const PROGRESS_MS = 100;
/** Work below this is done where it is asked for: a thread takes 20 to 40 ms to start. In ms, estimated. */
const INLINE_MS = 30;
const BYTES_PER_MS = 1_400_000;
const MS_PER_FILE = 0.03;

/**
 * Largest file that is hashed, and all files of one call together, in bytes: a sparse file takes no disk, and 32
 * bytes of memory for each of its chunks all the same (16 TiB: 512 MiB).
 */
export const MAX_FILE_BYTES: number = 2 ** 43;
const MAX_ALL_BYTES = 2 ** 44;

/**
 * Hashes files at the machine's speed. Takes the files and gives their results in the same order; a file that
 * cannot be hashed is a HashFailure and does not stop the others: one over 8 TiB, and what is over 16 TiB in all,
 * too. Memory does not grow with the files' sizes, but for 32 bytes a chunk. Throws only for an abort (the signal's
 * reason) or a thread that died.
 */
export async function hashFiles(
  requests: readonly HashRequest[],
  options: HashOptions = {},
): Promise<(HashedFile | HashFailure)[]> {
  const refusals = tooLarge(requests);
  if (refusals.size === 0) return hashAll(requests, options);
  const hashed = await hashAll(
    requests.filter((_, i) => !refusals.has(i)),
    options,
  );
  let next = 0;
  return requests.map((_, i) => refusals.get(i) ?? hashed[next++]!);
}

/** The requests that would take more memory than there may be, by their place. */
function tooLarge(requests: readonly HashRequest[]): Map<number, HashFailure> {
  const refusals = new Map<number, HashFailure>();
  let total = 0;
  requests.forEach(({ size }, i) => {
    const over = size > MAX_FILE_BYTES ? "8 TiB are hashed" : "16 TiB of one agent are hashed";
    if (size > MAX_FILE_BYTES || total + size > MAX_ALL_BYTES)
      refusals.set(i, { ok: false, problem: "unreadable", detail: `it has ${size} bytes; at most ${over}` });
    else total += size;
  });
  return refusals;
}

async function hashAll(
  requests: readonly HashRequest[],
  options: HashOptions,
): Promise<(HashedFile | HashFailure)[]> {
  options.signal?.throwIfAborted();
  const estimate = workOf(requests) / BYTES_PER_MS + requests.length * MS_PER_FILE;
  const wanted = options.workers ?? Math.min(availableParallelism(), MAX_WORKERS);
  const job = makeJob(requests, Math.max(1, wanted));
  const failures = new Map<number, HashFailure>();
  const report = ({ file, problem, detail }: FailureReport) => {
    failures.set(file, { ok: false, problem, detail });
  };
  const totals = { bytes: requests.reduce((sum, { size }) => sum + size, 0), work: workOf(requests) };
  const progress = () => options.onProgress?.(progressOf(job, totals));

  const timer = options.onProgress && setInterval(progress, PROGRESS_MS);
  try {
    if (estimate < INLINE_MS) runTasks(job, report);
    else await runWorkers(job, Math.max(1, Math.min(wanted, taskCount(job))), report, options.signal);
  } finally {
    clearInterval(timer);
  }
  // Zeros in shared memory would pass for a digest: make sure that each file was done or has its failure.
  if (job.pending.some((left, file) => left !== 0 || (job.failed[file] === 1) !== failures.has(file))) {
    throw new Error("a hashing thread left work undone");
  }
  progress();
  return resultsOf(requests, job, failures, options.keepChunks ?? false);
}

async function runWorkers(
  job: Job,
  count: number,
  report: (failure: FailureReport) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  // tsc rewrites the extension in imports, not in URLs: src runs as .ts, dist as .js.
  const file = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
  // Without this a thread does not use the compile cache of its process: from src, each one would load Node's
  // type stripper, for 20 MB and as many ms.
  const cache = getCompileCacheDir();
  const env = cache === undefined ? process.env : { ...process.env, NODE_COMPILE_CACHE: dirname(cache) };
  // No flags of the process either: some, such as --input-type, end a thread.
  const workers = Array.from(
    { length: count },
    () =>
      new Worker(new URL(file, import.meta.url), {
        workerData: job,
        env,
        execArgv: [],
        resourceLimits: LIMITS,
      }),
  );
  const ended = workers.map(
    (worker) =>
      new Promise<void>((done, failed) => {
        worker.on("message", report);
        worker.on("error", failed);
        worker.on("exit", (code) => {
          if (code === 0) done();
          else failed(new Error(`a hashing thread ended with status ${code}`));
        });
      }),
  );
  const stop = () => void Promise.all(workers.map((worker) => worker.terminate()));
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await Promise.all(ended);
    signal?.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    // Also when one thread died: the others must not outlive the promise.
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function workOf(requests: readonly HashRequest[]): number {
  return requests.reduce((sum, r) => sum + r.size * hashesOf(r), 0);
}

/** How often each byte of a file is hashed. */
function hashesOf({ mode, size }: HashRequest): number {
  return mode === "lock" && hasChunks(size) ? 2 : 1;
}

function progressOf(job: Job, totals: { bytes: number; work: number }): HashProgress {
  const filesTotal = job.sizes.length;
  const filesDone = Atomics.load(job.counters, 1);
  // Files that failed have done less work than planned; at the end all is done.
  const share = filesDone === filesTotal ? 1 : Number(Atomics.load(job.work, 0)) / totals.work;
  return { bytesDone: Math.round(totals.bytes * share), bytesTotal: totals.bytes, filesDone, filesTotal };
}

function resultsOf(
  requests: readonly HashRequest[],
  job: Job,
  failures: ReadonlyMap<number, HashFailure>,
  keepChunks: boolean,
): (HashedFile | HashFailure)[] {
  const results: (HashedFile | HashFailure)[] = new Array(requests.length);
  job.order.forEach((index, file) => {
    const { size, mode } = requests[index]!;
    const result: HashedFile = { ok: true, size };
    if (mode === "lock" || !hasChunks(size)) result.sha256 = Buffer.from(digestOf(job, file)).toString("hex");
    if (hasChunks(size)) {
      result.chunks = chunkRoot(leavesOf(job, file));
      // A copy, so that what the caller keeps does not hold on to the whole job's memory.
      if (keepChunks) result.chunkHashes = leavesOf(job, file).slice();
    }
    results[index] = failures.get(file) ?? result;
  });
  return results;
}

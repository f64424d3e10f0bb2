import { closeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { assertUnchanged, type ExpectedFile, FileProblem, openRegular, readExactly } from "./open.ts";
import type { HashFailure, HashProgress } from "./pool.ts";
import { type RangeAlgorithm, type RangeHasher, rangeHasher } from "./range-hasher.ts";

/** A run of bytes of a file to hash. */
export interface RangeRequest extends ExpectedFile {
  absolute: string;
  /** In bytes; `end` is exclusive and at most the file's size. */
  start: number;
  end: number;
}

/** Digest of one range, hex, or why there is none. */
export type HashedRange = { ok: true; digest: string } | HashFailure;

/** What a worker is given: all ranges, and in shared memory the number of the next one. */
export interface RangeJob {
  requests: readonly RangeRequest[];
  algorithm: RangeAlgorithm;
  next: SharedArrayBuffer;
  /** Bytes hashed so far. */
  done: SharedArrayBuffer;
}

export interface RangeAnswer {
  index: number;
  result: HashedRange;
}

export interface RangeOptions {
  /** Threads; default: as many as the machine has, at most 8. */
  workers?: number;
  /** Called about ten times a second, and once at the end. Ranges stand for files. */
  onProgress?: (progress: HashProgress) => void;
  signal?: AbortSignal;
}

const PROGRESS_MS = 100;
const BUFFER = 1 << 20;
const MAX_WORKERS = 8;
/** Below this a thread takes longer to start than it helps; in bytes. */
const INLINE_BYTES = 32 << 20;

/**
 * Hashes ranges of files that plain file hashing does not answer: shards, BLAKE2b, BLAKE3. Gives the results in the order
 * of the requests; a range that cannot be read does not stop the others. Memory: 1 MiB a thread. Throws only for an
 * abort (the signal's reason) or a thread that died.
 *
 * @throws WaybillError WB-INPUT-018 as `rangeHasher`
 */
export async function hashRanges(
  requests: readonly RangeRequest[],
  algorithm: RangeAlgorithm,
  options: RangeOptions = {},
): Promise<HashedRange[]> {
  options.signal?.throwIfAborted();
  // Said here, once, and not by every thread.
  await rangeHasher(algorithm);
  const results = new Array<HashedRange>(requests.length);
  const job: RangeJob = {
    requests,
    algorithm,
    next: new SharedArrayBuffer(4),
    done: new SharedArrayBuffer(8),
  };
  let ended = 0;
  const answer = ({ index, result }: RangeAnswer) => {
    results[index] = result;
    ended += 1;
  };
  const bytes = requests.reduce((sum, { start, end }) => sum + end - start, 0);
  const wanted = Math.min(options.workers ?? Math.min(availableParallelism(), MAX_WORKERS), requests.length);
  const progress = () =>
    options.onProgress?.({
      bytesDone: Number(Atomics.load(new BigInt64Array(job.done), 0)),
      bytesTotal: bytes,
      filesDone: ended,
      filesTotal: requests.length,
    });
  const timer = options.onProgress && setInterval(progress, PROGRESS_MS);
  try {
    if (bytes < INLINE_BYTES || wanted < 1) await runRanges(job, answer);
    else await runWorkers(job, wanted, answer, options.signal);
  } finally {
    clearInterval(timer);
  }
  progress();
  // An empty place would pass for a digest that nobody asked for.
  for (let i = 0; i < requests.length; i += 1)
    if (results[i] === undefined) throw new Error("a hashing thread left work undone");
  return results;
}

/** Takes ranges until there are none left; runs in each worker, or once in the main thread. */
export async function runRanges(job: RangeJob, answer: (answer: RangeAnswer) => void): Promise<void> {
  const make = await rangeHasher(job.algorithm);
  const next = new Int32Array(job.next);
  const done = new BigInt64Array(job.done);
  const buffer = Buffer.allocUnsafeSlow(BUFFER);
  for (let index = Atomics.add(next, 0, 1); index < job.requests.length; index = Atomics.add(next, 0, 1)) {
    answer({ index, result: hashRange(job.requests[index]!, make(), buffer, done) });
  }
}

function hashRange(
  request: RangeRequest,
  hash: RangeHasher,
  buffer: Buffer,
  done: BigInt64Array,
): HashedRange {
  let fd: number | undefined;
  try {
    const opened = openRegular(request.absolute, request);
    fd = opened.fd;
    for (let at = request.start; at < request.end; at += BUFFER) {
      const length = Math.min(BUFFER, request.end - at);
      readExactly(fd, buffer, 0, length, at);
      hash.update(buffer.subarray(0, length));
      Atomics.add(done, 0, BigInt(length));
    }
    assertUnchanged(fd, opened.before);
    return { ok: true, digest: hash.hex() };
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    return { ok: false, problem: error.problem, detail: error.message };
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

async function runWorkers(
  job: RangeJob,
  count: number,
  answer: (answer: RangeAnswer) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  // tsc rewrites the extension in imports, not in URLs: src runs as .ts, dist as .js.
  const file = import.meta.url.endsWith(".ts") ? "./range-worker.ts" : "./range-worker.js";
  const workers = Array.from(
    { length: count },
    () => new Worker(new URL(file, import.meta.url), { workerData: job, execArgv: [] }),
  );
  const terminate = () => Promise.all(workers.map((worker) => worker.terminate()));
  const stop = () => void terminate();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await Promise.all(
      workers.map(
        (worker) =>
          new Promise<void>((done, failed) => {
            worker.on("message", answer);
            worker.on("error", failed);
            worker.on("exit", (code) =>
              code === 0 ? done() : failed(new Error(`a hashing thread ended with status ${code}`)),
            );
          }),
      ),
    );
    signal?.throwIfAborted();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
    await terminate();
  }
}

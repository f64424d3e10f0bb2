import { chunkCount, LEAF_SIZE } from "./chunks.ts";
import { plan, planOrder, SMALL, type Task } from "./plan.ts";

/** A file to hash. */
export interface HashRequest {
  absolute: string;
  /** In bytes, as listed; another size at opening is `changed`. */
  size: number;
  /** `lock`: whole-file SHA-256, and over 1 MiB the chunk root too. `verify`: over 1 MiB the chunk root alone. */
  mode: "lock" | "verify";
  /** When given, another file in its place is `changed`. */
  dev?: bigint | number;
  ino?: bigint | number;
}

/**
 * All that workers need, in shared memory: nothing is copied to them, and they answer by writing hashes into
 * it. Files stand in the order of the plan, `order` gives their place among the requests.
 */
export interface Job {
  order: Float64Array;
  /** UTF-8 of all paths in one run; `pathEnds` says where each ends. */
  paths: Uint8Array;
  pathEnds: Float64Array;
  sizes: Float64Array;
  /** Expected device and inode of each file, two words each; -1: any. */
  identities: BigInt64Array;
  /** Kind, file, first and count of each task. */
  tasks: Float64Array;
  /** [0]: the next task to take; [1]: files done. */
  counters: Int32Array;
  /** [0]: work done, in bytes, those of files that want two hashes counted twice. */
  work: BigInt64Array;
  /** Tasks left of each file; nothing is reported of a file before this is 0. */
  pending: Int32Array;
  /** 1 for a file with a problem, whose remaining tasks are dropped. */
  failed: Int32Array;
  /** `stampOf` each file that more than one task reads: all of them must read the same file state. */
  stamps: BigInt64Array;
  /** Whole-file digests and chunk leaves, 32 bytes each; `leafStarts` counts leaves. */
  digests: Uint8Array;
  leaves: Uint8Array;
  leafStarts: Float64Array;
}

/** Lays out the job for so many workers. */
export function makeJob(requests: readonly HashRequest[], workers: number): Job {
  const order = planOrder(requests);
  const files = order.map((i) => requests[i]!);
  const tasks = plan(files, workers);
  const n = files.length;
  const encoded = files.map((f) => Buffer.from(f.absolute));
  const job: Job = {
    order: share(Float64Array, n),
    paths: share(
      Uint8Array,
      encoded.reduce((sum, path) => sum + path.length, 0),
    ),
    pathEnds: share(Float64Array, n),
    sizes: share(Float64Array, n),
    identities: share(BigInt64Array, 2 * n),
    tasks: share(Float64Array, 4 * tasks.length),
    counters: share(Int32Array, 2),
    work: share(BigInt64Array, 1),
    pending: share(Int32Array, n),
    failed: share(Int32Array, n),
    stamps: share(BigInt64Array, n),
    digests: share(Uint8Array, n * LEAF_SIZE),
    leaves: share(Uint8Array, files.reduce((sum, f) => sum + chunkCount(f.size), 0) * LEAF_SIZE),
    leafStarts: share(Float64Array, n),
  };
  let pathEnd = 0;
  let leaf = 0;
  files.forEach((file, i) => {
    job.order[i] = order[i]!;
    job.paths.set(encoded[i]!, pathEnd);
    pathEnd += encoded[i]!.length;
    job.pathEnds[i] = pathEnd;
    job.sizes[i] = file.size;
    job.identities[2 * i] = BigInt.asIntN(64, BigInt(file.dev ?? -1));
    job.identities[2 * i + 1] = BigInt.asIntN(64, BigInt(file.ino ?? -1));
    job.leafStarts[i] = leaf;
    leaf += chunkCount(file.size);
  });
  tasks.forEach((task, i) => {
    job.tasks.set([task.kind, task.file, task.first, task.count], 4 * i);
    for (let k = 0; k < filesOf(task); k += 1) job.pending[task.file + k]! += 1;
  });
  return job;
}

/** Number of tasks of a job. */
export function taskCount(job: Job): number {
  return job.tasks.length / 4;
}

/** Takes the next task; undefined when there is none left. */
export function takeTask(job: Job): Task | undefined {
  const at = 4 * Atomics.add(job.counters, 0, 1);
  if (at >= job.tasks.length) return undefined;
  const [kind, file, first, count] = job.tasks.subarray(at, at + 4);
  return { kind: kind as Task["kind"], file: file!, first: first!, count: count! };
}

/** Absolute path of a file of the job. */
export function pathOf(job: Job, file: number): string {
  // A copy: text decoders do not take shared memory.
  return Buffer.from(
    job.paths.slice(file === 0 ? 0 : job.pathEnds[file - 1]!, job.pathEnds[file]!),
  ).toString();
}

/** The 32-byte rows of a file's chunk leaves. */
export function leavesOf(job: Job, file: number): Uint8Array {
  const from = job.leafStarts[file]! * LEAF_SIZE;
  return job.leaves.subarray(from, from + chunkCount(job.sizes[file]!) * LEAF_SIZE);
}

/** The place of a file's whole-file digest. */
export function digestOf(job: Job, file: number): Uint8Array {
  return job.digests.subarray(file * LEAF_SIZE, (file + 1) * LEAF_SIZE);
}

/** Number of files that a task works on. */
export function filesOf(task: Task): number {
  return task.kind === SMALL ? task.count : 1;
}

type SharedArray<T> = {
  new (buffer: SharedArrayBuffer): T;
  readonly BYTES_PER_ELEMENT: number;
};

function share<T>(kind: SharedArray<T>, length: number): T {
  return new kind(new SharedArrayBuffer(length * kind.BYTES_PER_ELEMENT));
}

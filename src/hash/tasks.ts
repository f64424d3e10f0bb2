import { createHash, hash } from "node:crypto";
import { type BigIntStats, closeSync } from "node:fs";
import { CHUNK_SIZE } from "../core/tree.ts";
import { ChunkBuffer, chunkLength, LEAF_SIZE } from "./chunks.ts";
import { digestOf, filesOf, type Job, leavesOf, pathOf, takeTask } from "./job.ts";
import {
  assertUnchanged,
  FileProblem,
  type FileProblemKind,
  openRegular,
  readExactly,
  stampOf,
} from "./open.ts";
import { DIGEST, FUSED, LEAVES, SMALL, type Task } from "./plan.ts";

/** One file's problem, by its place in the job. */
export interface FailureReport {
  file: number;
  problem: FileProblemKind;
  detail: string;
}

interface OpenFile {
  file: number;
  fd: number;
  before: BigIntStats;
}

/**
 * Takes tasks of a job until there are none left and does them; runs in each worker, or once in the main
 * thread for little work. Hashes go into the job; each file's problem is given to `report`, once.
 */
export function runTasks(job: Job, report: (failure: FailureReport) => void): void {
  const buffer = new ChunkBuffer();
  // Kept from task to task: a worker mostly gets the next range of the file it has just read.
  let open: OpenFile | undefined;
  try {
    for (let task = takeTask(job); task; task = takeTask(job)) {
      for (let file = task.file; file < task.file + filesOf(task); file += 1) {
        try {
          if (Atomics.load(job.failed, file) === 0) {
            if (open?.file !== file) open = reopen(job, file, open);
            hashPart(job, task, open, buffer);
          }
        } catch (error) {
          if (!(error instanceof FileProblem)) throw error;
          const first = Atomics.exchange(job.failed, file, 1) === 0;
          if (first) report({ file, problem: error.problem, detail: error.message });
        }
        if (Atomics.sub(job.pending, file, 1) === 1) Atomics.add(job.counters, 1, 1);
      }
    }
  } finally {
    if (open) closeSync(open.fd);
  }
}

function reopen(job: Job, file: number, last: OpenFile | undefined): OpenFile {
  const expect = (word: bigint) => (word === -1n ? undefined : word);
  const { fd, before } = openRegular(pathOf(job, file), {
    size: job.sizes[file]!,
    dev: expect(job.identities[2 * file]!),
    ino: expect(job.identities[2 * file + 1]!),
  });
  if (last) closeSync(last.fd);
  return { file, fd, before };
}

function hashPart(job: Job, { kind, first, count }: Task, open: OpenFile, buffer: ChunkBuffer): void {
  const { file, fd, before } = open;
  const size = job.sizes[file]!;
  if (kind === SMALL) {
    readExactly(fd, buffer.bytes, ChunkBuffer.OFFSET, size, 0);
    digestOf(job, file).set(hash("sha256", buffer.chunk(size), "buffer"));
    Atomics.add(job.work, 0, BigInt(size));
  } else {
    const whole = kind === LEAVES ? undefined : createHash("sha256");
    const leaves = kind === DIGEST ? undefined : leavesOf(job, file);
    const hashes = kind === FUSED ? 2 : 1;
    for (let chunk = first; chunk < first + count; chunk += 1) {
      const length = chunkLength(size, chunk);
      readExactly(fd, buffer.bytes, ChunkBuffer.OFFSET, length, chunk * CHUNK_SIZE);
      leaves?.set(buffer.leaf(length), chunk * LEAF_SIZE);
      whole?.update(buffer.chunk(length));
      Atomics.add(job.work, 0, BigInt(length * hashes));
    }
    if (whole) digestOf(job, file).set(whole.digest());
  }
  assertUnchanged(fd, before);
  if (kind !== SMALL) assertOneState(job, file, before);
}

/** The tasks of one file are far apart in time and in workers, but must all have read the same file state. */
function assertOneState(job: Job, file: number, before: BigIntStats): void {
  const stamp = stampOf(before);
  const seen = Atomics.compareExchange(job.stamps, file, 0n, stamp);
  if (seen !== 0n && seen !== stamp) throw new FileProblem("changed", "it changed while it was read");
}

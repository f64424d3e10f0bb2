import { hash } from "node:crypto";
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/** What can be wrong with one file; the others are hashed all the same. */
export type FileProblemKind = "unreadable" | "vanished" | "changed" | "not-a-file";

/** Thrown in this folder only: it ends as a `HashFailure`. */
export class FileProblem extends Error {
  readonly problem: FileProblemKind;

  constructor(problem: FileProblemKind, detail: string) {
    super(detail);
    this.problem = problem;
  }
}

/** What a file must still be when it is opened; `size` in bytes. */
export interface ExpectedFile {
  size: number;
  dev?: bigint | undefined;
  ino?: bigint | undefined;
}

// O_NONBLOCK so that a named pipe put in a file's place cannot hang us; O_NOFOLLOW so that a link cannot lead
// us elsewhere. Windows has neither.
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * Opens a regular file for reading and checks that it is the expected one. Gives the descriptor, which the
 * caller closes, and the state to hand to `assertUnchanged` after the last read. Throws a FileProblem.
 */
export function openRegular(absolute: string, expected: ExpectedFile): { fd: number; before: BigIntStats } {
  const fd = asProblem(() => openSync(absolute, READ));
  try {
    const before = asProblem(() => fstatSync(fd, { bigint: true }));
    if (!before.isFile()) throw new FileProblem("not-a-file", "it is not a regular file");
    if ((expected.ino ?? before.ino) !== before.ino || (expected.dev ?? before.dev) !== before.dev) {
      throw new FileProblem("changed", "another file took its place since it was listed");
    }
    if (before.size !== BigInt(expected.size)) {
      throw new FileProblem("changed", `it was ${expected.size} bytes when listed and is ${before.size} now`);
    }
    return { fd, before };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Fills `length` bytes of `buffer` at `offset` from the file's `position`. A shorter file has changed. */
export function readExactly(
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number,
): void {
  for (let done = 0; done < length; ) {
    const read = asProblem(() => readSync(fd, buffer, offset + done, length - done, position + done));
    if (read === 0) throw new FileProblem("changed", "it became shorter while it was read");
    done += read;
  }
}

/**
 * Throws a FileProblem when a file is not as it was before reading. A write through mmap may leave all of this
 * untouched: it is a check against accidents; the digest says what was read in any case.
 */
export function assertUnchanged(fd: number, before: BigIntStats): void {
  const now = asProblem(() => fstatSync(fd, { bigint: true }));
  if (stampOf(now) !== stampOf(before)) throw new FileProblem("changed", "it changed while it was read");
}

/** 64 bits that stand for a file's identity and last change; never 0. */
export function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): bigint {
  const digest = hash("sha256", `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`, "buffer");
  return digest.readBigInt64LE(0) | 1n;
}

/** Runs a call on a file and turns its error into the FileProblem that it means. */
export function asProblem<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw problemOf(error);
  }
}

/** The FileProblem that a failed system call means; any other error as it is. */
export function problemOf(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof FileProblem || code === undefined) return error;
  if (code === "ENOENT" || code === "ENOTDIR")
    return new FileProblem("vanished", "it does not exist any more");
  if (code === "ELOOP") return new FileProblem("not-a-file", "it is a symbolic link");
  if (code === "ENXIO" || code === "ENODEV") return new FileProblem("not-a-file", "it is a socket or device");
  return new FileProblem("unreadable", message);
}

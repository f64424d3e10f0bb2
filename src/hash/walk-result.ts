import { type BigIntStats, lstatSync } from "node:fs";

/** A regular file found in a tree. */
export interface WalkedFile {
  /** POSIX path relative to the root, as stored: no normalisation. */
  path: string;
  /** Where its bytes are; in a hub cache, the blob. */
  absolute: string;
  /** In bytes. */
  size: number;
  /** The owner's x bit. */
  executable: boolean;
  /** Device and inode: with them, whoever opens the file knows that it is still this one. */
  dev: bigint;
  ino: bigint;
}

/** Something that keeps a tree from having a digest. */
export interface WalkProblem {
  /** POSIX path relative to the root, `.` for the root itself; bytes that are not UTF-8 as `\xNN`. */
  path: string;
  problem: WalkProblemKind;
  /** For a person: what exactly is wrong, without the path. */
  detail: string;
}

export type WalkProblemKind =
  | "not-utf8"
  | "link-escapes"
  | "link-broken"
  | "link-cycle"
  | "not-a-file"
  | "unreadable"
  | "vanished"
  | "collision"
  | "too-many"
  | "too-deep"
  | "empty"
  | "bad-name";

/** What a tree holds, each list ordered by the UTF-8 bytes of `path`. A tree with problems has no digest. */
export interface Walk {
  files: WalkedFile[];
  links: { path: string; link: string }[];
  problems: WalkProblem[];
}

/** What something is that is not a file, for a person. */
export function describe(stat: BigIntStats): string {
  if (stat.isFIFO()) return "it is a named pipe";
  if (stat.isSocket()) return "it is a socket";
  return stat.isDirectory() ? "it is a folder" : "it is a device";
}

/** Notes a problem. */
export function problem(walk: Walk, path: string, kind: WalkProblemKind, detail: string): void {
  walk.problems.push({ path, problem: kind, detail });
}

/** Notes the problem that a failed system call means; throws what is no such error. */
export function ioProblem(walk: Walk, path: string, error: unknown): void {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  if (code === "ENOENT" || code === "ENOTDIR") problem(walk, path, "vanished", "it does not exist");
  else if (code === "ELOOP") problem(walk, path, "link-cycle", "its target leads back to itself");
  else problem(walk, path, "unreadable", message);
}

/** Looks at a path without following a link; undefined, and a problem, when that fails. */
export function lstat(absolute: string, path: string, walk: Walk): BigIntStats | undefined {
  try {
    return lstatSync(absolute, { bigint: true });
  } catch (error) {
    ioProblem(walk, path, error);
    return undefined;
  }
}

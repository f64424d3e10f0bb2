import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { MAX_GIT_INDEX_BYTES, parseGitIndex } from "../formats/git-index.ts";

/** What the git index says of the files below a folder. */
export type GitView =
  | { state: "tracked"; entries: ReadonlyMap<string, "file" | "executable" | "link" | "submodule"> }
  | {
      state: "absent";
      reason: string;
      /** There is a work tree and what it tracks cannot be known. */
      unreadable?: true;
    };

/**
 * Reads the index of the work tree that holds a folder, without running git. As with git itself
 * (`safe.directory`), a repository that somebody else owns does not count: its owner could say which files are
 * pinned. One in the folder itself cannot be read then, one in a folder above is as good as absent.
 *
 * @param folder an absolute path
 * @returns the entries below the folder by their path relative to it, or why there are none
 */
export function readGit(folder: string): GitView {
  const real = realpathSync(folder);
  const found = findGitDirectory(real);
  if (!found) return { state: "absent", reason: "the folder is in no git work tree" };
  const who = trustedOwners(real);
  const foreign = foreignPart(found, who);
  if (foreign !== undefined) return notOurs(foreign, found.top === real);
  let text: Buffer;
  try {
    const index = readRegular(join(found.gitDirectory, "index"), MAX_GIT_INDEX_BYTES);
    if (!isTrustedOwner(index.owner, who)) return notOurs("index", found.top === real);
    text = index.bytes;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return { state: "tracked", entries: new Map() };
    return unreadable(` (${code ?? (error as Error).message})`);
  }
  try {
    const prefix = relative(found.top, real).split(sep).join("/");
    const below = prefix === "" ? "" : `${prefix}/`;
    const entries = new Map(
      parseGitIndex(text)
        .filter((entry) => entry.path.startsWith(below))
        .map((entry) => [entry.path.slice(below.length), entry.type] as const),
    );
    if (entries.size === 0 && prefix !== "")
      return { state: "absent", reason: "the git work tree around the folder tracks nothing in it" };
    return { state: "tracked", entries };
  } catch (error) {
    return unreadable(`: ${(error as Error).message}`);
  }
}

/** Whose repositories count: git's own rule. */
export interface Owners {
  /** Effective user id of this process; undefined where there are no such ids. */
  self: number | undefined;
  /** Whoever became root by sudo. */
  sudo: number | undefined;
  /** Owner of the agent's folder, who can change all of it anyway. */
  folder: number;
}

/** True for files of ours, of root, of the owner of the agent's folder, or of whoever became root by sudo. */
export function isTrustedOwner(owner: number, { self, sudo, folder }: Owners): boolean {
  if (self === undefined || owner === 0 || owner === self || owner === folder) return true;
  return self === 0 && owner === sudo;
}

function trustedOwners(folder: string): Owners {
  const sudo = /^[0-9]{1,10}$/.test(process.env.SUDO_UID ?? "") ? Number(process.env.SUDO_UID) : undefined;
  return { self: process.geteuid?.(), sudo, folder: lstatSync(folder).uid };
}

/** What of a repository belongs to somebody else. */
function foreignPart({ top, gitDirectory }: GitPlace, who: Owners): string | undefined {
  if (!isTrustedOwner(lstatSync(join(top, ".git")).uid, who)) return ".git";
  const directory = statSync(gitDirectory, { throwIfNoEntry: false });
  return directory && !isTrustedOwner(directory.uid, who) ? "git directory" : undefined;
}

function notOurs(what: string, isInFolder: boolean): GitView {
  const reason = `the ${what} ${isInFolder ? "in the folder" : "in a folder above it"} belongs to another user`;
  return isInFolder
    ? { state: "absent", reason: `${reason}: chown it, or lock as its owner`, unreadable: true }
    : { state: "absent", reason: `${reason} and does not count` };
}

function unreadable(why: string): GitView {
  return { state: "absent", reason: `the git index cannot be read${why}`, unreadable: true };
}

interface GitPlace {
  /** The folder that holds `.git`. */
  top: string;
  /** What `.git` is or names. */
  gitDirectory: string;
}

/** Walks up to the folder that holds `.git`: a directory, or in a linked work tree a file that names one. */
function findGitDirectory(folder: string): GitPlace | undefined {
  for (let at = folder, steps = 0; steps < 128; at = dirname(at), steps += 1) {
    const candidate = join(at, ".git");
    try {
      const stat = lstatSync(candidate);
      if (stat.isDirectory()) return { top: at, gitDirectory: candidate };
      if (stat.isFile()) {
        const match = /^gitdir: ([^\n]+)\n?$/.exec(readRegular(candidate, 8192).bytes.toString("utf8"));
        if (match) return { top: at, gitDirectory: resolve(at, match[1]!) };
      }
    } catch {
      // not here: look further up
    }
    if (dirname(at) === at) return undefined;
  }
  return undefined;
}

function readRegular(path: string, limit: number): { bytes: Buffer; owner: number } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error("not a regular file");
    if (stat.size > limit) throw new Error("too large");
    return { bytes: readFileSync(fd), owner: stat.uid };
  } finally {
    closeSync(fd);
  }
}

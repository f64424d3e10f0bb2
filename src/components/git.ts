import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, realpathSync } from "node:fs";
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
 * Reads the index of the work tree that holds a folder, without running git.
 *
 * @param folder an absolute path
 * @returns the entries below the folder by their path relative to it, or why there are none
 */
export function readGit(folder: string): GitView {
  const real = realpathSync(folder);
  const found = findGitDirectory(real);
  if (!found) return { state: "absent", reason: "the folder is in no git work tree" };
  let text: Buffer;
  try {
    text = readRegular(join(found.gitDirectory, "index"), MAX_GIT_INDEX_BYTES);
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

function unreadable(why: string): GitView {
  return { state: "absent", reason: `the git index cannot be read${why}`, unreadable: true };
}

/** Walks up to the folder that holds `.git`: a directory, or in a linked work tree a file that names one. */
function findGitDirectory(folder: string): { top: string; gitDirectory: string } | undefined {
  for (let at = folder, steps = 0; steps < 128; at = dirname(at), steps += 1) {
    const candidate = join(at, ".git");
    try {
      const stat = lstatSync(candidate);
      if (stat.isDirectory()) return { top: at, gitDirectory: candidate };
      if (stat.isFile()) {
        const match = /^gitdir: ([^\n]+)\n?$/.exec(readRegular(candidate, 8192).toString("utf8"));
        if (match) return { top: at, gitDirectory: resolve(at, match[1]!) };
      }
    } catch {
      // not here: look further up
    }
    if (dirname(at) === at) return undefined;
  }
  return undefined;
}

function readRegular(path: string, limit: number): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error("not a regular file");
    if (stat.size > limit) throw new Error("too large");
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

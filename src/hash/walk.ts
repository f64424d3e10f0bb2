import { type BigIntStats, lstatSync, readdirSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import { compareUtf8 } from "../core/digest.ts";
import { hubRepository, judgeLink, type LinkTree } from "./links.ts";
import { decodeName, escapeBytes, foldName, hasControl } from "./names.ts";
import { describe, ioProblem, lstat, problem, type Walk, type WalkedFile } from "./walk-result.ts";

export type { Walk, WalkedFile, WalkProblem, WalkProblemKind } from "./walk-result.ts";

export interface WalkOptions {
  /** True for a path that belongs to no tree; a skipped folder is not entered. */
  skip?: (relativePosixPath: string, isDirectory: boolean) => boolean;
  /** False: links below `models--…/snapshots/REV` are links like any other. Default: each is its blob. */
  hubCache?: boolean;
  /** Files and links at most; default 1,000,000. */
  maxFiles?: number;
  /** Folders within folders at most; default 256. */
  maxDepth?: number;
}

/** So many entries are looked at before the event loop gets its turn (about 5 ms). */
const ENTRIES_PER_TURN = 512;

/**
 * Lists the files and links of a tree, or of a single file, by lstat alone: no file is opened and no link is
 * followed, except a hub cache's links into its own blobs. Takes the folder or file. Whatever is wrong with
 * the tree is in `problems`; it does not throw for anything on disk.
 */
export async function walkTree(root: string, options: WalkOptions = {}): Promise<Walk> {
  const walk: Walk = { files: [], links: [], problems: [] };
  const start = findRoot(resolve(root), options.hubCache ?? true, walk);
  if (start) await walkFolders(start, options, walk);
  if (walk.files.length + walk.links.length + walk.problems.length === 0) {
    walk.problems.push({ path: ".", problem: "empty", detail: "it holds no file" });
  }
  const byPath = (a: { path: string }, b: { path: string }) => compareUtf8(a.path, b.path);
  walk.files.sort(byPath);
  walk.links.sort(byPath);
  walk.problems.sort(byPath);
  return walk;
}

/** Gives the folder to walk; a root that is a single file, or a problem, goes straight into `walk`. */
function findRoot(root: string, hub: boolean, walk: Walk): LinkTree | undefined {
  const repositoryOf = (real: string) => (hub ? hubRepository(real) : undefined);
  try {
    const stat = lstatSync(root, { bigint: true });
    const parent = realpathSync.native(dirname(root));
    const name = basename(root);
    if (stat.isFile() || (stat.isSymbolicLink() && repositoryOf(parent) !== undefined)) {
      addEntry(name, join(parent, name), stat, { root: parent, hub }, {}, walk);
      // A single file is its own tree: a link to a neighbour is outside of it.
      if (walk.links.pop()) problem(walk, ".", "link-escapes", "it is a link to another file");
      return undefined;
    }
    const real = realpathSync.native(root);
    const repository = repositoryOf(real);
    if (stat.isDirectory() || (repository !== undefined && lstatSync(real).isDirectory())) {
      return { root: real, hub };
    }
    if (stat.isSymbolicLink()) problem(walk, ".", "link-escapes", `it is a link to ${real}`);
    else problem(walk, ".", "not-a-file", describe(stat));
  } catch (error) {
    ioProblem(walk, ".", error);
  }
  return undefined;
}

async function walkFolders(tree: LinkTree, options: WalkOptions, walk: Walk): Promise<void> {
  const { maxFiles = 1_000_000, maxDepth = 256 } = options;
  const top = lstat(tree.root, ".", walk);
  const open = top ? [{ path: "", depth: 0, stat: top }] : [];
  let entries = 0;
  for (let folder = open.pop(); folder; folder = open.pop()) {
    const folded = new Map<string, string>();
    for (const bytes of readFolder(join(tree.root, folder.path), folder, walk)) {
      entries += 1;
      if (entries % ENTRIES_PER_TURN === 0) await yieldToLoop();
      const name = decodeName(bytes);
      if (name === undefined) {
        problem(walk, within(folder.path, escapeBytes(bytes)), "not-utf8", "its name is not UTF-8");
        continue;
      }
      const path = within(folder.path, name);
      const absolute = join(tree.root, path);
      const stat = lstat(absolute, path, walk);
      if (!stat || options.skip?.(path, stat.isDirectory())) continue;
      // Two names in one folder meet exactly when two whole paths do, the names of folders included.
      const other = folded.get(foldName(name));
      if (other === undefined) folded.set(foldName(name), name);
      else problem(walk, path, "collision", `${other} is the same name on some file systems`);
      if (stat.isDirectory()) {
        if (hasControl(name)) problem(walk, path, "bad-name", "its name holds a control character");
        if (folder.depth < maxDepth) open.push({ path, depth: folder.depth + 1, stat });
        else problem(walk, path, "too-deep", `more than ${maxDepth} folders within folders`);
        continue;
      }
      if (walk.files.length + walk.links.length >= maxFiles) {
        problem(walk, path, "too-many", `more than ${maxFiles} files`);
        return;
      }
      addEntry(path, absolute, stat, tree, options, walk);
    }
  }
}

/** Puts anything but a folder where it belongs: files, links or problems. */
function addEntry(
  path: string,
  absolute: string,
  stat: BigIntStats,
  tree: LinkTree,
  options: WalkOptions,
  walk: Walk,
): void {
  if (hasControl(basename(path))) problem(walk, path, "bad-name", "its name holds a control character");
  if (stat.isFile()) {
    walk.files.push(walkedFile(path, absolute, stat));
  } else if (!stat.isSymbolicLink()) {
    problem(walk, path, "not-a-file", describe(stat));
  } else {
    const verdict = judgeLink(absolute, path, tree);
    if (verdict.is === "blob") walk.files.push(walkedFile(path, verdict.absolute, verdict.stat));
    else if (verdict.is === "problem") problem(walk, path, verdict.problem, verdict.detail);
    else if (isSkipped(verdict.target, path, tree, options, walk)) {
      problem(walk, path, "link-escapes", `its target ${verdict.link} belongs to no tree`);
    } else walk.links.push({ path, link: verdict.link });
  }
}

/** True for a link's target that the walk leaves out: its bytes would be under no digest. */
function isSkipped(target: string, path: string, tree: LinkTree, { skip }: WalkOptions, walk: Walk): boolean {
  if (!skip || target === "") return false;
  const parts = target.split("/");
  if (parts.some((_, i) => i > 0 && skip(parts.slice(0, i).join("/"), true))) return true;
  return skip(target, lstat(join(tree.root, target), path, walk)?.isDirectory() ?? false);
}

/** A folder's names as bytes; none, and a problem, when it cannot be read or is not the folder it was. */
function readFolder(absolute: string, folder: { path: string; stat: BigIntStats }, walk: Walk): Buffer[] {
  try {
    const names = readdirSync(absolute, { encoding: "buffer" });
    // readdir follows a link put in the folder's place since it was looked at: look again.
    const now = lstatSync(absolute, { bigint: true });
    if (now.isDirectory() && now.dev === folder.stat.dev && now.ino === folder.stat.ino) return names;
    problem(walk, folder.path || ".", "vanished", "it was replaced while the tree was read");
  } catch (error) {
    ioProblem(walk, folder.path || ".", error);
  }
  return [];
}

function walkedFile(path: string, absolute: string, stat: BigIntStats): WalkedFile {
  const executable = (stat.mode & 0o100n) !== 0n;
  return { path, absolute, size: Number(stat.size), executable, dev: stat.dev, ino: stat.ino };
}

function within(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

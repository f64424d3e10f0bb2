import { realpathSync, statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import type { DeclaredComponent } from "../core/manifest.ts";
import { safeText } from "../core/safe-text.ts";
import { type WalkedFile, walkTree } from "../hash/walk.ts";
import type { GitView } from "./git.ts";
import { isGitFolder, isReserved } from "./ignore.ts";
import type { ObservedLink, ObservedProblem } from "./observed.ts";

/** The files that make up a component, not yet read. */
export interface Selection {
  /** `path` is inside the component's tree. */
  files: WalkedFile[];
  links: ObservedLink[];
  problems: ObservedProblem[];
  /** What to put before a tree path to get a path relative to the agent's folder. */
  prefix: string;
  /** Files in its place that are under no digest and yet belong there: signatures in an image's layout. */
  beside?: string[];
}

/** What a selection may depend on beside the declaration. */
export interface SelectContext {
  /** Absolute path of the agent's folder. */
  folder: string;
  git: GitView;
  ignored: (path: string, isFolder: boolean) => boolean;
  /** All declared components. */
  declared: readonly DeclaredComponent[];
}

/**
 * Declared paths that leave the agent's folder through a link in one of the folders above them. (A path that is
 * itself a link is for the walk to refuse.)
 */
export function pathsOutside(declared: DeclaredComponent, folder: string): ObservedProblem[] {
  return declaredPaths(declared)
    .map(cleanPath)
    .filter((path) => {
      if (path === "") return false;
      try {
        const parent = realpathSync(dirname(join(folder, path)));
        return parent !== folder && !parent.startsWith(`${folder}${sep}`);
      } catch {
        return false;
      }
    })
    .map((path) => ({
      path: safeText(path),
      problem: "link-escapes" as const,
      detail: "a folder above it is a link out of the agent's folder",
    }));
}

/** A declared path without its trailing slash; "" for the agent's folder itself. */
export function cleanPath(path: string): string {
  return path === "." ? "" : path.replace(/\/$/, "");
}

/**
 * True for the `.git` of the agent's folder, which belongs to no tree. One further down is what it looks like to
 * whatever reads that folder: files.
 */
export function isTopGit(path: string): boolean {
  return path === ".git";
}

/** The declared paths of a component. */
export function declaredPaths(declared: DeclaredComponent): string[] {
  return declared.paths ?? (declared.path === undefined ? [] : [declared.path]);
}

/**
 * Files of a component that declares where it stands. One path: the tree is that folder, or that file by its
 * basename. Several: the tree holds each under its path relative to the agent's folder.
 */
export async function selectDeclared(declared: DeclaredComponent, folder: string): Promise<Selection> {
  // Of code, git tracks no `.git` however deep, nor do we where there is no git.
  const skip = declared.kind === "code" ? isGitFolder : () => false;
  if (declared.path !== undefined) return selectPath(cleanPath(declared.path), folder, skip);
  const merged: Selection = { files: [], links: [], problems: [], prefix: "" };
  const seen = new Set<string>();
  for (const path of (declared.paths ?? []).map(cleanPath)) {
    const part = await selectPath(path, folder, skip);
    const rename = <T extends { path: string }>(entry: T): T => ({
      ...entry,
      path: part.prefix + entry.path,
    });
    for (const entry of [...part.files, ...part.links]) {
      const full = part.prefix + entry.path;
      if (seen.has(full))
        merged.problems.push({ path: full, problem: "collision", detail: "it is declared twice" });
      seen.add(full);
    }
    merged.files.push(...part.files.map(rename));
    merged.links.push(...part.links.map(rename));
    merged.problems.push(...part.problems.map(rename));
  }
  return merged;
}

async function selectPath(
  path: string,
  folder: string,
  skip: (relative: string) => boolean,
): Promise<Selection> {
  const detail = misplaced(path);
  if (detail !== undefined) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const problems = [{ path: safeText(name), problem: "malformed" as const, detail }];
    return { files: [], links: [], problems, prefix: parentOf(path) };
  }
  const walk = await walkTree(join(folder, path), {
    skip: (relative) => skip(relative) || (path === "" && (isTopGit(relative) || isReserved(relative))),
  });
  const single = path !== "" && isSingle(join(folder, path));
  const atRoot = single || walk.problems[0]?.path === ".";
  const prefix = atRoot ? parentOf(path) : path === "" ? "" : `${path}/`;
  const name = path.slice(path.lastIndexOf("/") + 1);
  return {
    files: walk.files,
    links: walk.links,
    problems: walk.problems.map((p) => ({
      path: safeText(p.path === "." ? name || "." : p.path),
      problem: p.problem === "vanished" ? "missing" : p.problem,
      detail: p.detail,
    })),
    prefix,
  };
}

/** Why a declared path cannot be a component's, whatever is there; undefined when it can. */
function misplaced(path: string): string | undefined {
  if (isReserved(path)) return "it is Waybill's own and belongs to no tree";
  if (path.split("/").includes(".git")) return "it is in a .git, where no component can be declared";
  return undefined;
}

/** The folder of a path with a slash at its end; "" for what stands at the top. */
function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

/** True for a file, or a link to one as a hub cache has them: the tree then is that file under its own name. */
function isSingle(absolute: string): boolean {
  try {
    return statSync(absolute).isFile();
  } catch {
    return false;
  }
}

/**
 * Files of a `code` component: below its path, those that git tracks, or all where there is no git; minus the
 * files of other components, minus Waybill's own, minus `ignore`.
 */
export async function selectCode(declared: DeclaredComponent, context: SelectContext): Promise<Selection> {
  const { folder, git, ignored } = context;
  const base = cleanPath(declared.path ?? ".");
  // Else everything would be code that lies about, and another machine would pin something else.
  if (git.state === "absent" && git.unreadable)
    return {
      files: [],
      links: [],
      problems: [{ path: ".", problem: "unreadable", detail: git.reason }],
      prefix: base === "" ? "" : `${base}/`,
    };
  if (base !== "" && (isSingle(join(folder, base)) || misplaced(base) !== undefined))
    return selectFile(base, context);
  const below = base === "" ? "" : `${base}/`;
  const others = context.declared
    .filter((other) => other !== declared)
    .flatMap((other) => declaredPaths(other).map(cleanPath))
    .filter((path) => path !== base && path.startsWith(below));
  const taken = new Set(others);
  const isTracking = git.state === "tracked" && git.entries.size > 0;
  const tracked = isTracking ? trackedBelow(git.entries, below) : undefined;

  const walk = await walkTree(join(folder, base), {
    skip: (relative, isFolder) => {
      const full = below + relative;
      if (isGitFolder(relative) || isReserved(full) || taken.has(full) || ignored(full, isFolder))
        return true;
      if (tracked === undefined) return false;
      return isFolder ? !tracked.folders.has(full) : !tracked.files.has(full);
    },
  });
  const problems: ObservedProblem[] = walk.problems
    .filter((p) => p.problem !== "empty" || tracked === undefined)
    .map((p) => ({ path: safeText(p.path), problem: p.problem, detail: p.detail }));
  if (tracked !== undefined) {
    const present = new Set([...walk.files, ...walk.links].map((entry) => below + entry.path));
    for (const path of tracked.files) {
      if (present.has(path) || isReserved(path) || isBelow(path, taken) || isIgnored(path, ignored)) continue;
      if (problems.some((p) => below + p.path === path)) continue;
      problems.push({
        path: safeText(path.slice(below.length)),
        problem: "missing",
        detail: "git tracks it and it is not there",
      });
    }
    if (walk.files.length + walk.links.length + problems.length === 0)
      problems.push({ path: ".", problem: "empty", detail: "git tracks no file of it" });
  }
  return { files: walk.files, links: walk.links, problems, prefix: below };
}

/** `code` that is one file: it must be tracked where anything is. */
async function selectFile(path: string, { folder, git }: SelectContext): Promise<Selection> {
  const selection = await selectPath(path, folder, isGitFolder);
  if (git.state !== "tracked" || git.entries.size === 0 || git.entries.has(path)) return selection;
  if (selection.problems.length > 0) return selection;
  const name = path.slice(path.lastIndexOf("/") + 1);
  const problem = { path: safeText(name), problem: "missing" as const, detail: "git does not track it" };
  return { ...selection, files: [], links: [], problems: [problem] };
}

function trackedBelow(
  entries: ReadonlyMap<string, string>,
  below: string,
): { files: Set<string>; folders: Set<string> } {
  const files = new Set<string>();
  const folders = new Set<string>();
  for (const path of entries.keys()) {
    if (!path.startsWith(below)) continue;
    files.add(path);
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
      folders.add(path.slice(0, at));
  }
  return { files, folders };
}

function isBelow(path: string, taken: ReadonlySet<string>): boolean {
  for (let at = path.length; at > 0; at = path.lastIndexOf("/", at - 1))
    if (taken.has(path.slice(0, at))) return true;
  return false;
}

function isIgnored(path: string, ignored: SelectContext["ignored"]): boolean {
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1))
    if (ignored(path.slice(0, at), true)) return true;
  return ignored(path, false);
}

import type { ComponentLeaf, Kind } from "../core/component.ts";
import { componentId } from "../core/component.ts";
import { compareUtf8, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { Lock, LockedComponent } from "../core/lock.ts";
import type { DeclaredComponent, Manifest } from "../core/manifest.ts";
import { safeText } from "../core/safe-text.ts";
import { type FileLeaf, isLink, type TreeLeaf, treeSize } from "../core/tree.ts";
import { type HashedFile, type HashFailure, type HashProgress, hashFiles } from "../hash/pool.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { type WalkedFile, walkTree } from "../hash/walk.ts";
import { type GitView, readGit } from "./git.ts";
import { compileIgnore, isGitFolder, isReserved } from "./ignore.ts";
import type { Described } from "./kind.ts";
import {
  isObservedLink,
  type ObservedComponent,
  type ObservedFile,
  type ObservedProblem,
} from "./observed.ts";
import { kindOf } from "./registry.ts";
import { pathsOutside, type SelectContext, type Selection, selectCode, selectDeclared } from "./select.ts";

/** How to observe a folder. */
export interface ObserveOptions {
  /** `lock` computes every digest; `verify` the chunk root alone for files over 1 MiB. */
  mode: "lock" | "verify";
  /** In `verify` mode: a chunk root equal to the locked one stands for the locked whole-file digest. */
  lock?: Lock | undefined;
  keepChunks?: boolean;
  onProgress?: (progress: HashProgress) => void;
  signal?: AbortSignal;
}

/** An agent's folder as it is now. */
export interface Observation {
  components: ObservedComponent[];
  git: GitView;
  /** Every file below the folder but git's own and ignored ones, relative to it. */
  files: { path: string; absolute: string; size: number }[];
  /** Those that no component claims and that are not Waybill's own. */
  unclaimed: { path: string; size: number }[];
}

/**
 * Reads every file that the manifest claims and describes each component by what is there. Nothing is decided
 * here: what is wrong stands in each component's `problems`.
 *
 * @param folder absolute path of the agent's folder
 * @throws the signal's reason when aborted
 */
export async function observe(
  folder: string,
  manifest: Manifest,
  options: ObserveOptions,
): Promise<Observation> {
  const git = readGit(folder);
  const ignored = compileIgnore(manifest.ignore);
  const context: SelectContext = { folder, git, ignored, declared: manifest.components };
  const selections: Selection[] = [];
  for (const declared of manifest.components) selections.push(await select(declared, context));

  const requests = selections.flatMap((selection, i) => {
    const kind = kindOf(manifest.components[i]!.kind);
    const mode = options.mode === "lock" || kind.wholeFiles ? ("lock" as const) : ("verify" as const);
    return selection.files.map((file) => ({ ...file, mode }));
  });
  const hashed = await hashFiles(requests, {
    ...(options.keepChunks ? { keepChunks: true } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  let next = 0;
  const components = manifest.components.map((declared, i) => {
    const selection = selections[i]!;
    const results = selection.files.map(() => hashed[next++]!);
    const locked = options.lock?.components.find((c) => componentId(c.leaf) === componentId(declared));
    return describe(declared, selection, results, git, locked);
  });
  const all = await walkTree(folder, {
    skip: (path, isFolder) => isGitFolder(path) || ignored(path, isFolder),
  });
  const claimed = claimedPaths(components);
  return {
    components,
    git,
    files: all.files.map(({ path, absolute, size }) => ({ path, absolute, size })),
    unclaimed: [...all.files, ...all.links.map((link) => ({ ...link, size: 0 }))]
      .filter(({ path }) => !isReserved(path) && !claimed.has(path))
      .map(({ path, size }) => ({ path, size })),
  };
}

async function select(declared: DeclaredComponent, context: SelectContext): Promise<Selection> {
  const problems = pathsOutside(declared, context.folder);
  if (problems.length > 0) return { files: [], links: [], problems, prefix: "" };
  const kind = kindOf(declared.kind);
  if (kind.select) return kind.select(declared, context.folder);
  if (declared.kind === "code" && declared.paths === undefined) return selectCode(declared, context);
  return selectDeclared(declared, context.folder);
}

function describe(
  declared: DeclaredComponent,
  selection: Selection,
  results: readonly (HashedFile | HashFailure)[],
  git: GitView,
  locked: LockedComponent | undefined,
): ObservedComponent {
  const problems: ObservedProblem[] = [...selection.problems];
  const entries: (ObservedFile | { path: string; link: string })[] = [...selection.links];
  const sources = new Map<string, string>();
  const lockedFiles = new Map(
    locked?.files.filter((leaf): leaf is FileLeaf => !isLink(leaf)).map((leaf) => [leaf.path, leaf]),
  );
  selection.files.forEach((file, i) => {
    const result = results[i]!;
    sources.set(file.path, file.absolute);
    if (!result.ok) {
      const problem = result.problem === "vanished" ? "missing" : result.problem;
      problems.push({ path: file.path, problem, detail: result.detail });
      return;
    }
    entries.push(
      observedFile(
        file,
        result,
        executableOf(file, declared.kind, selection, git),
        lockedFiles.get(file.path),
      ),
    );
  });
  entries.sort((a, b) => compareUtf8(a.path, b.path));
  const component: ObservedComponent = {
    id: componentId(declared),
    declared,
    entries,
    problems,
    sources,
    prefix: selection.prefix,
  };
  if (problems.length === 0) addLeaf(component);
  return component;
}

function observedFile(
  file: WalkedFile,
  result: HashedFile,
  executable: boolean,
  locked: FileLeaf | undefined,
): ObservedFile {
  const sameChunks =
    result.chunks !== undefined && locked?.chunks === result.chunks && locked.size === result.size;
  const whole = result.sha256 ?? (sameChunks ? locked.sha256 : undefined);
  return {
    path: file.path,
    size: result.size,
    executable,
    ...(whole === undefined ? {} : { sha256: whole }),
    ...(result.chunks === undefined ? {} : { chunks: result.chunks }),
    ...(result.chunkHashes === undefined ? {} : { chunkHashes: result.chunkHashes }),
  };
}

/** git's x bit where the file is tracked: the umask of a checkout must not change a digest. */
function executableOf(file: WalkedFile, kind: Kind, selection: Selection, git: GitView): boolean {
  // A blob's bit is under no digest: it must not make two locks of one image.
  if (kind === "image") return false;
  const tracked = git.state === "tracked" ? git.entries.get(selection.prefix + file.path) : undefined;
  return tracked === "file" || tracked === "executable" ? tracked === "executable" : file.executable;
}

/** Adds the component's leaf where every whole-file digest is known; a kind may find a problem here. */
function addLeaf(component: ObservedComponent): void {
  const leaves: TreeLeaf[] = [];
  for (const entry of component.entries) {
    if (isObservedLink(entry)) leaves.push(entry);
    else if (entry.sha256 === undefined) return;
    else {
      const { path, size, executable, chunks } = entry;
      leaves.push({
        path,
        size,
        sha256: entry.sha256,
        executable,
        ...(chunks === undefined ? {} : { chunks }),
      });
    }
  }
  if (leaves.length === 0) return;
  const { declared } = component;
  const described = describeKind(component, leaves);
  if ("problem" in described) {
    component.problems.push(described);
    return;
  }
  component.leaf = leafOf(declared, described, treeSize(leaves));
  if (described.document) component.document = described.document;
}

function describeKind(
  component: ObservedComponent,
  leaves: readonly TreeLeaf[],
): Described | ObservedProblem {
  const { declared } = component;
  try {
    return kindOf(declared.kind).describe({
      declared,
      leaves,
      files: leaves.filter((leaf): leaf is FileLeaf => !isLink(leaf)),
      read: (path, limit) => readChecked(component, path, limit),
    });
  } catch (error) {
    if (error instanceof ReadProblem) return error.problem;
    throw error;
  }
}

/** A file could not be read again; ends as the component's problem. */
class ReadProblem extends Error {
  readonly problem: ObservedProblem;

  constructor(path: string, problem: ObservedProblem["problem"], detail: string) {
    super(detail);
    this.problem = { path: safeText(path), problem, detail };
  }
}

function leafOf(declared: DeclaredComponent, described: Described, size: number): ComponentLeaf {
  return {
    kind: declared.kind,
    name: declared.name,
    mediaType: described.mediaType,
    digest: described.digest,
    size,
    ...(declared.origin === undefined ? {} : { origin: declared.origin }),
    ...(described.also === undefined ? {} : { also: described.also }),
  };
}

/**
 * Reads a file again and holds it against the digest just computed, so that no swap goes unseen.
 * Throws a ReadProblem.
 */
function readChecked(component: ObservedComponent, path: string, limit: number): Buffer {
  const entry = component.entries.find((e): e is ObservedFile => e.path === path && !isObservedLink(e));
  const source = component.sources.get(path);
  if (!entry || source === undefined) throw new ReadProblem(path, "missing", "it is not there");
  if (entry.size > limit)
    throw new ReadProblem(path, "malformed", `it has ${entry.size} bytes; at most ${limit} are read`);
  let bytes: Buffer | undefined;
  try {
    bytes = readFileBounded(source, limit);
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
  }
  if (bytes && sha256(bytes) === entry.sha256) return bytes;
  throw new ReadProblem(path, "changed", "it changed while it was read");
}

function claimedPaths(components: readonly ObservedComponent[]): Set<string> {
  const claimed = new Set<string>();
  for (const { declared, prefix, entries, problems } of components) {
    for (const entry of [...entries, ...problems]) claimed.add(prefix + entry.path);
    if (declared.kind === "image")
      for (const file of ["index.json", "oci-layout"]) claimed.add(prefix + file);
  }
  return claimed;
}

import type { ComponentLeaf, Kind } from "../core/component.ts";
import { componentId } from "../core/component.ts";
import { compareUtf8, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { Lock, LockedComponent } from "../core/lock.ts";
import type { DeclaredComponent, Manifest } from "../core/manifest.ts";
import { safeText } from "../core/safe-text.ts";
import { CHUNK_SIZE, type FileLeaf, isLink, type TreeLeaf, treeSize } from "../core/tree.ts";
import {
  type HashedFile,
  type HashFailure,
  type HashProgress,
  type HashRequest,
  hashFiles,
} from "../hash/pool.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { type WalkedFile, walkTree } from "../hash/walk.ts";
import { type GitView, readGit } from "./git.ts";
import { compileIgnore, isReserved } from "./ignore.ts";
import type { Described } from "./kind.ts";
import {
  isObservedLink,
  type ObservedComponent,
  type ObservedFile,
  type ObservedProblem,
} from "./observed.ts";
import { kindOf } from "./registry.ts";
import {
  isTopGit,
  pathsOutside,
  type SelectContext,
  type Selection,
  selectCode,
  selectDeclared,
} from "./select.ts";

/** Files and links of all components together, at most: a file counts for each component that claims it. */
const MAX_ENTRIES = 2_000_000;

/** How to observe a folder. */
export interface ObserveOptions {
  /** `lock` computes every digest; `verify` the chunk root alone for files over 1 MiB. */
  mode: "lock" | "verify";
  /**
   * In `verify` mode: a chunk root equal to the locked one stands for the locked whole-file digest, and a file over
   * 1 MiB that has another size than the locked one, or that is not locked, is not hashed: it differs already.
   */
  lock?: Lock | undefined;
  keepChunks?: boolean;
  /** Leave out what nobody claims. */
  claimedOnly?: boolean;
  onProgress?: (progress: HashProgress) => void;
  signal?: AbortSignal;
}

/** An agent's folder as it is now. */
export interface Observation {
  components: ObservedComponent[];
  git: GitView;
  /** Every file below the folder but those of its `.git` and ignored ones, relative to it. */
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
  const selections = await selectAll(context);
  const lockedById = new Map(options.lock?.components.map((c) => [componentId(c.leaf), c]));
  const lockedOf = (i: number) => lockedById.get(componentId(manifest.components[i]!));
  const queue = new HashQueue();
  const places = selections.map(({ files }, i) => {
    const { kind } = manifest.components[i]!;
    const mode = options.mode === "lock" || kindOf(kind).wholeFiles ? "lock" : "verify";
    const differs = options.mode === "verify" && options.lock ? differing(lockedOf(i)) : () => false;
    return files.map((file) => (differs(file) ? undefined : queue.add(file, mode)));
  });
  const hashed = await hashFiles(queue.requests, {
    ...(options.keepChunks ? { keepChunks: true } : {}),
    ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const components = manifest.components.map((declared, i) => {
    const selection = selections[i]!;
    const results = selection.files.map(({ size }, j): HashedFile | HashFailure => {
      const place = places[i]![j];
      return place === undefined ? { ok: true, size } : hashed[place]!;
    });
    return describe(declared, selection, results, git, lockedOf(i));
  });
  if (options.claimedOnly) return { components, git, files: [], unclaimed: [] };
  const all = await walkTree(folder, {
    skip: (path, isFolder) => isTopGit(path) || ignored(path, isFolder),
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

/** What is to be hashed: a file that several components claim stands there once. */
class HashQueue {
  readonly requests: HashRequest[] = [];
  private readonly places = new Map<string, number>();

  /** The place of a file among the requests. */
  add(file: WalkedFile, mode: HashRequest["mode"]): number {
    const { absolute, size, dev, ino } = file;
    const key = `${mode} ${dev} ${ino} ${size} ${absolute}`;
    const known = this.places.get(key);
    if (known !== undefined) return known;
    this.places.set(key, this.requests.length);
    return this.requests.push({ absolute, size, dev, ino, mode }) - 1;
  }
}

/** Says of a large file whether its size alone tells that it is not the locked one: then its bytes tell no more. */
function differing(locked: LockedComponent | undefined): (file: WalkedFile) => boolean {
  const sizes = new Map(locked?.files.map((leaf) => [leaf.path, isLink(leaf) ? undefined : leaf.size]));
  return ({ path, size }) => size > CHUNK_SIZE && sizes.get(path) !== size;
}

/** The files of every component, in the manifest's order. */
async function selectAll(context: SelectContext): Promise<Selection[]> {
  const selections: Selection[] = [];
  let entries = 0;
  for (const declared of context.declared) {
    const selection = entries > MAX_ENTRIES ? NOTHING : await select(declared, context);
    entries += selection.files.length + selection.links.length;
    if (entries <= MAX_ENTRIES) selections.push(selection);
    else {
      const detail = `more than ${MAX_ENTRIES} files and links in all components`;
      selections.push({ ...NOTHING, problems: [{ path: ".", problem: "too-many", detail }] });
    }
  }
  return selections;
}

const NOTHING: Selection = { files: [], links: [], problems: [], prefix: "" };

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
    ...(selection.beside === undefined ? {} : { beside: selection.beside }),
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
  for (const { declared, prefix, entries, problems, beside = [] } of components) {
    for (const entry of [...entries, ...problems]) claimed.add(prefix + entry.path);
    for (const path of beside) claimed.add(prefix + path);
    if (declared.kind === "image")
      for (const file of ["index.json", "oci-layout"]) claimed.add(prefix + file);
  }
  return claimed;
}

import { lstatSync, mkdirSync, realpathSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { FolderFacts } from "../checks/check.ts";
import { NOTHING_PINNED } from "../checks/check.ts";
import { componentId } from "../core/component.ts";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { LOCK_FILE, releaseOf } from "../core/lock.ts";
import { MANIFEST_FILE } from "../core/manifest.ts";
import type { OciManifest } from "../formats/oci.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { type AgentFolder, openAgentFolder } from "./agent-folder.ts";
import { fetchBlobs } from "./fetch-blobs.ts";
import { fetchEvidence } from "./fetch-evidence.ts";
import { consider, INTEGRITY_CODES, type Judgement, type JudgeOptions, judge } from "./judge.ts";
import { type OpenedImage, resolveImage } from "./open-image.ts";
import { placeRelease } from "./place-release.ts";
import { readRelease } from "./read-release.ts";
import { findTrust } from "./trust-source.ts";

export interface PullOptions extends Omit<JudgeOptions, "folder" | "door"> {
  /** Where the release goes; must not exist. */
  dir: string;
}

/** What `waybill pull` did. */
export interface Pulled {
  digest: Hex;
  release: Hex;
  dir: string;
  /** False where the verdict forbids it: nothing is at `dir` then. */
  placed: boolean;
  /** Of the release's contents, as many as had to be fetched; none where its signatures forbid it already. */
  bytes: number;
  judgement: Judgement;
}

/**
 * Fetches a release into a folder beside its place, each blob checked against the lock while it comes, judges it
 * at the door `pull`, and only then gives it its name. Lock and signatures come first: a release that they do not allow
 * is not fetched. What was fetched stays when the connection breaks or the process is killed, and the next call goes on
 * there.
 *
 * @throws WaybillError WB-INPUT-010 the place is taken, WB-INPUT-006 no release or one that contradicts itself,
 *   WB-STORE-001/002, WB-STORE-004 another process pulls to this place, and as the store and `judge` do
 */
export async function pullRelease(opened: OpenedImage, options: PullOptions): Promise<Pulled> {
  const dir = resolve(options.dir);
  if (lstatSync(dir, { throwIfNoEntry: false }))
    throw new WaybillError("WB-INPUT-010", `${options.dir} exists already`, {
      hint: "choose another folder: --dir DIR",
    });
  const { store } = opened;
  const stored = await resolveImage(opened);
  const release = await readRelease(store, stored);
  const work = openWork(`${dir}.waybill-pull`);
  const { ProcessLock } = await import("../store/process-lock.ts");
  const lock = new ProcessLock(join(work, "lock"), `${dir}.waybill-pull: it pulls to the same place`);
  const tree = join(work, "tree");
  const pulled = { digest: stored.digest, release: releaseOf(release.lock).digest, dir: options.dir };
  try {
    // Of a process that was killed.
    rmSync(tree, { recursive: true, force: true });
    mkdirSync(tree, { mode: 0o755 });
    writeFileAtomic(join(tree, LOCK_FILE), release.lockText);
    writeFileAtomic(join(tree, MANIFEST_FILE), release.manifestText);
    const left = await fetchEvidence(store, stored.digest, tree);
    const agent = openAgentFolder(tree);
    const trust = findTrust(agent.path, options.trust, options.env);
    const at = { ...options, folder: tree, door: "pull" as const };
    const early = await consider(agent, asLocked(agent, release.prefixes), trust, { ...at, unfetched: true });
    let placed = false;
    let bytes = 0;
    let { judgement } = early;
    if (mayGoOn(judgement)) {
      const blobs = join(work, "blobs");
      bytes = await fetchBlobs(store, stored.manifest as OciManifest, release.lock, blobs, options.signal);
      placeRelease(tree, blobs, release);
      judgement = await judge(at);
      placed = judgement.verdict.outcome === "allow";
      if (placed) renameSync(tree, dir);
    } else await early.keep();
    if (left > 0) judgement.verdict.notes.push(`${left} more referrers of the release were not looked at`);
    rmSync(work, { recursive: true, force: true });
    return { ...pulled, placed, bytes, judgement };
  } catch (error) {
    rmSync(tree, { recursive: true, force: true });
    throw storeError(error, options.dir);
  } finally {
    lock.close();
  }
}

/** The folder for what is fetched, made or of an earlier call. */
function openWork(path: string): string {
  makeFolder(path, { mode: 0o700, hint: "check that you may write there" });
  const { uid, mode } = lstatSync(path);
  // Whoever else could write there could change the release after it was judged.
  if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o022) !== 0))
    throw new WaybillError("WB-STORE-001", `${path} is not yours alone`, {
      hint: `find out who made it; then rm -r ${path}, or choose another folder`,
    });
  makeFolder(join(path, "blobs"), { mode: 0o700, hint: "check that you may write there" });
  return realpathSync(path);
}

/** The facts of a folder whose bytes are all the locked ones: what is fetched is compared with the lock. */
function asLocked(agent: AgentFolder, prefixes: ReadonlyMap<string, string>): FolderFacts {
  const { manifest, lock } = agent;
  const components = manifest.manifest.components.map((declared) => {
    const id = componentId(declared);
    const locked = lock!.components.find(({ leaf }) => componentId(leaf) === id);
    return {
      id,
      declared,
      entries: locked?.files ?? [],
      problems: [],
      ...(locked ? { leaf: locked.leaf } : {}),
      sources: new Map<string, string>(),
      prefix: prefixes.get(id) ?? "",
    };
  });
  return {
    manifest,
    lock,
    components,
    texts: [],
    unreadTexts: [],
    unclaimed: [],
    git: { state: "absent", reason: "nothing was fetched" },
    pinned: NOTHING_PINNED,
  };
}

/** Whether nothing but the bytes themselves is still to be asked. */
function mayGoOn({ verdict: { blocking, notEvaluated } }: Judgement): boolean {
  return (
    blocking.length === 0 &&
    notEvaluated.every(({ code, required }) => !required || INTEGRITY_CODES.has(code))
  );
}

function storeError(error: unknown, dir: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (error instanceof WaybillError || code === undefined || syscall === undefined) return error;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new WaybillError(full ? "WB-STORE-002" : "WB-STORE-001", `cannot write ${dir}: ${message}`, {
    hint: "free some space or choose another folder, and run the command again: it goes on where it stopped",
    cause: error,
  });
}

import { isUtf8 } from "node:buffer";
import { join } from "node:path";
import { observe } from "../components/observe.ts";
import { isObservedLink, type ObservedComponent } from "../components/observed.ts";
import { WaybillError } from "../core/errors.ts";
import { encodeLock, LOCK_FILE, type Lock, type LockedComponent, makeLock, parseLock } from "../core/lock.ts";
import { settingsOf } from "../core/settings.ts";
import { isLink, type TreeLeaf } from "../core/tree.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { MAX_PINNED_TEXT, PinnedStore } from "../store/pinned-store.ts";
import { type AgentFolder, openAgentFolder } from "./agent-folder.ts";
import { type FactsOptions, readHead } from "./facts.ts";

/** All texts that are kept to explain later changes, in bytes. */
const MAX_PINNED_TEXTS = 64 << 20;

export const CHECKSUM_FILE = "waybill.sha256sums";

/** What `waybill lock` did. */
export interface LockOutcome {
  lock: Lock;
  /** The lock that was replaced, if it could be read. */
  previous: Lock | undefined;
  /** False when the file already said exactly this. */
  changed: boolean;
  /** Number of files, links included. */
  files: number;
  /** Path of the checksum file, relative to the folder, where one was asked for. */
  checksums?: string;
}

/**
 * Pins every component and the settings into waybill.lock, written whole or not at all.
 *
 * @param folder the agent's folder
 * @throws WaybillError WB-INPUT-011 with every component that cannot be pinned and why, or with why no reader would
 * take the lock; others as `openAgentFolder` and `writeFileAtomic`
 */
export async function lockFolder(
  folder: string,
  options: FactsOptions & { checksums?: boolean },
): Promise<LockOutcome> {
  // A damaged lock is no reason not to write a new one.
  const agent = openAgentFolder(folder, { tolerateLock: true });
  const seen = await observe(agent.path, agent.manifest.manifest, {
    mode: "lock",
    keepChunks: true,
    claimedOnly: true,
    ...options,
  });
  refuseProblems(seen.components, agent);
  const lock = makeLock(
    agent.manifest.manifest.agent,
    settingsOf(agent.manifest.manifest),
    seen.components.map(lockedComponent),
  );
  const text = encodeLock(lock);
  refuseUnreadable(text);
  const changed = agent.lock === undefined || encodeLock(agent.lock) !== text;
  keepPinned(agent.path, seen.components);
  options.signal?.throwIfAborted();
  if (options.checksums) writeFileAtomic(join(agent.path, CHECKSUM_FILE), checksumText(seen.components));
  if (changed) writeFileAtomic(join(agent.path, LOCK_FILE), text);
  return {
    lock,
    previous: agent.lock,
    changed,
    files: lock.components.reduce((sum, c) => sum + c.files.length, 0),
    ...(options.checksums ? { checksums: CHECKSUM_FILE } : {}),
  };
}

function refuseProblems(components: readonly ObservedComponent[], agent: AgentFolder): void {
  const lines = components.flatMap(({ id, declared, prefix, problems }) => {
    const index = agent.manifest.manifest.components.indexOf(declared);
    const at = agent.manifest.source.locate([
      "components",
      index,
      declared.path === undefined ? "paths" : "path",
    ]);
    return problems.map((p) => `${at.file}:${at.line}:${at.column}: ${id}: ${prefix}${p.path}: ${p.detail}`);
  });
  if (lines.length === 0) return;
  const shown = lines.slice(0, 20);
  if (lines.length > 20) shown.push(`… and ${lines.length - 20} more`);
  throw new WaybillError("WB-INPUT-011", shown.join("\n"), {
    hint: "put each right, or take it out of waybill.yaml; nothing was written",
  });
}

/** A lock that is written can be read: what is over a limit of its format is said now, and not at a door. */
function refuseUnreadable(text: string): void {
  try {
    parseLock(text);
  } catch (cause) {
    if (!(cause instanceof WaybillError)) throw cause;
    throw new WaybillError("WB-INPUT-011", `no reader would take the lock: ${cause.message}`, {
      hint: "make what it names smaller, in waybill.yaml or in the folder; nothing was written",
      cause,
    });
  }
}

function lockedComponent(component: ObservedComponent): LockedComponent {
  const { leaf, document } = component;
  if (!leaf) throw new TypeError(`${component.id} has neither a leaf nor a problem`);
  return { leaf, files: leavesOf(component), ...(document === undefined ? {} : { document }) };
}

/** The tree leaves of a component of which every whole-file digest is known. */
function leavesOf(component: ObservedComponent): TreeLeaf[] {
  return component.entries.map((entry) => {
    if (isObservedLink(entry)) return { path: entry.path, link: entry.link };
    const { path, size, executable, chunks, sha256 } = entry;
    if (sha256 === undefined) throw new TypeError(`${path} has no digest`);
    return { path, size, sha256, executable, ...(chunks === undefined ? {} : { chunks }) };
  });
}

/** Keeps chunk hashes and small texts, so that a later change can be shown and not only stated. */
function keepPinned(folder: string, components: readonly ObservedComponent[]): void {
  const store = new PinnedStore(folder);
  let total = 0;
  for (const { entries, sources } of components) {
    for (const entry of entries) {
      if (isObservedLink(entry)) continue;
      if (entry.chunks !== undefined && entry.chunkHashes) store.putChunks(entry.chunks, entry.chunkHashes);
      if (entry.size > MAX_PINNED_TEXT || total + entry.size > MAX_PINNED_TEXTS || !entry.sha256) continue;
      const bytes = readHead(sources.get(entry.path) ?? "", MAX_PINNED_TEXT);
      if (!bytes || !isUtf8(bytes) || bytes.includes(0)) continue;
      total += bytes.length;
      store.putText(entry.sha256, bytes);
    }
  }
}

/** The format of `sha256sum`: a name with a backslash is escaped and its line begins with one (coreutils). */
function checksumText(components: readonly ObservedComponent[]): string {
  const lines = new Map<string, string>();
  for (const component of components)
    for (const leaf of leavesOf(component)) {
      if (isLink(leaf)) continue;
      const path = component.prefix + leaf.path;
      const escaped = path.replaceAll("\\", "\\\\");
      lines.set(path, `${escaped === path ? "" : "\\"}${leaf.sha256}  ${escaped}\n`);
    }
  return [...lines.keys()]
    .toSorted()
    .map((path) => lines.get(path))
    .join("");
}

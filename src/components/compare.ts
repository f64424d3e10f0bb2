import type { LockedComponent } from "../core/lock.ts";
import { safeText } from "../core/safe-text.ts";
import { type FileLeaf, isLink, type TreeLeaf } from "../core/tree.ts";
import { isObservedLink, type ObservedComponent, type ObservedEntry } from "./observed.ts";

/** One path in which a component differs from what was locked. */
export interface Difference {
  /** Inside the component's tree. */
  path: string;
  what: "changed" | "added" | "removed" | "executable" | "link" | "kind";
  locked?: TreeLeaf;
  found?: ObservedEntry;
}

/**
 * Every path in which the files on disk differ from the locked ones. A file over 1 MiB whose whole-file digest
 * was not computed is compared by its chunk root, which is inside the signed leaf.
 */
export function compareEntries(locked: LockedComponent, observed: ObservedComponent): Difference[] {
  // Nothing could be read, and the problem says why: every file missing would only repeat it.
  if (observed.entries.length === 0 && observed.problems.length > 0) return [];
  const differences: Difference[] = [];
  const found = new Map(observed.entries.map((entry) => [entry.path, entry]));
  const problematic = new Set(observed.problems.map((p) => p.path));
  for (const leaf of locked.files) {
    const entry = found.get(leaf.path);
    found.delete(leaf.path);
    if (entry && !problematic.has(leaf.path)) {
      const what = difference(leaf, entry);
      if (what) differences.push({ path: leaf.path, what, locked: leaf, found: entry });
    } else if (!entry && !problematic.has(leaf.path))
      differences.push({ path: leaf.path, what: "removed", locked: leaf });
  }
  for (const entry of found.values())
    if (!problematic.has(safeText(entry.path)))
      differences.push({ path: entry.path, what: "added", found: entry });
  return differences;
}

function difference(leaf: TreeLeaf, entry: ObservedEntry): Difference["what"] | undefined {
  if (isLink(leaf) || isObservedLink(entry)) {
    if (!isLink(leaf) || !isObservedLink(entry)) return "kind";
    return leaf.link === entry.link ? undefined : "link";
  }
  if (leaf.size !== entry.size || !sameBytes(leaf, entry)) return "changed";
  return leaf.executable === entry.executable ? undefined : "executable";
}

function sameBytes(leaf: FileLeaf, entry: { sha256?: string; chunks?: string }): boolean {
  if (leaf.chunks !== entry.chunks) return false;
  if (entry.sha256 === undefined && entry.chunks === undefined) return false;
  return entry.sha256 === undefined || leaf.sha256 === entry.sha256;
}

/** Positions of the 1 MiB chunks whose hashes differ, or undefined where the lists cannot be compared. */
export function changedChunks(
  pinned: Uint8Array | undefined,
  found: Uint8Array | undefined,
): number[] | undefined {
  if (!pinned || !found) return undefined;
  const a = Buffer.from(pinned.buffer, pinned.byteOffset, pinned.byteLength);
  const b = Buffer.from(found.buffer, found.byteOffset, found.byteLength);
  const changed: number[] = [];
  for (let i = 0; i < Math.max(a.length, b.length) / 32; i += 1)
    if (!a.subarray(i * 32, i * 32 + 32).equals(b.subarray(i * 32, i * 32 + 32))) changed.push(i);
  return changed;
}

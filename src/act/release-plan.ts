import { isObservedLink, type ObservedComponent } from "../components/observed.ts";
import { componentId } from "../core/component.ts";
import { encodeLock, LOCK_FILE, type Lock, releaseOf } from "../core/lock.ts";
import { lockContradictions } from "../core/lock-contradictions.ts";
import type { Manifest } from "../core/manifest.ts";
import type { Release } from "../core/release.ts";
import { settingsDigest, settingsOf } from "../core/settings.ts";
import { isLink } from "../core/tree.ts";
import type { Allowed } from "../policy/allowed.ts";
import type { CopyPlan, PlannedFile } from "./copy-plan.ts";

/**
 * Makes the plan of a private copy out of what was verified, and of nothing else: the lock must make the
 * allowed release, the manifest its settings, and every file of it must have been read.
 *
 * @param lock the lock that was verified
 * @param manifest the manifest that was verified
 * @param components the components as they were read
 * @returns the plan, and the command and environment that belong to it
 * @throws TypeError when one of them is not of the allowed release: a bug of the caller
 */
export function planOf(
  allowed: Allowed<Release>,
  lock: Lock,
  { manifest }: { manifest: Manifest },
  components: readonly ObservedComponent[],
): { plan: CopyPlan; start: Manifest["start"] } {
  const { digest, document } = allowed.value;
  // The digest covers the leaves; that the files are theirs is what a lock without contradictions says.
  if (lockContradictions(lock).length > 0) throw new TypeError("the lock contradicts itself");
  if (releaseOf(lock).digest !== digest) throw new TypeError("the lock is of another release");
  if (settingsDigest(settingsOf(manifest)) !== document.settings)
    throw new TypeError("the manifest is of another release");
  const files: PlannedFile[] = [];
  const links: { path: string; link: string }[] = [];
  for (const { leaf: component, files: leaves } of lock.components) {
    // An image is for a cluster to run: no process reads it out of the agent's folder.
    if (component.kind === "image") continue;
    const observed = components.find(({ id }) => id === componentId(component));
    for (const leaf of leaves) {
      const entry = observed?.entries.find(({ path }) => path === leaf.path);
      const source = observed?.sources.get(leaf.path);
      if (!observed || !entry) throw new TypeError(`${leaf.path} was allowed and not read`);
      const path = observed.prefix + leaf.path;
      if (isLink(leaf)) links.push({ path, link: leaf.link });
      else if (source === undefined || isObservedLink(entry)) throw new TypeError(`${path} was not read`);
      else files.push({ ...leaf, path, source });
    }
  }
  const { start } = manifest;
  return {
    plan: {
      releaseDigest: digest,
      files,
      links,
      ...(start.user === undefined ? {} : { user: start.user }),
      // Not the manifest: its comments are under no digest. The lock has one form, and all of it is.
      extra: [{ path: LOCK_FILE, data: encodeLock(lock) }],
    },
    start,
  };
}

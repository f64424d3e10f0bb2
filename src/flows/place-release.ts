import { chmodSync, constants, copyFileSync, linkSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { checkPlan, type PlannedFile } from "../act/copy-plan.ts";
import { isReserved } from "../components/ignore.ts";
import { componentId } from "../core/component.ts";
import { LOCK_FILE, releaseOf } from "../core/lock.ts";
import { MANIFEST_FILE } from "../core/manifest.ts";
import { safeText } from "../core/safe-text.ts";
import { isLink } from "../core/tree.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { judgeLink } from "../hash/links.ts";
import { noRelease, type ReadRelease } from "./read-release.ts";

/**
 * Puts the files of a release where they belong; links come last, when nothing is written through them any more. The
 * blobs stay where they are, under a second name of the same bytes, so that whoever is stopped here begins again from
 * them.
 *
 * @param tree a folder in which nothing but `waybill.*` lies
 * @param blobs the folder of all contents, each under its digest, on the same file system
 * @throws WaybillError WB-INPUT-006 for a lock that names places which no file of an agent may have; nothing is written
 *   then, or nothing but links
 */
export function placeRelease(
  tree: string,
  blobs: string,
  { lock, prefixes, extra }: Pick<ReadRelease, "lock" | "prefixes" | "extra">,
): void {
  const files: PlannedFile[] = [];
  const links: { path: string; link: string }[] = [];
  for (const { leaf: component, files: leaves } of lock.components)
    for (const leaf of leaves) {
      const path = prefixes.get(componentId(component)) + leaf.path;
      // What verification leaves out must not come along unseen: a trust policy, hooks of git.
      if (isReserved(path.toLowerCase()) || path.toLowerCase().split("/")[0] === ".git")
        throw noRelease(`${path} is no place for a file of an agent`);
      if (isLink(leaf)) links.push({ path, link: leaf.link });
      else files.push({ ...leaf, path, source: join(blobs, leaf.sha256) });
    }
  const texts = [LOCK_FILE, MANIFEST_FILE].map((path) => ({ path, data: "" }));
  const reserved = extra.map(({ path, bytes }) => ({ path, data: bytes }));
  const plan = checkPlan({
    releaseDigest: releaseOf(lock).digest,
    files,
    links,
    extra: [...texts, ...reserved],
  });
  if (!plan.ok) throw noRelease(`${plan.path} cannot be placed: ${plan.expected}, ${plan.found}`);
  for (const folder of plan.folders) mkdirSync(join(tree, folder));
  const placed = new Set<string>();
  for (const { path, source, executable } of plan.files) {
    // Two files of one content must not be one file: who writes to the one would change the other.
    place(source, join(tree, path), placed.has(source));
    placed.add(source);
    chmodSync(join(tree, path), executable ? 0o755 : 0o644);
  }
  for (const { path, bytes } of extra) writeFileAtomic(join(tree, path), bytes);
  for (const { path, link } of plan.links) symlinkSync(link, join(tree, path));
  for (const { path } of plan.links) {
    const verdict = judgeLink(join(tree, path), path, { root: tree, hub: false });
    if (verdict.is === "problem") throw noRelease(`the link ${safeText(path)}: ${verdict.detail}`);
  }
}

function place(source: string, target: string, again: boolean): void {
  if (!again)
    try {
      linkSync(source, target);
      return;
    } catch (error) {
      // Not every file system has second names.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS" && code !== "EMLINK") throw error;
    }
  copyFileSync(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
}

import { canonicalJson, type Json } from "./canonical-json.ts";
import { compareComponents, componentId } from "./component.ts";
import { compareUtf8, parseDigest, sha256 } from "./digest.ts";
import { foldName } from "./fold-name.ts";
import { type Lock, type LockedComponent, releaseOf } from "./lock.ts";
import { omsRoot } from "./oms-root.ts";
import type { Settings } from "./settings.ts";
import { CHUNK_SIZE, type FileLeaf, isLink, linkStaysInside, treeDigest, treeSize } from "./tree.ts";

/** One way in which a lock contradicts itself. */
export interface LockContradiction {
  component?: LockedComponent;
  what: string;
  expected: string;
  found: string;
}

/**
 * Recomputes everything in a lock that follows from the rest: order, component digests and sizes from their
 * files, the release digest from all. An empty list means that the lock is consistent; it says nothing of the
 * bytes on disk.
 */
export function lockContradictions(lock: Lock): LockContradiction[] {
  const found: LockContradiction[] = [];
  const say = (
    component: LockedComponent | undefined,
    what: string,
    expected: string,
    actual: string,
  ): void => {
    if (expected !== actual)
      found.push({ ...(component ? { component } : {}), what, expected, found: actual });
  };
  for (let i = 1; i < lock.components.length; i += 1) {
    const [before, after] = [lock.components[i - 1]!, lock.components[i]!];
    if (compareComponents(before.leaf, after.leaf) >= 0)
      say(after, "order of components", "sorted, no duplicates", `${componentId(after.leaf)} out of place`);
  }
  for (const component of lock.components) {
    const { leaf, files } = component;
    for (let i = 1; i < files.length; i += 1)
      if (compareUtf8(files[i - 1]!.path, files[i]!.path) >= 0)
        say(component, "order of files", "sorted, no duplicates", `${files[i]!.path} out of place`);
    for (const [what, expected, actual] of fileContradictions(component))
      say(component, what, expected, actual);
    const { oms, ...others } = leaf.also ?? {};
    const recomputed =
      leaf.kind === "model" ? omsRoot(files.filter((f): f is FileLeaf => !isLink(f))) : undefined;
    const quoted = (root: string | undefined) => (root === undefined ? "none" : `'${root}'`);
    say(component, "OMS root", quoted(recomputed), quoted(oms));
    // Nothing recomputes any other digest, so none counts.
    say(component, "also", "nothing else", Object.keys(others).join(", ") || "nothing else");
    say(component, "size", String(treeSize(files)), String(leaf.size));
    say(component, "digest", componentDigest(component), leaf.digest);
  }
  const [declared, locked] = [declaredIds(lock.settings), lock.components.map(({ leaf }) => pinnedId(leaf))];
  say(undefined, "list of components", declared.join(", "), locked.join(", "));
  if (found.length === 0) say(undefined, "release digest", `sha256:${releaseOf(lock).digest}`, lock.release);
  return found;
}

/** The components that the settings declare, with their origins: exactly these are pinned, in this order. */
function declaredIds(settings: Settings): string[] {
  const { components } = settings;
  if (!Array.isArray(components)) return ["none"];
  return components.map((entry) => {
    const isMapping = typeof entry === "object" && entry !== null && !Array.isArray(entry);
    return isMapping ? pinnedId(entry) : "something that is no component";
  });
}

function pinnedId(of: { kind?: Json; name?: Json; origin?: Json }): string {
  const { kind = null, name = null, origin } = of;
  return canonicalJson(origin === undefined ? [kind, name] : [kind, name, origin]);
}

/** What a component's list of files says that no folder could: what, what would be right, what stands there. */
function fileContradictions({ leaf, files, document }: LockedComponent): [string, string, string][] {
  const found: [string, string, string][] = [];
  if (document !== undefined && leaf.kind !== "tool") found.push(["document", "none", "a document"]);
  const folded = new Map<string, string>();
  const all = new Set(files.map((file) => file.path));
  for (const file of files) {
    const twin = folded.get(foldName(file.path));
    if (twin !== undefined) found.push(["paths", "no two alike", `${twin} and ${file.path}`]);
    folded.set(foldName(file.path), file.path);
    for (let at = file.path.lastIndexOf("/"); at > 0; at = file.path.lastIndexOf("/", at - 1))
      if (all.has(file.path.slice(0, at)))
        found.push(["paths", "a folder or a file", `${file.path.slice(0, at)} is both`]);
    if (isLink(file)) {
      if (!linkStaysInside(file.path, file.link))
        found.push(["link", "inside its tree", `${file.path} -> ${file.link}`]);
      continue;
    }
    const chunked = file.size > CHUNK_SIZE;
    if (chunked !== (file.chunks !== undefined))
      found.push([
        "chunk root",
        chunked ? "one for a file over 1 MiB" : "none for a file up to 1 MiB",
        file.path,
      ]);
    if (leaf.kind === "image" && (file.path !== `blobs/sha256/${file.sha256}` || file.executable))
      found.push([
        "blob",
        `blobs/sha256/${file.sha256}`,
        `${file.path}${file.executable ? ", executable" : ""}`,
      ]);
  }
  return found;
}

/** The digest that a locked component's own record gives: of its files, or of its document. */
function componentDigest({ leaf, files, document }: LockedComponent): string {
  if (leaf.kind === "image") {
    const manifest = parseDigest(leaf.digest)?.hex;
    return files.some((f) => "sha256" in f && f.sha256 === manifest)
      ? leaf.digest
      : "no file is the manifest";
  }
  const tree = files.length === 0 ? "no files" : treeDigest(files);
  if (document === undefined) return leaf.kind === "tool" ? "no document" : tree;
  return document.artifact === tree ? `sha256:${sha256(canonicalJson(document))}` : `artifact ${tree}`;
}

import { isOmsIgnored } from "../core/oms-root.ts";
import type { LinkLeaf } from "../core/tree.ts";
import { linkResolver } from "../core/tree-links.ts";
import { chosenIgnores, type OmsManifest, type OmsResource } from "./oms.ts";
import { SINGLE_FILE } from "./oms-names.ts";

/** A model as it is, as far as a signature is held against it. */
export interface ModelAtHand {
  files: readonly { path: string /** In bytes. */; size: number /** Hex, where known. */; sha256?: string }[];
  links: readonly LinkLeaf[];
  /** True for a model that is one file, under whatever name. */
  isSingleFile: boolean;
  /** The signature's own path in the model, where it lies there. */
  signature?: string | undefined;
  /** Digests of resources that a file's SHA-256 does not answer, by `resourceKey`; else why there is none. */
  computed?: ReadonlyMap<string, string>;
}

/** One path in which a model is not the signed one. */
export interface OmsDifference {
  path: string;
  what: "changed" | "missing" | "unlisted" | "link";
  expected?: string;
  found?: string;
}

/** What holding a signature against a model has shown. */
export interface OmsComparison {
  differences: OmsDifference[];
  /** Files and links that are here and that the signer left out by an `ignore_paths` of their own. */
  ignored: string[];
  /** Paths whose digest is not known, so that they were not compared. */
  unread: string[];
  /** Resources that were compared. */
  compared: number;
}

/** Names a resource: its path, with its range where it has one. */
export function resourceKey({ path, range }: Pick<OmsResource, "path" | "range">): string {
  return range ? `${path}:${range.start}:${range.end}` : path;
}

/** Whether a file's plain SHA-256 answers every resource of a statement. */
export function needsOnlySha256({ method, hashType }: OmsManifest): boolean {
  return method === "files" && hashType === "sha256";
}

/**
 * Holds a signed statement against a model: every resource must be there with its digest, and every file must be
 * a resource, but for git's files at the top, the signature itself, empty files in method `shards`, and what the
 * signer ignored, which is reported. Links count as the files that they lead to where the statement allows links.
 */
export function compareOms(manifest: OmsManifest, model: ModelAtHand): OmsComparison {
  const result: OmsComparison = { differences: [], ignored: [], unread: [], compared: 0 };
  const files = new Map(model.files.map((file) => [file.path, file]));
  const resolve = linkResolver([
    ...model.links,
    ...model.files.map(({ path, size }) => ({ path, size, sha256: "", executable: false })),
  ]);
  const links = new Map(model.links.map((link) => [link.path, link]));
  const listed = new Set<string>();
  const only = model.isSingleFile ? model.files[0]?.path : undefined;

  for (const [path, shards] of Map.groupBy(manifest.resources, (resource) => resource.path)) {
    let at = path === SINGLE_FILE && only !== undefined ? only : path;
    listed.add(at);
    if (links.has(at)) {
      const target = manifest.allowSymlinks ? resolve(at) : undefined;
      if (target?.is !== "file") {
        result.differences.push({ path: at, what: "link", found: `link to ${links.get(at)!.link}` });
        continue;
      }
      at = target.path;
    }
    const file = files.get(at);
    if (!file) result.differences.push({ path, what: "missing" });
    else compareFile(shards, file, at, { manifest, model, result });
  }

  const ignores = new Set(chosenIgnores(manifest).map((path) => path.replace(/\/$/, "")));
  for (const path of [...files.keys(), ...links.keys()]) {
    if (listed.has(path) || path === model.signature || isOmsIgnored(path)) continue;
    if (isAtOrBelow(path, ignores)) {
      result.ignored.push(path);
      continue;
    }
    if (manifest.method === "shards" && files.get(path)?.size === 0) continue;
    // A folder's files stand under their own paths.
    if (manifest.allowSymlinks && links.has(path) && resolve(path)?.is === "folder") continue;
    result.differences.push({ path, what: "unlisted" });
  }
  return result;
}

function isAtOrBelow(path: string, folders: ReadonlySet<string>): boolean {
  for (let at = path.length; at > 0; at = path.lastIndexOf("/", at - 1))
    if (folders.has(path.slice(0, at))) return true;
  return false;
}

function compareFile(
  shards: readonly OmsResource[],
  file: ModelAtHand["files"][number],
  at: string,
  { manifest, model, result }: { manifest: OmsManifest; model: ModelAtHand; result: OmsComparison },
): void {
  const path = shards[0]!.path;
  const end = shards.reduce((most, { range }) => Math.max(most, range?.end ?? 0), 0);
  if (manifest.method === "shards" && end !== file.size) {
    result.differences.push({
      path,
      what: "changed",
      expected: `${end} bytes`,
      found: `${file.size} bytes`,
    });
    return;
  }
  for (const shard of shards) {
    const found = needsOnlySha256(manifest)
      ? file.sha256
      : model.computed?.get(resourceKey({ ...shard, path: at }));
    if (found === undefined) {
      result.unread.push(resourceKey(shard));
      continue;
    }
    result.compared += 1;
    if (found === shard.digest) continue;
    const { hashType } = manifest;
    const range = shard.range ? `  bytes ${shard.range.start} to ${shard.range.end}` : "";
    result.differences.push({
      path,
      what: "changed",
      expected: `${hashType}:${shard.digest}${range}`,
      found: /^[0-9a-f]+$/.test(found) ? `${hashType}:${found}${range}` : found,
    });
    return;
  }
}

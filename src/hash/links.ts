import { type BigIntStats, lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, posix, relative, resolve, sep } from "node:path";
import { decodeName, escapeBytes, hasControl } from "./names.ts";

/** What a symbolic link is in its tree: a leaf of its own, a hub blob's stand-in, or something wrong. */
export type LinkVerdict =
  /** `link`: the target as stored; `target`: where it really leads, relative to the root, POSIX. */
  | { is: "link"; link: string; target: string }
  | { is: "blob"; absolute: string; stat: BigIntStats }
  | {
      is: "problem";
      problem: "not-utf8" | "bad-name" | "link-escapes" | "link-broken" | "link-cycle" | "unreadable";
      detail: string;
    };

/** The tree that a link lies in: its real path, and whether links into a hub cache's blobs stand for them. */
export interface LinkTree {
  root: string;
  hub: boolean;
}

/**
 * The repository folder (`…/models--ORG--NAME`) of a real path at or below `snapshots/REV` in a Hugging Face
 * hub cache, else undefined. The innermost one counts, so that a cache inside a cache cannot borrow the outer
 * one's blobs. Layout: huggingface_hub's documentation, "Understand caching".
 */
export function hubRepository(realPath: string): string | undefined {
  const match = /^(.*\/(?:models|datasets|spaces)--[^/]+)\/snapshots\/[^/]+(?:\/.*)?$/.exec(
    posixPath(realPath),
  );
  return match?.[1];
}

/**
 * Judges one symbolic link without following it for anything but its own path. Takes the link's absolute path
 * (no links among its parents), its POSIX path in the tree, and the tree.
 */
export function judgeLink(absolute: string, path: string, tree: LinkTree): LinkVerdict {
  try {
    const bytes = readlinkSync(absolute, { encoding: "buffer" });
    const stored = decodeName(bytes);
    if (stored === undefined) return wrong("not-utf8", `its target ${escapeBytes(bytes)} is not UTF-8`);
    if (hasControl(stored)) return wrong("bad-name", "its target holds a control character");
    const blob = hubBlob(absolute, stored, tree);
    if (blob) return blob;

    // As text first: an absolute target may be inside today, but it would not be in the next folder.
    const link = posixPath(stored);
    if (isAbsolute(stored)) return wrong("link-escapes", `its target ${link} is absolute`);
    const lexical = posix.join(posix.dirname(path), link);
    if (lexical === ".." || lexical.startsWith("../")) return wrong("link-escapes", leaves(link));
    // Then as the kernel walks it: a parent in the target's path may itself be a link.
    const target = posixPath(relative(tree.root, realpathSync.native(absolute)));
    if (target === ".." || target.startsWith("../") || isAbsolute(target)) {
      return wrong("link-escapes", leaves(link));
    }
    return { is: "link", link, target };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return wrong("link-broken", "its target does not exist");
    if (code === "ELOOP") return wrong("link-cycle", "its target leads back to itself");
    if (code === undefined) throw error;
    return wrong("unreadable", message);
  }
}

/** The blob that a snapshot's link stands for: a regular file directly in its own repository's `blobs/`. */
function hubBlob(absolute: string, stored: string, tree: LinkTree): LinkVerdict | undefined {
  const repository = tree.hub ? hubRepository(dirname(absolute)) : undefined;
  if (repository === undefined) return undefined;
  const named = resolve(dirname(absolute), stored);
  // `blobs` may not be a link to elsewhere, nor the blob itself: only its real place counts.
  const blobs = join(repository, "blobs");
  const target = join(realpathSync.native(dirname(named)), basename(named));
  if (dirname(target) !== blobs) return undefined;
  const stat = lstatSync(target, { bigint: true });
  return stat.isFile() ? { is: "blob", absolute: target, stat } : undefined;
}

function leaves(link: string): string {
  return `its target ${link} is outside of the tree`;
}

function wrong(problem: Extract<LinkVerdict, { is: "problem" }>["problem"], detail: string): LinkVerdict {
  return { is: "problem", problem, detail };
}

function posixPath(path: string): string {
  return sep === "/" ? path : path.replaceAll(sep, "/");
}

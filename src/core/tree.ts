import { canonicalJson } from "./canonical-json.ts";
import { compareUtf8, type Digest } from "./digest.ts";
import { leafHash, merkleRoot } from "./merkle.ts";

/** Size of a chunk of the chunk tree, in bytes; only files larger than one chunk have such a tree. */
export const CHUNK_SIZE = 1 << 20;

/** Tag of chunk leaves, so that no chunk can stand for a leaf of another tree. */
export const CHUNK_TAG = "waybill-chunk";

/** A regular file of a tree (docs/formats/tree.md). */
export interface FileLeaf {
  /** POSIX path relative to the tree's root, as stored. */
  path: string;
  /** In bytes. */
  size: number;
  /** SHA-256 of the whole file, hex. */
  sha256: string;
  /** The owner's x bit. */
  executable: boolean;
  /** Root of the chunk tree, hex, for files over 1 MiB. */
  chunks?: string;
}

/** A symbolic link that stays inside its tree. */
export interface LinkLeaf {
  path: string;
  link: string;
}

export type TreeLeaf = FileLeaf | LinkLeaf;

/** True for the leaf of a symbolic link. */
export function isLink(leaf: TreeLeaf): leaf is LinkLeaf {
  return "link" in leaf;
}

/** The bytes of one tree leaf: RFC 8785 of exactly its defined fields. */
export function encodeTreeLeaf(leaf: TreeLeaf): string {
  if (isLink(leaf)) return canonicalJson({ path: leaf.path, link: leaf.link });
  return canonicalJson({
    path: leaf.path,
    size: leaf.size,
    sha256: leaf.sha256,
    executable: leaf.executable,
    ...(leaf.chunks === undefined ? {} : { chunks: leaf.chunks }),
  });
}

/**
 * Digest of a file tree: the RFC 6962 root over its leaves in the order of their paths' UTF-8 bytes.
 * Takes the leaves in any order, and at least one; throws a RangeError for none, since an empty tree has no
 * digest.
 */
export function treeDigest(leaves: readonly TreeLeaf[]): Digest {
  if (leaves.length === 0) throw new RangeError("an empty tree has no digest");
  const hashes = leaves
    .toSorted((a, b) => compareUtf8(a.path, b.path))
    .map((leaf) => leafHash(Buffer.from(encodeTreeLeaf(leaf))));
  return `waybill-tree-v1:${Buffer.from(merkleRoot(hashes)).toString("hex")}`;
}

/** Sum of the sizes of a tree's files, in bytes. */
export function treeSize(leaves: readonly TreeLeaf[]): number {
  return leaves.reduce((sum, leaf) => sum + (isLink(leaf) ? 0 : leaf.size), 0);
}

/** Segments of a path at most: 256 folders within folders, and the file. */
const MAX_SEGMENTS = 257;

/**
 * Says why a path cannot stand in a tree, or undefined: absolute, `.` or `..` segments, empty segments, more than
 * 257 segments, backslash-free POSIX is assumed, control characters, unpaired surrogates.
 */
export function pathProblem(path: string): string | undefined {
  if (path === "") return "empty";
  if (!path.isWellFormed()) return "not well-formed Unicode";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return "holds a control character";
  if (path.startsWith("/")) return "absolute";
  const segments = path.split("/");
  if (segments.length > MAX_SEGMENTS) return `deeper than ${MAX_SEGMENTS - 1} folders`;
  for (const segment of segments) {
    if (segment === "") return "holds an empty segment";
    if (segment === "." || segment === "..") return `holds a '${segment}' segment`;
  }
  return undefined;
}

/** True for a link target that, read as text, stays inside the tree that holds the link at `path`. */
export function linkStaysInside(path: string, link: string): boolean {
  if (link.startsWith("/")) return false;
  const at = path.split("/").slice(0, -1);
  for (const segment of link.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") at.push(segment);
    else if (at.pop() === undefined) return false;
  }
  return true;
}

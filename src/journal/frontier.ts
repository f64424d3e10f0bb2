import { type Hash, merkleRoot, nodeHash } from "../core/merkle.ts";

/** Hashes in a full tile (C2SP tlog-tiles). */
const WIDTH = 256;

/** A node that came to be complete, counted from the left among the nodes of its level. */
export interface CompletedNode {
  level: number;
  index: number;
  hash: Hash;
}

/**
 * The right edge of a tree, as tiles cut it: for each level the hashes of its last tile, unless that is full. It is
 * all that is needed to append leaves and to know the root: at most 255 hashes a level.
 */
export class Frontier {
  #size: number;
  readonly #levels: Hash[][];

  /**
   * @param size leaves of the tree
   * @param levels for each level the hashes of its last, incomplete tile, which may be none
   * @throws RangeError when their numbers are not those of a tree of this size
   */
  constructor(size = 0, levels: readonly (readonly Hash[])[] = []) {
    this.#size = size;
    this.#levels = levels.map((hashes) => [...hashes]);
    for (let level = 0, count = size; level < levels.length || count > 0; level += 1) {
      if ((levels[level]?.length ?? 0) !== count % WIDTH)
        throw new RangeError("not the edge of a tree of this size");
      count = Math.floor(count / WIDTH);
    }
  }

  get size(): number {
    return this.#size;
  }

  /** Appends one leaf hash; gives the nodes above level 0 that it completes, from the lowest up. */
  push(leaf: Hash): CompletedNode[] {
    const completed: CompletedNode[] = [];
    this.#size += 1;
    let hash = leaf;
    for (let level = 0, count = this.#size; ; level += 1) {
      this.#levels[level] ??= [];
      const hashes = this.#levels[level]!;
      hashes.push(hash);
      if (hashes.length < WIDTH) return completed;
      hash = merkleRoot(hashes);
      this.#levels[level] = [];
      count /= WIDTH;
      completed.push({ level: level + 1, index: count - 1, hash });
    }
  }

  /** The root over all leaves (RFC 6962 §2.1). */
  root(): Hash {
    let right: Hash | undefined;
    for (const hashes of this.#levels)
      for (const peak of peaks(hashes).reverse()) right = right === undefined ? peak : nodeHash(peak, right);
    return right ?? merkleRoot([]);
  }

  /** A copy that can grow apart. */
  copy(): Frontier {
    return new Frontier(this.#size, this.#levels);
  }
}

/** The roots of the perfect subtrees of a list of hashes, the largest first. */
function peaks(hashes: readonly Hash[]): Hash[] {
  const roots: Hash[] = [];
  let start = 0;
  for (let width = WIDTH / 2; width >= 1; width /= 2) {
    if ((hashes.length & width) === 0) continue;
    roots.push(merkleRoot(hashes.slice(start, start + width)));
    start += width;
  }
  return roots;
}

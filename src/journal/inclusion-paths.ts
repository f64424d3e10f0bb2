import { HASH_SIZE, type Hash, nodeHash } from "../core/merkle.ts";
import { TILE_HEIGHT, TILE_WIDTH, tileWidth } from "../core/tlog-tiles.ts";

/** Tiles whose inner nodes are kept, 16 KiB each. */
const KEPT = 256;

/**
 * Makes many inclusion proofs (RFC 6962 §2.1.1) in one tree, hashing each tile once: a batch of appends wants
 * hundreds out of the same few tiles. Nothing is authenticated: verify each proof against a signed root.
 */
export class InclusionPaths {
  readonly #size: number;
  readonly #read: (level: number, index: number, width: number) => Uint8Array | undefined;
  readonly #tiles = new Map<string, Hash[][]>();

  /** @param read gives the bytes of a hash tile of the tree of `size` leaves, or undefined */
  constructor(size: number, read: (level: number, index: number, width: number) => Uint8Array | undefined) {
    this.#size = size;
    this.#read = read;
  }

  /** The siblings from leaf `index` up to the root; undefined when a tile is missing or too short. */
  path(index: number): Hash[] | undefined {
    const path: Hash[] = [];
    let [start, end] = [0, this.#size];
    while (end - start > 1) {
      const middle = start + split(end - start);
      const sibling = index < middle ? this.#range(middle, end) : this.#range(start, middle);
      if (sibling === undefined) return undefined;
      path.push(sibling);
      if (index < middle) end = middle;
      else start = middle;
    }
    return path.reverse();
  }

  /** MTH(D[start:end]), folded from its perfect subtrees. */
  #range(start: number, end: number): Hash | undefined {
    const peaks: Hash[] = [];
    for (let at = start; at < end; ) {
      let height = 0;
      while (2 ** (height + 1) <= end - at) height += 1;
      const peak = this.#perfect(height, at / 2 ** height);
      if (peak === undefined) return undefined;
      peaks.push(peak);
      at += 2 ** height;
    }
    return peaks.reduceRight((right, left) => nodeHash(left, right));
  }

  /** Node `index` of a height, counted from the left. */
  #perfect(height: number, index: number): Hash | undefined {
    const inTile = height % TILE_HEIGHT;
    const perTile = TILE_WIDTH / 2 ** inTile;
    return this.#rows((height - inTile) / TILE_HEIGHT, Math.floor(index / perTile))?.[inTile]?.[
      index % perTile
    ];
  }

  /** The nodes of a tile, row by row from the bottom up. */
  #rows(level: number, index: number): Hash[][] | undefined {
    const key = `${level}/${index}`;
    const kept = this.#tiles.get(key);
    if (kept !== undefined) return kept;
    const width = tileWidth(level, index, this.#size);
    const bytes = width > 0 ? this.#read(level, index, width) : undefined;
    if (bytes === undefined || bytes.length < width * HASH_SIZE) return undefined;
    const rows = [
      Array.from({ length: width }, (_, i): Hash => bytes.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE)),
    ];
    for (let row = rows[0]!; row.length > 1; row = rows.at(-1)!)
      rows.push(
        Array.from({ length: Math.floor(row.length / 2) }, (_, i) => nodeHash(row[2 * i]!, row[2 * i + 1]!)),
      );
    const oldest = this.#tiles.size >= KEPT ? this.#tiles.keys().next().value : undefined;
    if (oldest !== undefined) this.#tiles.delete(oldest);
    this.#tiles.set(key, rows);
    return rows;
  }
}

/** The largest power of two smaller than n, for n from 2 on. */
function split(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

import { EMPTY_ROOT, HASH_SIZE, type Hash, nodeHash } from "./merkle.ts";
import { hashesAt, hashInTile, hashOverTile, TILE_HEIGHT, TILE_WIDTH, tileWidth } from "./tlog-tiles.ts";

/**
 * Gets the bytes of a hash tile; undefined where there is none. It is not trusted: whatever it gives is compared
 * with the checkpoint's root. What it throws goes to the caller of the tree.
 */
export type TileReader = (
  level: number,
  index: number,
  width: number,
) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** Why nothing can be said about the tree, for people. */
export interface TileProblem {
  problem: string;
}

/** Tiles that one tree keeps, 8 KiB each. */
const CACHED_TILES = 512;

/** Carries a problem up to the public method that returns it. */
class Unauthentic extends Error {}

/**
 * The tree of `size` leaves with this root, read out of tiles (https://c2sp.org/tlog-tiles) in O(log n) reads a
 * question. Every tile is authenticated before a hash of it is used: the partial tiles together give the root, and
 * the root over a full tile is a hash in an authenticated tile one level above.
 *
 * @param root the root of a checkpoint that was verified
 * @returns the tree, once its right edge is read and gives the root
 */
export async function openTileTree(
  read: TileReader,
  { size, root }: { size: number; root: Hash },
): Promise<TileTree | TileProblem> {
  const tree = new TileTree(read, size);
  return tree.open(root);
}

/** A tree whose tiles are authenticated as they are read; made by openTileTree alone. */
export class TileTree {
  readonly size: number;
  private readonly read: TileReader;
  private readonly tiles = new Map<string, Uint8Array>();
  private readonly edge = new Map<number, Uint8Array>();

  constructor(read: TileReader, size: number) {
    this.read = read;
    this.size = size;
  }

  /** Reads and authenticates the partial tiles: they hold the root of each perfect subtree on the right edge. */
  open(root: Hash): Promise<TileTree | TileProblem> {
    return attempt(async () => {
      for (let level = 0; hashesAt(level, this.size) > 0; level += 1) {
        const index = Math.floor(hashesAt(level, this.size) / TILE_WIDTH);
        const width = tileWidth(level, index, this.size);
        if (width > 0) this.edge.set(level, await this.fetch(level, index, width));
      }
      if (!equal(await this.range(0, this.size), root)) {
        throw new Unauthentic(`the tiles of the right edge do not give the root of size ${this.size}`);
      }
      return this;
    });
  }

  /** The hash of leaf `index`. */
  leaf(index: number): Promise<Hash | TileProblem> {
    return attempt(() => {
      this.mustHave(index, this.size - 1);
      return this.perfect(0, index);
    });
  }

  /** The root of the tree when it had `size` leaves, 0 up to now. */
  rootAt(size: number): Promise<Hash | TileProblem> {
    return attempt(() => {
      this.mustHave(size, this.size);
      return this.range(0, size);
    });
  }

  /** The hash of leaf `index` and PATH(index, D[n]) of RFC 6962 §2.1.1, for verifyInclusion. */
  inclusion(index: number): Promise<{ leafHash: Hash; proof: Hash[] } | TileProblem> {
    return attempt(async () => {
      this.mustHave(index, this.size - 1);
      let [start, end] = [0, this.size];
      const path: Hash[] = [];
      while (end - start > 1) {
        const middle = start + split(end - start);
        if (index < middle) {
          path.push(await this.range(middle, end));
          end = middle;
        } else {
          path.push(await this.range(start, middle));
          start = middle;
        }
      }
      return { leafHash: await this.perfect(0, index), proof: path.reverse() };
    });
  }

  /**
   * The root of the tree of `oldSize` leaves, 1 up to now, and PROOF(oldSize, D[n]) of RFC 6962 §2.1.2, for
   * verifyConsistency.
   */
  consistency(oldSize: number): Promise<{ root: Hash; proof: Hash[] } | TileProblem> {
    return attempt(async () => {
      this.mustHave(oldSize - 1, this.size - 1);
      let [start, end] = [0, this.size];
      const path: Hash[] = [];
      while (oldSize < end) {
        const middle = start + split(end - start);
        if (oldSize <= middle) {
          path.push(await this.range(middle, end));
          end = middle;
        } else {
          path.push(await this.range(start, middle));
          start = middle;
        }
      }
      if (start > 0) path.push(await this.range(start, end));
      return { root: await this.range(0, oldSize), proof: path.reverse() };
    });
  }

  private mustHave(value: number, last: number): void {
    if (!Number.isSafeInteger(value) || value < 0 || value > last)
      throw new Unauthentic(`the tree of ${this.size} leaves has nothing there`);
  }

  /** MTH(D[start:end]); [start, end) is a subtree as RFC 6962 splits trees: start is a multiple of a power of two >= end - start. */
  private async range(start: number, end: number): Promise<Hash> {
    if (start === end) return EMPTY_ROOT;
    const peaks: Hash[] = [];
    for (let at = start; at < end; ) {
      let height = 0;
      while (2 ** (height + 1) <= end - at) height += 1;
      peaks.push(await this.perfect(height, at / 2 ** height));
      at += 2 ** height;
    }
    return peaks.reduceRight((right, left) => nodeHash(left, right));
  }

  /** The root of perfect subtree number `index` of a height: MTH(D[index * 2^height : (index + 1) * 2^height]). */
  private async perfect(height: number, index: number): Promise<Hash> {
    const level = Math.floor(height / TILE_HEIGHT);
    const count = 2 ** (height % TILE_HEIGHT);
    const first = index * count;
    const tile = await this.tile(level, Math.floor(first / TILE_WIDTH));
    return hashOverTile(tile, first % TILE_WIDTH, count);
  }

  /** An authenticated tile. */
  private async tile(level: number, index: number): Promise<Uint8Array> {
    const width = tileWidth(level, index, this.size);
    // Only the last tile of a level is partial, and it was read by open().
    if (width < TILE_WIDTH) return this.edge.get(level)!;
    const key = `${level}/${index}`;
    const cached = this.tiles.get(key);
    if (cached !== undefined) return cached;
    const above = await this.tile(level + 1, Math.floor(index / TILE_WIDTH));
    const tile = await this.fetch(level, index, TILE_WIDTH);
    if (!equal(hashOverTile(tile), hashInTile(above, index % TILE_WIDTH)))
      throw new Unauthentic(`tile ${index} of level ${level} does not belong to the tree`);
    const oldest = this.tiles.size >= CACHED_TILES ? this.tiles.keys().next().value : undefined;
    if (oldest !== undefined) this.tiles.delete(oldest);
    this.tiles.set(key, tile);
    return tile;
  }

  /** The bytes of a tile, as long as they must be. A log may drop a partial tile once the full one is there. */
  private async fetch(level: number, index: number, width: number): Promise<Uint8Array> {
    const exact = await this.read(level, index, width);
    const bytes = exact ?? (width < TILE_WIDTH ? await this.read(level, index, TILE_WIDTH) : undefined);
    if (bytes === undefined) throw new Unauthentic(`tile ${index} of level ${level} is missing`);
    if (bytes.length !== (exact === undefined ? TILE_WIDTH : width) * HASH_SIZE)
      throw new Unauthentic(`tile ${index} of level ${level} has ${bytes.length} bytes`);
    // A copy: the reader may use its buffer again.
    return Uint8Array.from(bytes.subarray(0, width * HASH_SIZE));
  }
}

async function attempt<T>(work: () => T | Promise<T>): Promise<T | TileProblem> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Unauthentic) return { problem: error.message };
    throw error;
  }
}

/** The largest power of two smaller than n, for n from 2 to 2^53. */
function split(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

/** Roots are public: no need for constant time. */
function equal(a: Hash, b: Hash): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

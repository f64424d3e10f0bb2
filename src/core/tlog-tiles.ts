import { HASH_SIZE, type Hash, nodeHash } from "./merkle.ts";

// Where the hashes and entries of a log lie: https://c2sp.org/tlog-tiles. Reading trees out of tiles: tile-tree.ts.

/** Levels of the tree that one tile spans. */
export const TILE_HEIGHT = 8;

/** Hashes in a full tile, entries in a full bundle. */
export const TILE_WIDTH = 256;

/** Longest entry, in bytes: its length is a uint16. */
export const MAX_ENTRY = 0xffff;

/** Largest entry bundle, in bytes. */
export const MAX_BUNDLE = TILE_WIDTH * (2 + MAX_ENTRY);

/** One tile of hashes, or one bundle of entries. */
export interface TileAddress {
  /** 0 holds the leaf hashes, each further level the roots of the full tiles below it. */
  level: number | "entries";
  /** Its place within the level, 0 to 2^53 - 1. */
  index: number;
  /** Hashes or entries in it: 1 to 256; under 256 it is partial. */
  width: number;
}

/** The path below the log's prefix: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`. */
export function tilePath({ level, index, width }: TileAddress): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.{3}/g)!;
  const last = groups.pop();
  const partial = width === TILE_WIDTH ? "" : `.p/${width}`;
  return `tile/${level}/${groups.map((group) => `x${group}/`).join("")}${last}${partial}`;
}

/** Reads such a path strictly: level 0 to 63, width 1 to 255, only the spelling that tilePath gives. */
export function parseTilePath(path: string): TileAddress | { problem: string } {
  const match = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(
    path,
  );
  if (match === null) return { problem: "not the path of a tile" };
  const level = match[1] === "entries" ? "entries" : Number(match[1]);
  const index = Number(match[2]!.replace(/[x/]/g, ""));
  const width = match[3] === undefined ? TILE_WIDTH : Number(match[3]);
  if (level !== "entries" && level > 63) return { problem: "a level is 0 to 63" };
  if (!Number.isSafeInteger(index)) return { problem: "the index is above 2^53 - 1" };
  if (match[3] !== undefined && (width < 1 || width >= TILE_WIDTH))
    return { problem: "a partial tile has a width of 1 to 255" };
  const address: TileAddress = { level, index, width };
  return tilePath(address) === path ? address : { problem: "not the shortest spelling of the path" };
}

/** How many hashes the tree of `size` leaves has at a tile level: floor(size / 256^level). */
export function hashesAt(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

/** Width of a tile (or of an entry bundle, as level 0) in the tree of `size` leaves; 0 where it has none. */
export function tileWidth(level: number, index: number, size: number): number {
  return Math.max(0, Math.min(TILE_WIDTH, hashesAt(level, size) - index * TILE_WIDTH));
}

/** Every hash tile of the tree of `size` leaves, level by level, left to right; at most one of a level partial. */
export function hashTiles(size: number): Generator<TileAddress & { level: number }> {
  return newHashTiles(0, size);
}

/** The hash tiles to be written when a tree of `oldSize` leaves grows to `size`, level by level, left to right. */
export function* newHashTiles(oldSize: number, size: number): Generator<TileAddress & { level: number }> {
  for (let level = 0; hashesAt(level, size) > 0; level += 1) yield* grown(level, level, oldSize, size);
}

/** The entry bundles to be written when a log of `oldSize` entries (0: all of them) grows to `size`. */
export function newEntryBundles(
  oldSize: number,
  size: number,
): Generator<TileAddress & { level: "entries" }> {
  return grown("entries", 0, oldSize, size);
}

function* grown<Level extends TileAddress["level"]>(
  level: Level,
  height: number,
  oldSize: number,
  size: number,
): Generator<TileAddress & { level: Level }> {
  const [before, count] = [hashesAt(height, oldSize), hashesAt(height, size)];
  if (count <= before) return;
  for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < count; index += 1)
    yield { level, index, width: tileWidth(height, index, size) };
}

/** Hash number `i` of a tile, 32 bytes; a view, not a copy. */
export function hashInTile(tile: Uint8Array, i: number): Hash {
  return tile.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE);
}

/**
 * The root over hashes `start` to `start + count` of a tile, as MTH of RFC 6962 over them; `count` is a power of
 * two. Over all 256 it is the hash that stands for the tile one level above.
 */
export function hashOverTile(tile: Uint8Array, start = 0, count = TILE_WIDTH): Hash {
  if (count === 1) return hashInTile(tile, start);
  const half = count / 2;
  return nodeHash(hashOverTile(tile, start, half), hashOverTile(tile, start + half, half));
}

/**
 * An entry bundle: the entries, each with its length before it as a big-endian uint16.
 *
 * @param entries at most 256
 * @throws RangeError for more, or for an entry of more than 65,535 bytes
 */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Buffer {
  if (entries.length > TILE_WIDTH) throw new RangeError(`a bundle holds at most ${TILE_WIDTH} entries`);
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > MAX_ENTRY) throw new RangeError(`an entry has at most ${MAX_ENTRY} bytes`);
      return [Uint8Array.of(entry.length >> 8, entry.length & 0xff), entry];
    }),
  );
}

/**
 * Reads an entry bundle: exactly `width` entries (1 to 256) and nothing after them. The entries are views into
 * `bytes`, not copies.
 */
export function parseEntryBundle(bytes: Uint8Array, width: number): Uint8Array[] | { problem: string } {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (entries.length < width) {
    if (at + 2 > bytes.length)
      return { problem: `the bundle ends after ${entries.length} of ${width} entries` };
    const end = at + 2 + (bytes[at]! * 256 + bytes[at + 1]!);
    if (end > bytes.length) return { problem: `entry ${entries.length} of the bundle is cut off` };
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return at === bytes.length ? entries : { problem: `the bundle goes on after its ${width} entries` };
}

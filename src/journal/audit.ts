import { HASH_SIZE, type Hash, leafHash, RootAccumulator } from "../core/merkle.ts";
import {
  hashInTile,
  hashOverTile,
  newEntryBundles,
  parseEntryBundle,
  parseTilePath,
  TILE_WIDTH,
  type TileAddress,
  tilePath,
  tileWidth,
} from "../core/tlog-tiles.ts";

/** Gets the bytes at a path below the log's prefix, such as `tile/0/000.p/5`; undefined where there are none. */
export type LogReader = (path: string) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** One thing that is wrong with a log. */
export interface AuditProblem {
  /** The file that is wrong; the bundle where nobody can tell whether it or its tile is. */
  path: string;
  /** Index of the entry, where one alone is wrong. */
  entry?: number;
  problem: string;
}

export interface Audit {
  /** Entries that were read and hashed. */
  entries: number;
  /** At most 1,000; a log that is all wrong is not held in memory. */
  problems: AuditProblem[];
  /** Problems that were found, also those that are not in the list. */
  found: number;
  /** Of the paths that were given: tiles of a larger tree than the checkpoint's. A crash may have left them. */
  beyond: string[];
}

const MAX_PROBLEMS = 1000;

/**
 * Audits a whole tile log (https://c2sp.org/tlog-tiles), of whatever origin, against a checkpoint that was
 * verified: every entry is hashed (RFC 6962), every tile must be what the entries give, and so must the root. One
 * bundle, one tile a level and the older partial files of one tile are in memory at a time.
 *
 * @param read gives the files; what it throws goes to the caller
 * @param checkpoint size and root of the tree that the log is to hold
 * @param options `paths`: every file below `tile/` that the log holds, so that older partial tiles and bundles are
 *   compared too and strange ones are reported. `onEntry`: called for each entry in order; the bytes are valid
 *   until it returns
 */
export async function auditTiles(
  read: LogReader,
  checkpoint: { size: number; root: Hash },
  options: {
    paths?: Iterable<string>;
    onEntry?: (entry: Uint8Array, index: number, leafHash: Hash) => void | Promise<void>;
  } = {},
): Promise<Audit> {
  const audit = new TileAudit(read, checkpoint);
  audit.sort(options.paths ?? []);
  for (const bundle of newEntryBundles(0, checkpoint.size)) await audit.bundle(bundle, options.onEntry);
  await audit.finish();
  return audit.result;
}

/** A row of hashes that will be a tile: as the entries give them, and as the stored tiles below do. */
interface Row {
  index: number;
  fromEntries: Hash[];
  fromTiles: Hash[];
}

class TileAudit {
  readonly result: Audit = { entries: 0, problems: [], found: 0, beyond: [] };
  private readonly read: LogReader;
  private readonly size: number;
  private readonly root: Hash;
  /** The unfinished row of each level above 0. */
  private readonly rows = new Map<number, Row>();
  /** Older partial files by the tile they are a part of. */
  private readonly older = new Map<string, TileAddress[]>();
  private readonly entriesRoot = new RootAccumulator();
  private readonly tilesRoot = new RootAccumulator();
  /** Entries that differ from their tile; whose fault it is shows at the end. */
  private readonly disputes: { bundle: string; tile: string; entry: number }[] = [];
  private disputed = 0;

  constructor(read: LogReader, { size, root }: { size: number; root: Hash }) {
    this.read = read;
    this.size = size;
    this.root = root;
  }

  /** Finds out what the files are that the log holds. */
  sort(paths: Iterable<string>): void {
    for (const path of paths) {
      const address = parseTilePath(path);
      if ("problem" in address) {
        this.report({ path, problem: address.problem });
        continue;
      }
      const { level, index, width } = address;
      const needed = tileWidth(level === "entries" ? 0 : level, index, this.size);
      if (width > needed) this.result.beyond.push(path);
      else if (width < needed) {
        const key = `${level}/${index}`;
        const list = this.older.get(key);
        if (list === undefined) this.older.set(key, [address]);
        else list.push(address);
      }
    }
  }

  /** Reads one bundle, its level 0 tile and, where that fills a tile above, this one too. */
  async bundle(
    address: TileAddress,
    onEntry?: (entry: Uint8Array, index: number, leafHash: Hash) => void | Promise<void>,
  ): Promise<void> {
    const { index, width } = address;
    const path = tilePath(address);
    const stored = await this.file(address);
    const tile = await this.tile({ level: 0, index, width });
    const parsed =
      stored === undefined ? { problem: "the bundle is missing" } : parseEntryBundle(stored, width);
    const entries = Array.isArray(parsed) ? parsed : undefined;
    if (!Array.isArray(parsed)) this.report({ path, problem: parsed.problem });
    const row: Row = { index, fromEntries: [], fromTiles: [] };
    for (let i = 0; i < width; i += 1) {
      const entry = index * TILE_WIDTH + i;
      const inTile = tile === undefined ? undefined : hashInTile(tile, i);
      const computed = entries === undefined ? undefined : leafHash(entries[i]!);
      // Where one of the two is missing, which was reported, the other stands in for it.
      const hash = computed ?? inTile ?? new Uint8Array(HASH_SIZE);
      row.fromEntries.push(hash);
      row.fromTiles.push(inTile ?? hash);
      this.entriesRoot.push(hash);
      this.tilesRoot.push(inTile ?? hash);
      if (computed === undefined) continue;
      this.result.entries += 1;
      if (inTile !== undefined && !equal(computed, inTile))
        this.dispute({ bundle: path, tile: tilePath({ level: 0, index, width }), entry });
      await onEntry?.(entries![i]!, entry, computed);
    }
    if (stored !== undefined && entries !== undefined) await this.olderBundles(index, stored, entries, tile);
    await this.olderTiles(0, row);
    if (width === TILE_WIDTH) await this.carry(0, row);
  }

  /** Puts the roots of a full tile, as its two sources give it, into the row above; a full row is a tile again. */
  private async carry(level: number, { index, fromEntries, fromTiles }: Row): Promise<void> {
    const parent = Math.floor(index / TILE_WIDTH);
    const above = this.rows.get(level + 1) ?? { index: parent, fromEntries: [], fromTiles: [] };
    this.rows.set(level + 1, above);
    above.fromEntries.push(hashOverTile(Buffer.concat(fromEntries)));
    above.fromTiles.push(hashOverTile(Buffer.concat(fromTiles)));
    if (above.fromEntries.length < TILE_WIDTH) return;
    this.rows.delete(level + 1);
    await this.carry(level + 1, await this.compare(level + 1, above));
  }

  /**
   * Compares a stored tile above level 0 with what its row says. A hash is right when it follows from the entries
   * or from the stored tile below: where these two differ that was reported, once, further down.
   */
  private async compare(level: number, row: Row): Promise<Row> {
    const address = { level, index: row.index, width: row.fromEntries.length };
    const tile = await this.tile(address);
    if (tile === undefined) return row;
    const stored = row.fromEntries.map((_, i) => hashInTile(tile, i));
    const wrong = stored.findIndex(
      (hash, i) => !equal(hash, row.fromEntries[i]!) && !equal(hash, row.fromTiles[i]!),
    );
    if (wrong >= 0)
      this.report({
        path: tilePath(address),
        problem: `hash ${wrong} of the tile is not that of the entries`,
      });
    const compared = { ...row, fromTiles: stored };
    await this.olderTiles(level, compared);
    return compared;
  }

  /** Compares the partial tiles of the upper levels and the root, and says whose fault the differences are. */
  async finish(): Promise<void> {
    for (const [level, row] of this.rows) await this.compare(level, row);
    const entriesHold = equal(this.entriesRoot.root(), this.root);
    const tilesHold = equal(this.tilesRoot.root(), this.root);
    for (const { bundle, tile, entry } of this.disputes) {
      if (entriesHold) this.add({ path: tile, entry, problem: `hash ${entry} is not that of the entry` });
      else if (tilesHold) this.add({ path: bundle, entry, problem: `entry ${entry} is not the one logged` });
      else this.add({ path: bundle, entry, problem: `entry ${entry} does not hash to what ${tile} says` });
    }
    this.result.found += this.disputed;
    if (!entriesHold && !(tilesHold && this.result.found > 0))
      this.report({ path: "checkpoint", problem: `the ${this.size} entries do not give the root` });
  }

  /** The bytes of a needed hash tile, or undefined when it is missing or of a wrong length, which is reported. */
  private async tile(address: TileAddress): Promise<Uint8Array | undefined> {
    const bytes = await this.file(address);
    const length = address.width * HASH_SIZE;
    if (bytes !== undefined && bytes.length === length) return bytes;
    const problem =
      bytes === undefined ? "the tile is missing" : `the tile has ${bytes.length} bytes, not ${length}`;
    this.report({ path: tilePath(address), problem });
    return undefined;
  }

  /** A file, or, where a partial one was dropped because the log has grown, the part of the full one. */
  private async file(address: TileAddress): Promise<Uint8Array | undefined> {
    const bytes = await this.read(tilePath(address));
    if (bytes !== undefined || address.width === TILE_WIDTH) return bytes;
    const full = await this.read(tilePath({ ...address, width: TILE_WIDTH }));
    if (full === undefined) return undefined;
    if (address.level !== "entries") return full.subarray(0, address.width * HASH_SIZE);
    const entries = parseEntryBundle(full, TILE_WIDTH);
    return Array.isArray(entries) ? full.subarray(0, lengthOf(entries, address.width)) : full;
  }

  /** An older partial tile is right when it begins the row as either source gives it: if they differ, that was reported. */
  private async olderTiles(level: number, { index, fromEntries, fromTiles }: Row): Promise<void> {
    for (const address of this.older.get(`${level}/${index}`) ?? []) {
      const bytes = await this.read(tilePath(address));
      const begins = (row: readonly Hash[]) =>
        bytes !== undefined && equal(bytes, Buffer.concat(row.slice(0, address.width)));
      if (!begins(fromEntries) && !begins(fromTiles)) this.reportOlder(address);
    }
  }

  /** The same for an older partial bundle: it begins the bundle, or its entries hash to what the tile says. */
  private async olderBundles(
    index: number,
    bundle: Uint8Array,
    entries: readonly Uint8Array[],
    tile: Uint8Array | undefined,
  ): Promise<void> {
    for (const address of this.older.get(`entries/${index}`) ?? []) {
      const bytes = await this.read(tilePath(address));
      if (bytes !== undefined && equal(bytes, bundle.subarray(0, lengthOf(entries, address.width)))) continue;
      const own = bytes === undefined ? undefined : parseEntryBundle(bytes, address.width);
      const logged =
        Array.isArray(own) &&
        tile !== undefined &&
        own.every((entry, i) => equal(leafHash(entry), hashInTile(tile, i)));
      if (!logged) this.reportOlder(address);
    }
  }

  private reportOlder(address: TileAddress): void {
    this.report({
      path: tilePath(address),
      problem: "the older partial file is not the beginning of the newer one",
    });
  }

  private dispute(dispute: { bundle: string; tile: string; entry: number }): void {
    this.disputed += 1;
    if (this.disputes.length < MAX_PROBLEMS) this.disputes.push(dispute);
  }

  private report(problem: AuditProblem): void {
    this.result.found += 1;
    this.add(problem);
  }

  private add(problem: AuditProblem): void {
    if (this.result.problems.length < MAX_PROBLEMS) this.result.problems.push(problem);
  }
}

/** Bytes that the first `count` entries of a bundle take. */
function lengthOf(entries: readonly Uint8Array[], count: number): number {
  return entries.slice(0, count).reduce((sum, entry) => sum + 2 + entry.length, 0);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

import { join } from "node:path";
import type { Json } from "../core/canonical-json.ts";
import { type Checkpoint, openCheckpoint } from "../core/checkpoint.ts";
import { WaybillError } from "../core/errors.ts";
import { type Hash, leafHash } from "../core/merkle.ts";
import { verifyInclusion } from "../core/proof.ts";
import { openTileTree, type TileTree } from "../core/tile-tree.ts";
import { MAX_BUNDLE, parseEntryBundle, TILE_WIDTH, tilePath, tileWidth } from "../core/tlog-tiles.ts";
import { readFileBounded, readTextBounded } from "../hash/read-file.ts";
import { InclusionPaths } from "./inclusion-paths.ts";
import { encodeLogEntry } from "./log-entry.ts";
import type { PublicLogKey } from "./log-key.ts";

/** File of the signed checkpoint. */
export const CHECKPOINT_FILE = "checkpoint";

const MAX_CHECKPOINT = 64 << 10;

/** A checkpoint whose signature was verified. */
export interface SignedCheckpoint extends Checkpoint {
  /** The signed note. */
  note: string;
}

/** One entry with what proves that it is in the log. */
export interface ProvedEntry {
  index: number;
  leaf: Hash;
  body: Buffer;
  proof: Hash[];
  checkpoint: SignedCheckpoint;
}

/** Reads a journal's files: nothing else is needed to prove what is in it. Every hash is authenticated. */
export class JournalReader {
  readonly folder: string;
  readonly origin: string;
  readonly key: PublicLogKey;
  #tree: { note: string; tree: TileTree } | undefined;
  #paths: { note: string; paths: InclusionPaths; bundles: Map<number, Uint8Array[]> } | undefined;

  constructor(folder: string, origin: string, key: PublicLogKey) {
    this.folder = folder;
    this.origin = origin;
    this.key = key;
  }

  /**
   * The published checkpoint.
   *
   * @throws WaybillError WB-STORE-003 it is not signed by this log's key, WB-INPUT-001/002 not there
   */
  checkpoint(): SignedCheckpoint {
    const path = join(this.folder, CHECKPOINT_FILE);
    const note = readTextBounded(path, MAX_CHECKPOINT);
    const opened = openCheckpoint(note, { origin: this.origin, log: [this.key.verifier] });
    if ("problem" in opened) throw damaged(path, opened.problem);
    return { ...opened.checkpoint, note };
  }

  /**
   * The entry at an index with its inclusion proof (RFC 6962 §2.1.1) in the published checkpoint.
   *
   * @throws WaybillError WB-INPUT-001 no such entry, WB-STORE-003 the files are damaged
   */
  proveInclusion(index: number, checkpoint = this.checkpoint()): ProvedEntry {
    if (!Number.isSafeInteger(index) || index < 0 || index >= checkpoint.size)
      throw new WaybillError("WB-INPUT-001", `the journal has no entry ${index}`, {
        hint: `it has ${checkpoint.size} entries, counted from 0`,
      });
    const { size, root, note } = checkpoint;
    if (this.#paths?.note !== note)
      this.#paths = { note, paths: new InclusionPaths(size, this.readTile(size)), bundles: new Map() };
    const proof = this.#paths.paths.path(index);
    if (proof === undefined) throw damaged(this.folder, "a tile is missing or too short");
    const body = this.#cachedBody(this.#paths.bundles, index, size);
    const leaf = leafHash(body);
    const problem = verifyInclusion({ index, size, leafHash: leaf, proof, root });
    if (problem !== null) throw damaged(this.folder, `entry ${index} is not in the tree: ${problem}`);
    return { index, leaf, body, proof, checkpoint };
  }

  #cachedBody(bundles: Map<number, Uint8Array[]>, index: number, size: number): Buffer {
    const tile = Math.floor(index / TILE_WIDTH);
    let bundle = bundles.get(tile);
    if (bundle === undefined) {
      bundle = this.bundle(tile, size);
      // Appends want the newest few; whoever asks for others reads them again.
      if (bundles.size > 32) bundles.clear();
      bundles.set(tile, bundle);
    }
    return Buffer.from(bundle[index % TILE_WIDTH]!);
  }

  /**
   * The proof that the published tree begins with the one of `size1` entries, up to `size2` (by default all of it).
   *
   * @throws WaybillError WB-INPUT-001 no tree has had this size, WB-STORE-003 the files are damaged
   */
  async proveConsistency(
    size1: number,
    size2?: number,
  ): Promise<{ root1: Hash; root2: Hash; proof: Hash[] }> {
    const checkpoint = this.checkpoint();
    const end = size2 ?? checkpoint.size;
    if (!(Number.isSafeInteger(size1) && size1 >= 1 && size1 <= end && end <= checkpoint.size))
      throw new WaybillError("WB-INPUT-001", `the journal proves nothing from size ${size1} to ${end}`, {
        hint: `it has ${checkpoint.size} entries; nothing can be proved about the empty tree`,
      });
    const whole = await this.#openTree(checkpoint);
    const root2 = await whole.rootAt(end);
    if ("problem" in root2) throw damaged(this.folder, root2.problem);
    // A smaller tree's tiles are the beginnings of the greater one's.
    const tree =
      end === checkpoint.size
        ? whole
        : await openTileTree(this.readTile(checkpoint.size), { size: end, root: root2 });
    if ("problem" in tree) throw damaged(this.folder, tree.problem);
    const found = await tree.consistency(size1);
    if ("problem" in found) throw damaged(this.folder, found.problem);
    return { root1: found.root, root2, proof: found.proof };
  }

  /** The entry at an index as a Sigstore TransparencyLogEntry under the published checkpoint; throws as proveInclusion. */
  logEntry(index: number, checkpoint = this.checkpoint()): Json {
    const { body, proof } = this.proveInclusion(index, checkpoint);
    const { size, root, note } = checkpoint;
    return encodeLogEntry({ logId: this.key.logId, index, body, proof, root, size, checkpoint: note });
  }

  /** The bytes of the entry at an index of the tree of `size`, not authenticated. Throws WB-STORE-003. */
  body(index: number, size: number): Buffer {
    const tile = Math.floor(index / TILE_WIDTH);
    return Buffer.from(this.bundle(tile, size)[index % TILE_WIDTH]!);
  }

  /** The entries of one bundle of the tree of `size`, not authenticated. Throws WB-STORE-003. */
  bundle(tile: number, size: number): Uint8Array[] {
    const width = tileWidth(0, tile, size);
    const found = this.#readTileFile("entries", tile, width);
    if (found === undefined) throw damaged(this.folder, `entry bundle ${tile} is missing`);
    const entries = parseEntryBundle(found.bytes, found.width);
    if ("problem" in entries) throw damaged(this.folder, entries.problem);
    return entries.slice(0, width);
  }

  /** Tiles of the tree of `size`, for `openTileTree`: a tree asks for partial tiles of its own size, which may be gone. */
  readTile(size: number): (level: number, index: number, width: number) => Uint8Array | undefined {
    return (level, index, width) => {
      const now = tileWidth(level, index, size);
      const found =
        this.#readTileFile(level, index, width) ??
        (now > width ? this.#readTileFile(level, index, now) : undefined);
      return found?.bytes.subarray(0, width * 32);
    };
  }

  /** A partial tile may have given way to the full one since the checkpoint was read. */
  #readTileFile(
    level: number | "entries",
    index: number,
    width: number,
  ): { bytes: Buffer; width: number } | undefined {
    for (const w of width === TILE_WIDTH ? [width] : [width, TILE_WIDTH]) {
      try {
        return {
          bytes: readFileBounded(join(this.folder, tilePath({ level, index, width: w })), MAX_BUNDLE),
          width: w,
        };
      } catch (error) {
        if (!(error instanceof WaybillError && error.code === "WB-INPUT-001")) throw error;
      }
    }
    return undefined;
  }

  async #openTree(checkpoint: SignedCheckpoint): Promise<TileTree> {
    if (this.#tree?.note === checkpoint.note) return this.#tree.tree;
    const tree = await openTileTree(this.readTile(checkpoint.size), checkpoint);
    if ("problem" in tree) throw damaged(this.folder, tree.problem);
    this.#tree = { note: checkpoint.note, tree };
    return tree;
  }
}

function damaged(path: string, what: string): WaybillError {
  return new WaybillError("WB-STORE-003", `${path}: ${what}`, { hint: "waybill journal fsck" });
}

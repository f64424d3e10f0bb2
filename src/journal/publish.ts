import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { encodeCheckpoint, openCheckpoint } from "../core/checkpoint.ts";
import { WaybillError } from "../core/errors.ts";
import type { Hash } from "../core/merkle.ts";
import { signNote } from "../core/note.ts";
import {
  encodeEntryBundle,
  newEntryBundles,
  newHashTiles,
  TILE_WIDTH,
  type TileAddress,
  tilePath,
} from "../core/tlog-tiles.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { readTextBounded } from "../hash/read-file.ts";
import type { SequencedEntry, Sequencer, SequencerState } from "../store/sequencer.ts";
import type { DurableFolder, FileToWrite } from "./durable-files.ts";
import { envelopePath } from "./envelope-file.ts";
import { Frontier } from "./frontier.ts";
import type { LogKey } from "./log-key.ts";
import { CHECKPOINT_FILE, type SignedCheckpoint } from "./reader.ts";

type Pending = Omit<SequencedEntry, "digest">;

/**
 * Puts everything that the sequencer has committed into files, envelopes and tiles first, then the checkpoint, and
 * tells the sequencer. Only inside of `locked`, after the commit of what is published: nothing but a committed size
 * and root is ever signed. All files follow from the committed rows alone, so that doing it again, by whomever, writes
 * the same bytes.
 *
 * @returns the checkpoint that is now in its file
 * @throws WaybillError WB-STORE-001/002 a file cannot be written, WB-STORE-003 the checkpoint in its file is not one
 *   that this database can have led to: then nothing is written
 */
export async function publish(
  files: DurableFolder,
  sequencer: Sequencer,
  key: LogKey,
): Promise<SignedCheckpoint> {
  const folder = files.root;
  const state = sequencer.state()!;
  const before = publishedCheckpoint(folder, sequencer, state, key);
  if (before?.size === state.size && state.published === state.size) return before;
  const start = state.published - (state.published % TILE_WIDTH);
  const rows = sequencer.pending(start, state.size);
  if (rows.length !== state.size - start)
    throw contradiction(sequencer, "entries that were committed are gone");
  const tiles = [...newHashTiles(state.published, state.size)];
  await files.write([
    ...envelopeFiles(rows, state.published),
    ...entryBundles(rows, start, state),
    ...tiles.map((tile) => ({ path: tilePath(tile), data: hashTile(tile, rows, start, sequencer) })),
  ]);
  const checkpoint = before?.size === state.size ? before : signCheckpoint(state, key);
  if (checkpoint !== before) writeFileAtomic(join(folder, CHECKPOINT_FILE), checkpoint.note, { mode: 0o644 });
  await removePartial(folder, tiles);
  sequencer.published(state.size, Math.max(0, ...tiles.map((tile) => tile.level)) + 1);
  return checkpoint;
}

/** The right edge of the tree at a size that the sequencer still has the rows for: from `published` to `size`. */
export function loadFrontier(sequencer: Sequencer, size: number): Frontier {
  const levels: Hash[][] = [];
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / TILE_WIDTH)) {
    const start = count - (count % TILE_WIDTH);
    const hashes =
      level === 0
        ? sequencer.pending(start, count).map((row) => row.leaf)
        : sequencer.nodes(level, start, count);
    levels.push(hashes.map((hash) => Buffer.from(hash, "hex")));
  }
  try {
    return new Frontier(size, levels);
  } catch {
    throw contradiction(sequencer, `the tree of size ${size} cannot be made of it`);
  }
}

/** The checkpoint in its file, held against the database; undefined where there is none. */
function publishedCheckpoint(
  folder: string,
  sequencer: Sequencer,
  state: SequencerState,
  key: LogKey,
): SignedCheckpoint | undefined {
  const path = join(folder, CHECKPOINT_FILE);
  if (!existsSync(path)) return undefined;
  const note = readTextBounded(path, 64 << 10);
  const opened = openCheckpoint(note, { origin: state.origin, log: [key.verifier] });
  if ("problem" in opened) throw contradiction(sequencer, `${path}: ${opened.problem}`);
  const { size, root } = opened.checkpoint;
  if (size > state.size)
    throw contradiction(
      sequencer,
      `it knows ${state.size} entries, the published checkpoint has ${size}: it is older`,
    );
  if (size < state.published)
    throw contradiction(
      sequencer,
      `it has published ${state.published} entries, the checkpoint has ${size}: the files are older`,
    );
  const known =
    size === state.size ? state.root : Buffer.from(loadFrontier(sequencer, size).root()).toString("hex");
  if (known !== Buffer.from(root).toString("hex"))
    throw contradiction(sequencer, `another root is published for size ${size}`);
  return { ...opened.checkpoint, note };
}

function signCheckpoint({ origin, size, root: hex }: SequencerState, key: LogKey): SignedCheckpoint {
  const root = Buffer.from(hex, "hex");
  const note = signNote(encodeCheckpoint({ origin, size, root }), key.signer);
  return { origin, size, root, extensions: [], note };
}

function envelopeFiles(rows: readonly Pending[], from: number): FileToWrite[] {
  return rows
    .filter((row) => row.index >= from && row.envelope !== null)
    .map((row) => ({ path: envelopePath(row.leaf), data: row.envelope! }));
}

function entryBundles(rows: readonly Pending[], start: number, state: SequencerState): FileToWrite[] {
  return [...newEntryBundles(state.published, state.size)].map((tile) => {
    const first = tile.index * TILE_WIDTH - start;
    const bodies = rows.slice(first, first + tile.width).map((row) => Buffer.from(row.body));
    return { path: tilePath(tile), data: encodeEntryBundle(bodies) };
  });
}

function hashTile(
  tile: TileAddress & { level: number },
  rows: readonly Pending[],
  start: number,
  sequencer: Sequencer,
): Buffer {
  const first = tile.index * TILE_WIDTH;
  const hashes =
    tile.level === 0
      ? rows.slice(first - start, first - start + tile.width).map((row) => row.leaf)
      : sequencer.nodes(tile.level, first, first + tile.width);
  if (hashes.length !== tile.width) throw contradiction(sequencer, `hashes of ${tilePath(tile)} are gone`);
  return Buffer.from(hashes.join(""), "hex");
}

/** A log may drop the partial tiles once the full one is there (C2SP tlog-tiles, "Partial Tiles"). */
async function removePartial(
  folder: string,
  tiles: readonly (TileAddress & { level: number })[],
): Promise<void> {
  const full = tiles.filter((tile) => tile.width === TILE_WIDTH);
  const paths = full.flatMap((tile) => [
    tilePath(tile),
    ...(tile.level === 0 ? [tilePath({ ...tile, level: "entries" })] : []),
  ]);
  for (const path of paths) await rm(join(folder, `${path}.p`), { recursive: true, force: true });
}

function contradiction(sequencer: Sequencer, what: string): WaybillError {
  return new WaybillError("WB-STORE-003", `${sequencer.path} does not fit the journal: ${what}`, {
    hint: `waybill journal fsck; if the files are whole, stop all writers and move ${sequencer.path} and its -wal aside: it is made again from the files`,
  });
}

import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { hashesAt, parseTilePath, TILE_WIDTH } from "../core/tlog-tiles.ts";
import type { Sequencer } from "../store/sequencer.ts";
import { ENVELOPES, leafOfEnvelopePath } from "./envelope-file.ts";

/** Beside the journal: what a killed writer left of entries that were never acknowledged. */
export const LEFTOVERS = "journal-leftovers";

/**
 * Moves out of the journal what lies past its checkpoint: tiles of a larger tree, and envelopes that no entry is about.
 * A writer that was killed between its files and its checkpoint leaves them, and the database that would have told how to
 * go on is lost. Nothing is deleted: if an old checkpoint was put back, this is what is missing from it. Only inside of
 * `locked`, on a database that was just made again.
 *
 * @param folder the journal's, absolute
 * @returns how many files were moved
 * @throws WaybillError WB-STORE-001 a file cannot be moved
 */
export function setAside(folder: string, sequencer: Sequencer, now: Date): number {
  const { size } = sequencer.state()!;
  const isPast = (path: string): boolean => {
    const leaf = leafOfEnvelopePath(path);
    if (leaf !== undefined) return sequencer.indexOfLeaf(leaf) === undefined;
    const tile = parseTilePath(path);
    if ("problem" in tile) return false;
    const level = tile.level === "entries" ? 0 : tile.level;
    return tile.index * TILE_WIDTH + tile.width > hashesAt(level, size);
  };
  const past = ["tile", ENVELOPES].flatMap((part) => filesBelow(folder, part)).filter(isPast);
  const into = join(dirname(folder), LEFTOVERS, now.toISOString().replaceAll(":", "-"));
  for (const path of past) {
    try {
      mkdirSync(dirname(join(into, path)), { recursive: true, mode: 0o700 });
      renameSync(join(folder, path), join(into, path));
    } catch (cause) {
      throw new WaybillError("WB-STORE-001", `cannot move ${join(folder, path)} to ${into}`, {
        hint: "make the folder above the journal writable, then run the command again",
        cause,
      });
    }
  }
  return past.length;
}

function filesBelow(folder: string, part: string): string[] {
  if (!existsSync(join(folder, part))) return [];
  return readdirSync(join(folder, part), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll(sep, "/"),
    );
}

import { type Dirent, readdirSync } from "node:fs";
import { join } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { parseTilePath } from "../core/tlog-tiles.ts";
import { TEMP_FILE } from "../hash/atomic-write.ts";
import { ENVELOPES } from "./envelope-file.ts";

/** What lies in a journal's folder, as paths relative to it. */
export interface JournalFiles {
  tiles: string[];
  /** Everything below `envelopes/`. */
  envelopes: Set<string>;
  /** Beneath `tile/` or in a file's place, and no file of a journal. */
  strange: string[];
  /** Tiles of a larger tree than the checkpoint's; the audit tells. */
  beyond: string[];
  temporary: string[];
  /** Beside the journal's files. */
  others: string[];
}

const KNOWN = new Set([
  "checkpoint",
  "key",
  "trusted_root.json",
  "journal.sqlite",
  "journal.sqlite-wal",
  "journal.sqlite-shm",
  "witnesses.json",
  "witnesses-seen.json",
]);

/** Deeper than any path of a tile. */
const MAX_DEPTH = 10;

/** Lists a journal's folder, links never followed. Throws WB-INPUT-002. */
export function listJournal(folder: string): JournalFiles {
  const files: JournalFiles = {
    tiles: [],
    envelopes: new Set(),
    strange: [],
    beyond: [],
    temporary: [],
    others: [],
  };
  list(folder, "", files, 0);
  return files;
}

function list(folder: string, below: string, files: JournalFiles, depth: number): void {
  for (const found of entriesOf(join(folder, below))) {
    const path = below === "" ? found.name : `${below}/${found.name}`;
    const top = path.split("/")[0];
    const ours = top === "tile" || top === ENVELOPES;
    if (found.isDirectory() && ours && depth < MAX_DEPTH) list(folder, path, files, depth + 1);
    else if (TEMP_FILE.test(found.name)) files.temporary.push(path);
    else if (!ours) {
      if (!KNOWN.has(path)) files.others.push(path);
      // SQLite would follow a link.
      else if (!found.isFile()) files.strange.push(path);
    } else if (!found.isFile()) files.strange.push(path);
    else if (top === ENVELOPES) files.envelopes.add(path);
    else if ("problem" in parseTilePath(path)) files.strange.push(path);
    else files.tiles.push(path);
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (cause) {
    // A partial tile's folder goes away when the tile is full.
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new WaybillError("WB-INPUT-002", `cannot read ${folder}: ${(cause as Error).message}`, {
      hint: "check that you may read it",
      cause,
    });
  }
}

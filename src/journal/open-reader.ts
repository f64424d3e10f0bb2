import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseCheckpoint } from "../core/checkpoint.ts";
import { WaybillError } from "../core/errors.ts";
import { parseNote } from "../core/note.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { logKey, readLogKey } from "./log-key.ts";
import { TRUSTED_ROOT_FILE } from "./log-root.ts";
import { CHECKPOINT_FILE, JournalReader } from "./reader.ts";

/**
 * Opens a journal's files for reading: no database, no lock. The origin is what the checkpoint says, signed by the key
 * in the folder.
 *
 * @param folder the journal
 * @throws WaybillError WB-STORE-005 there is none, WB-STORE-003 key or checkpoint is damaged
 */
export function openReader(folder: string): JournalReader {
  const path = join(folder, CHECKPOINT_FILE);
  if (!existsSync(path))
    throw new WaybillError("WB-STORE-005", `there is no journal in ${folder}`, {
      hint: "waybill journal init",
    });
  const note = parseNote(readTextBounded(path, 64 << 10));
  const checkpoint = "problem" in note ? note : parseCheckpoint(note.text);
  if ("problem" in checkpoint)
    throw new WaybillError("WB-STORE-003", `${path}: ${checkpoint.problem}`, {
      hint: "waybill journal fsck",
    });
  const reader = new JournalReader(folder, checkpoint.origin, logKey(checkpoint.origin, readLogKey(folder)));
  reader.checkpoint();
  return reader;
}

/** When the log was made, as its trusted root says; the epoch where that is lost. */
export function readStart(folder: string): string {
  try {
    const root = parseStrictJson(readTextBounded(join(folder, TRUSTED_ROOT_FILE), 1 << 20)) as {
      tlogs?: { publicKey?: { validFor?: { start?: unknown } } }[];
    };
    const start = root.tlogs?.[0]?.publicKey?.validFor?.start;
    if (typeof start === "string" && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/.test(start)) return start;
  } catch {
    // Lost or damaged: fsck says so.
  }
  return "1970-01-01T00:00:00Z";
}

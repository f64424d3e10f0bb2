import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Checkpoint, openCheckpoint, parseCheckpoint } from "../core/checkpoint.ts";
import { WaybillError } from "../core/errors.ts";
import type { Rule } from "../core/finding.ts";
import { type NoteVerifier, parseNote } from "../core/note.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { readTextBounded } from "../hash/read-file.ts";
import type { SequencerState } from "../store/sequencer.ts";
import { KEY_FILE, type LogKey, logKey, type PublicLogKey, publicLogKey, readLogKey } from "./log-key.ts";
import { encodeLogRoot, TRUSTED_ROOT_FILE } from "./log-root.ts";
import { CHECKPOINT_FILE } from "./reader.ts";
import { JOURNAL_RULES } from "./rules.ts";

type Add = (rule: Rule, path: string | undefined, message: string) => void;

/** The text of the checkpoint file; undefined when there is none that can be read. */
export function checkpointText(folder: string): string | undefined {
  try {
    return readTextBounded(join(folder, CHECKPOINT_FILE), 64 << 10);
  } catch {
    return undefined;
  }
}

/** The size that a checkpoint's text states, not verified; 0 for any other text. */
export function checkpointSize(text: string | undefined): number {
  const note = parseNote(text ?? "");
  const stated = "problem" in note ? note : parseCheckpoint(note.text);
  return "problem" in stated ? 0 : stated.size;
}

/** What the rest of a journal is held against. */
export interface Head extends Pick<Checkpoint, "origin" | "size" | "root"> {
  logId: string;
}

/**
 * Checks checkpoint, key and trusted root against each other. The key is known twice, from its own file and from the
 * trusted root, so that a damaged one can be told from a damaged checkpoint.
 *
 * @returns what the checkpoint says when it is signed by either key, else what the database has published; undefined
 *   when neither is there
 * @throws WaybillError WB-STORE-005 neither a checkpoint nor a database
 */
export function checkHead(
  folder: string,
  seen: {
    text: string | undefined;
    database: SequencerState | undefined;
    witnesses: readonly NoteVerifier[];
  },
  add: Add,
  note: (text: string) => void,
): Head | undefined {
  const { text, database, witnesses } = seen;
  if (text === undefined) {
    if (!existsSync(join(folder, CHECKPOINT_FILE)) && !database)
      throw new WaybillError("WB-STORE-005", `there is no journal in ${folder}`, {
        hint: "waybill journal init",
      });
    add(JOURNAL_RULES.checkpoint, CHECKPOINT_FILE, "missing, or not a text that can be read");
  }
  const parsed = text === undefined ? { problem: "missing" } : parseNote(text);
  const stated = "problem" in parsed ? parsed : parseCheckpoint(parsed.text);
  if ("problem" in stated && text !== undefined)
    add(JOURNAL_RULES.checkpoint, CHECKPOINT_FILE, stated.problem);
  const origin = database?.origin ?? ("problem" in stated ? undefined : stated.origin);
  if (origin === undefined) return undefined;
  const own = keyOf(folder, origin, add);
  const published = rootKeyOf(folder, origin, add);
  if (own && published && own.logId !== published.logId)
    add(JOURNAL_RULES.key, TRUSTED_ROOT_FILE, "the trusted root names another key than the journal's");
  checkTrustedRoot(folder, origin, own ?? published, database, add);
  let head: Head | undefined;
  if (text !== undefined && !("problem" in stated)) {
    const tries = [own, published].filter((key) => key !== undefined);
    const opened = tries.map((key) => ({
      key,
      result: openCheckpoint(text, { origin, log: [key.verifier], witnesses }),
    }));
    const good = opened.find(({ result }) => !("problem" in result));
    if (good && !("problem" in good.result)) {
      const { checkpoint, note: signed, log, witnesses: cosigned } = good.result;
      head = { origin, size: checkpoint.size, root: checkpoint.root, logId: good.key.logId };
      if (own && good.key !== own) add(JOURNAL_RULES.key, KEY_FILE, "not the key that signed the checkpoint");
      const unknown = signed.signatures.length - log.length - cosigned.length;
      if (unknown > 0) note(`checkpoint: ${unknown} signatures by keys that are not known here`);
    } else {
      const problem = opened.map(({ result }) => ("problem" in result ? result.problem : ""))[0];
      add(JOURNAL_RULES.checkpoint, CHECKPOINT_FILE, problem ?? "no key is left to verify its signature");
    }
  }
  if (head !== undefined || !database) return head;
  note(`checked against the database, which has published ${database.published} entries`);
  return database.published === database.size
    ? { origin, size: database.size, root: Buffer.from(database.root, "hex"), logId: database.logId }
    : undefined;
}

function keyOf(folder: string, origin: string, add: Add): LogKey | undefined {
  try {
    const key = logKey(origin, readLogKey(folder));
    const mode = statSync(join(folder, KEY_FILE)).mode & 0o077;
    const isWindows = process.platform === "win32";
    if (mode !== 0 && !isWindows)
      add(JOURNAL_RULES.key, KEY_FILE, "others than its owner can read the key: chmod 600");
    if ((statSync(folder).mode & 0o022) !== 0 && !isWindows)
      add(JOURNAL_RULES.key, undefined, "others than its owner can replace the key: chmod go-w the journal");
    return key;
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    add(JOURNAL_RULES.key, KEY_FILE, "missing, or not the Ed25519 key that was written");
    return undefined;
  }
}

/** The public key that the trusted root states, whatever else is wrong with it. */
function rootKeyOf(folder: string, origin: string, add: Add): PublicLogKey | undefined {
  const text = textOf(join(folder, TRUSTED_ROOT_FILE), TRUSTED_ROOT_FILE, JOURNAL_RULES.key, add);
  if (text === undefined) return undefined;
  try {
    const root = parseStrictJson(text) as { tlogs: { publicKey: { rawBytes: string } }[] };
    const der = Buffer.from(root.tlogs[0]!.publicKey.rawBytes, "base64");
    const key: KeyObject = createPublicKey({ key: der, format: "der", type: "spki" });
    return publicLogKey(origin, key);
  } catch {
    // Said by checkTrustedRoot.
    return undefined;
  }
}

function checkTrustedRoot(
  folder: string,
  origin: string,
  key: PublicLogKey | undefined,
  database: SequencerState | undefined,
  add: Add,
): void {
  let text: string;
  try {
    text = readTextBounded(join(folder, TRUSTED_ROOT_FILE), 1 << 20);
  } catch {
    return;
  }
  const start = /"start": "(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)"/.exec(text)?.[1];
  if (key === undefined || start === undefined || encodeLogRoot(origin, key, start) !== text)
    add(JOURNAL_RULES.key, TRUSTED_ROOT_FILE, "not the trusted root that was written for this journal");
  else if (database && database.start !== start)
    add(JOURNAL_RULES.key, TRUSTED_ROOT_FILE, `the log began at ${database.start}, not at ${start}`);
}

function textOf(path: string, name: string, rule: Rule, add: Add): string | undefined {
  try {
    return readTextBounded(path, 1 << 20);
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    add(rule, name, error.code === "WB-INPUT-001" ? "missing" : "not a text that can be read");
    return undefined;
  }
}

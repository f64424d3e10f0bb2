import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { encodeNote, isKeyName, type NoteVerifier, parseVerifierKey } from "../core/note.ts";
import { safeText } from "../core/safe-text.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { KEY_FILE, makeLogKey } from "../journal/log-key.ts";
import { MAX_ADD_CHECKPOINT, type Misbehaviour, makeWitness } from "../journal/witness.ts";
import { serve } from "../net/serve.ts";
import { WitnessState } from "../store/witness-state.ts";

/** Signed checkpoints of logs that lied, kept at most. */
const MAX_KEPT = 100;

const HINT = "let WAYBILL_HOME name a folder that this user can write";

export interface WitnessServeOptions {
  home: string;
  /** Verifier keys of the logs, `name+id+base64`, comma-separated. */
  logs: string;
  /** In the cosignature lines; chosen once. */
  name: string | undefined;
  host: string;
  port: number;
  /** What the operator should know, a line each. */
  say: (line: string) => void;
}

/** A witness that answers. */
export interface ServedWitness {
  url: string;
  /** What its users trust. */
  verifierKey: string;
  close(): Promise<void>;
}

/**
 * Runs a witness of other logs: `HOME/witness/` holds its key (Ed25519, PKCS#8 PEM, 0600, made at the first start), its
 * name, its state, and the signed checkpoints of logs that forked before its eyes.
 *
 * @throws WaybillError WB-INPUT-007 a key or a name that is none, WB-INPUT-010 it has another name, WB-NET-001 the address
 *   cannot be had, WB-STORE-001 to -003
 */
export async function serveWitness(options: WitnessServeOptions): Promise<ServedWitness> {
  const { home, say } = options;
  const logs = parseLogs(options.logs);
  const folder = join(home, "witness");
  makeFolder(folder, { mode: 0o700, hint: HINT });
  const privateKey = openKey(folder);
  const name = openName(folder, options.name, privateKey);
  const state = new WitnessState(join(folder, "state.sqlite"));
  try {
    const witness = makeWitness({
      name,
      privateKey,
      log: (origin) => logs.get(origin),
      state,
      now: () => Math.floor(Date.now() / 1000),
      onMisbehaviour: (event) => keep(folder, event, say),
      onError: (error) => say(`an answer was 503: ${(error as Error).message}`),
    });
    const served = await serve(witness.handle, {
      host: options.host,
      port: options.port,
      maxBody: MAX_ADD_CHECKPOINT + 1024,
      onError: (error) => say(`a request failed: ${(error as Error).message}`),
    });
    const close = async (): Promise<void> => {
      await served.close();
      state.close();
    };
    return { url: served.url, verifierKey: witness.verifierKey, close };
  } catch (error) {
    state.close();
    throw error;
  }
}

function parseLogs(list: string): Map<string, NoteVerifier[]> {
  const logs = new Map<string, NoteVerifier[]>();
  for (const text of list.split(",")) {
    const verifier = parseVerifierKey(text);
    const problem = "problem" in verifier ? verifier.problem : verifier.time ? "a witness's key" : null;
    if (problem !== null || "problem" in verifier)
      throw new WaybillError("WB-INPUT-007", `--log ${safeText(text.slice(0, 200))}: ${problem}`, {
        hint: "`waybill journal show` prints the verifier key of a journal",
      });
    logs.set(verifier.name, [...(logs.get(verifier.name) ?? []), verifier]);
  }
  return logs;
}

function openKey(folder: string): KeyObject {
  try {
    return makeLogKey(folder);
  } catch (cause) {
    if (!(cause instanceof WaybillError && cause.code === "WB-STORE-003")) throw cause;
    throw new WaybillError("WB-STORE-003", `${join(folder, KEY_FILE)} is not the witness's key`, {
      hint: "put it back from a backup; else begin again under a new name, and tell the logs",
      cause,
    });
  }
}

/** A witness is known by name and key together: it keeps its name as it keeps its key. */
function openName(folder: string, wanted: string | undefined, key: KeyObject): string {
  if (wanted !== undefined && (!isKeyName(wanted) || wanted.length > 253 || wanted.includes(",")))
    throw new WaybillError(
      "WB-INPUT-007",
      `--name ${safeText(wanted.slice(0, 200))}: not the name of a key`,
      {
        hint: "for example: --name witness.example.org",
      },
    );
  const path = join(folder, "name");
  if (!existsSync(path)) {
    const raw = createPublicKey(key).export({ type: "spki", format: "der" });
    const made = wanted ?? `witness-${sha256(raw).slice(0, 8)}.waybill.local`;
    writeFileAtomic(path, `${made}\n`, { mode: 0o644 });
  }
  const name = readTextBounded(path, 1024).trimEnd();
  if (!isKeyName(name))
    throw new WaybillError("WB-STORE-003", `${path} is no name`, { hint: "put it back from a backup" });
  if (wanted === undefined || wanted === name) return name;
  throw new WaybillError("WB-INPUT-010", `this witness has a name already: ${name}`, {
    hint: "a name cannot be changed: those who trust the witness know it by that name",
  });
}

/** What a log signed twice is proof of its fault, and kept. */
function keep(folder: string, { origin, note, problem }: Misbehaviour, say: (line: string) => void): void {
  say(`LOG FORKED: ${safeText(origin)}: ${problem}`);
  const kept = join(folder, "forks");
  makeFolder(kept, { mode: 0o700, hint: HINT });
  const path = join(kept, `${sha256(note.text)}.note`);
  if (existsSync(path) || readdirSync(kept).length >= MAX_KEPT) return;
  writeFileAtomic(path, encodeNote(note), { mode: 0o600 });
  say(`its signed checkpoint is kept in ${path}`);
}

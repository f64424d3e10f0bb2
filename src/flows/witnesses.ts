import { join } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { parseVerifierKey } from "../core/note.ts";
import { safeText } from "../core/safe-text.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { JOURNAL_FOLDER } from "../journal/journal.ts";
import type { WitnessAddress } from "../journal/witness-client.ts";
import { WITNESSES_FILE } from "./journal-place.ts";

const SEEN_FILE = "witnesses-seen.json";
const MAX_FILE = 1 << 20;
const MAX_WITNESSES = 32;

/** A witness that the operator named. */
export interface NamedWitness extends WitnessAddress {
  /** Its verifier key as text. */
  key: string;
}

/**
 * Reads `URL=KEY,…` of a command line: where a witness is, and its verifier key `name+id+base64` of type 0x04.
 *
 * @throws WaybillError WB-INPUT-007
 */
export function parseWitnesses(list: string): NamedWitness[] {
  return distinct(
    list.split(",").map((text) => {
      const match = /^(https?:\/\/[^\s=]+)=(\S+)$/.exec(text);
      if (match === null) throw notWitness(text, "it does not read URL=KEY");
      return named(match[1]!, match[2]!, text);
    }),
  );
}

/**
 * The witnesses that were saved for this home's journal; none where there is no such file.
 *
 * @throws WaybillError WB-STORE-003 the file is damaged
 */
export function savedWitnesses(home: string): NamedWitness[] {
  const path = join(home, JOURNAL_FOLDER, WITNESSES_FILE);
  try {
    const { witnesses } = parseStrictJson(readTextBounded(path, MAX_FILE)) as {
      witnesses: { url: string; key: string }[];
    };
    return distinct(witnesses.map(({ url, key }) => named(String(url), String(key), String(url))));
  } catch (cause) {
    if (cause instanceof WaybillError && cause.code === "WB-INPUT-001") return [];
    throw new WaybillError("WB-STORE-003", `${path} is not a list of witnesses`, {
      hint: "remove it, then: waybill journal cosign --save --witness URL=KEY",
      cause,
    });
  }
}

/** Saves the witnesses of this home's journal, in place of those before. Throws WB-STORE-001/002. */
export function saveWitnesses(home: string, witnesses: readonly NamedWitness[]): void {
  const list = witnesses.map(({ url, key }) => ({ url: url.href, key }));
  writeFileAtomic(
    join(home, JOURNAL_FOLDER, WITNESSES_FILE),
    `${JSON.stringify({ witnesses: list }, null, 2)}\n`,
    { mode: 0o644 },
  );
}

/** The size that each witness cosigned last, by its key; a hint, so that what cannot be read is nothing. */
export function seenSizes(home: string): ReadonlyMap<string, number> {
  try {
    const data = parseStrictJson(readTextBounded(join(home, JOURNAL_FOLDER, SEEN_FILE), MAX_FILE));
    return new Map(
      Object.entries(data as object).flatMap(([key, size]) =>
        Number.isSafeInteger(size) && size >= 0 ? [[key, size as number] as const] : [],
      ),
    );
  } catch {
    return new Map();
  }
}

/** Remembers the size that each witness cosigned last. Throws WB-STORE-001/002. */
export function rememberSeen(home: string, seen: ReadonlyMap<string, number>): void {
  const text = `${JSON.stringify(Object.fromEntries(seen), null, 2)}\n`;
  writeFileAtomic(join(home, JOURNAL_FOLDER, SEEN_FILE), text, { mode: 0o644 });
}

function named(address: string, key: string, said: string): NamedWitness {
  const verifier = parseVerifierKey(key);
  if ("problem" in verifier) throw notWitness(said, verifier.problem);
  if (!verifier.time) throw notWitness(said, "it is a log's key: witnesses have type 0x04");
  if (!URL.canParse(address)) throw notWitness(said, "not an address");
  const url = new URL(address);
  if (!/^https?:$/.test(url.protocol)) throw notWitness(said, "not an address");
  return { url, verifier, key };
}

function distinct(witnesses: NamedWitness[]): NamedWitness[] {
  const names = new Set(witnesses.map(({ verifier }) => `${verifier.keyId} ${verifier.name}`));
  if (names.size !== witnesses.length) throw notWitness("the list", "a witness stands twice");
  if (names.size > MAX_WITNESSES) throw notWitness("the list", `more than ${MAX_WITNESSES} witnesses`);
  return witnesses;
}

function notWitness(text: string, why: string): WaybillError {
  return new WaybillError("WB-INPUT-007", `--witness ${safeText(text.slice(0, 200))}: ${why}`, {
    hint: "for example: --witness https://witness.example=witness.example+HASH+KEY, as `waybill witness` prints it",
  });
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "../core/canonical-json.ts";
import { type Hex, parseDigest } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { leafHash } from "../core/merkle.ts";
import { encodeVerifierKey } from "../core/note.ts";
import { TILE_WIDTH } from "../core/tlog-tiles.ts";
import { parseStatement } from "../evidence/statement.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { parseEntry } from "../journal/entry.ts";
import { envelopePath, MAX_ENVELOPE, parseEnvelopeFile } from "../journal/envelope-file.ts";
import { JOURNAL_FOLDER, SEQUENCER_FILE } from "../journal/journal.ts";
import { openReader } from "../journal/open-reader.ts";
import type { JournalReader } from "../journal/reader.ts";
import { Sequencer } from "../store/sequencer.ts";

/** What an entry is about, as far as its envelope says. Its signature has not been verified here. */
export interface EntrySummary {
  index: number;
  leaf: Hex;
  /** Id of the key that signed. */
  keyId?: Hex;
  predicateType?: string;
  /** At most 10. */
  subjects?: { name?: string; digest: Record<string, string> }[];
  /** Why nothing more is known. */
  unknown?: string;
}

/** What `journal show` tells. */
export interface JournalView {
  origin: string;
  size: number;
  root: Hex;
  checkpoint: string;
  /** C2SP verifier key of the log. */
  verifierKey: string;
  logId: Hex;
  /** The newest last. */
  entries: EntrySummary[];
}

/** One entry with its proof. */
export interface JournalProof {
  origin: string;
  size: number;
  root: Hex;
  entry: EntrySummary;
  /** Siblings from the leaf up, hex (RFC 6962 §2.1.1). */
  proof: Hex[];
  /** Sigstore TransparencyLogEntry. */
  tlogEntry: Json;
}

/**
 * Reads the journal of a home.
 *
 * @param last how many of its newest entries to tell about
 * @throws WaybillError WB-STORE-005 there is none, WB-STORE-003 it is damaged
 */
export function showJournal(home: string, last: number): JournalView {
  const reader = openReader(join(home, JOURNAL_FOLDER));
  const { origin, size, root, note } = reader.checkpoint();
  const entries: EntrySummary[] = [];
  for (let index = Math.max(0, size - last); index < size; index += 1)
    entries.push(summary(reader, index, reader.body(index, size)));
  return {
    origin,
    size,
    root: hex(root),
    checkpoint: note,
    verifierKey: encodeVerifierKey(origin, reader.key.publicKey, "ed25519"),
    logId: reader.key.logId,
    entries,
  };
}

/**
 * Proves that an entry is in the journal.
 *
 * @param which its index; or its leaf hash, the hash that it was made over, or the digest of one of its statement's
 *   subjects, each as hex or `algorithm:hex`: of several the newest
 * @throws WaybillError WB-INPUT-007 neither, WB-INPUT-001 no such entry, WB-STORE-005/003
 */
export function proveInJournal(home: string, which: string): JournalProof {
  const reader = openReader(join(home, JOURNAL_FOLDER));
  const checkpoint = reader.checkpoint();
  const index = /^\d{1,15}$/.test(which) ? Number(which) : findEntry(reader, checkpoint.size, which);
  const { body, proof } = reader.proveInclusion(index, checkpoint);
  return {
    origin: checkpoint.origin,
    size: checkpoint.size,
    root: hex(checkpoint.root),
    entry: summary(reader, index, body),
    proof: proof.map(hex),
    tlogEntry: reader.logEntry(index, checkpoint),
  };
}

function findEntry(reader: JournalReader, size: number, which: string): number {
  const digest = parseDigest(which)?.hex ?? which;
  if (!/^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/.test(digest))
    throw new WaybillError(
      "WB-INPUT-007",
      "an entry is named by its index, or by a whole digest: 64 lower-case hex digits",
      {
        hint: "waybill journal show",
      },
    );
  const found =
    indexed(reader, digest)
      .filter((index) => index < size)
      .at(-1) ?? scanned(reader, size, digest);
  if (found === undefined)
    throw new WaybillError("WB-INPUT-001", `the journal has no entry about ${digest.slice(0, 12)}`, {
      hint: "waybill journal show",
    });
  return found;
}

/** By the database's index; none where it is gone. */
function indexed(reader: JournalReader, digest: string): number[] {
  const path = join(reader.folder, SEQUENCER_FILE);
  if (!existsSync(path)) return [];
  const sequencer = new Sequencer(path, { readOnly: true });
  try {
    const leaf = sequencer.indexOfLeaf(digest);
    return leaf === undefined ? sequencer.indexesOfDigest(digest) : [leaf];
  } finally {
    sequencer.close();
  }
}

/** By reading entries and envelopes, the newest first. */
function scanned(reader: JournalReader, size: number, digest: string): number | undefined {
  for (let tile = Math.ceil(size / TILE_WIDTH) - 1; tile >= 0; tile -= 1) {
    const bundle = reader.bundle(tile, size);
    for (let i = bundle.length - 1; i >= 0; i -= 1) {
      const index = tile * TILE_WIDTH + i;
      const body = Buffer.from(bundle[i]!);
      const { leaf, subjects = [] } = summary(reader, index, body);
      const entry = parseEntry(body.toString("utf8"));
      const over = "problem" in entry ? "" : entry.digest.toString("hex");
      if (leaf === digest || over === digest) return index;
      if (subjects.some((subject) => Object.values(subject.digest).includes(digest))) return index;
    }
  }
  return undefined;
}

function summary(reader: JournalReader, index: number, body: Buffer): EntrySummary {
  const leaf = hex(leafHash(body));
  const entry = parseEntry(body.toString("utf8"));
  if ("problem" in entry) return { index, leaf, unknown: entry.problem };
  const known = { index, leaf, keyId: entry.keyId };
  const path = join(reader.folder, envelopePath(leaf));
  if (!existsSync(path)) return { ...known, unknown: "its envelope is not here" };
  const envelope = parseEnvelopeFile(readFileBounded(path, MAX_ENVELOPE));
  if ("problem" in envelope) return { ...known, unknown: `its envelope: ${envelope.problem}` };
  const statement = parseStatement(Buffer.from(envelope.payload, "base64"));
  if ("problem" in statement) return { ...known, unknown: `its payload is ${statement.problem}` };
  const subjects = statement.subject
    .slice(0, 10)
    .map(({ name, digest }) => ({ ...(name === undefined ? {} : { name }), digest }));
  return { ...known, predicateType: statement.predicateType, subjects };
}

function hex(bytes: Uint8Array): Hex {
  return Buffer.from(bytes).toString("hex");
}

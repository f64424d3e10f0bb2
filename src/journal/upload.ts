import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { parseEntry } from "./entry.ts";
import { encodeEnvelopeFile, envelopePath, MAX_ENVELOPE, parseEnvelopeFile } from "./envelope-file.ts";
import type { Journal } from "./journal.ts";
import { type Appendable, itemOf, leafOf } from "./log-item.ts";
import { ERASURE_TYPE, readOwnStatement } from "./own-statements.ts";
import type { JournalReader } from "./reader.ts";

/** What became of an upload. */
export interface Uploaded {
  index: number;
  leaf: Hex;
  /** True: its envelope was there before. */
  known: boolean;
}

/**
 * Stores the envelope of an entry that came from outside, when it verifies and is the very one that was logged. What an
 * operator or its own maker erased does not come back.
 *
 * @param operators ids of the keys that may erase any envelope
 * @throws WaybillError WB-INPUT-001 it is in no entry of this journal, WB-INPUT-006 it does not verify, or was erased,
 *   WB-INPUT-003 too large, WB-STORE-001 to -004
 */
export async function uploadEnvelope(
  journal: Journal,
  entry: Appendable,
  operators: readonly Hex[],
): Promise<Uploaded> {
  const { leaf, body } = itemOf(entry);
  const index = journal.indexOfLeaf(leaf);
  if (index === undefined)
    throw new WaybillError("WB-INPUT-001", "the journal has no entry of this signature", {
      hint: "it is logged first: waybill journal show",
    });
  if (existsSync(join(journal.folder, envelopePath(leaf)))) return { index, leaf, known: true };
  const maker = parseEntry(body);
  const may = new Set("problem" in maker ? operators : [...operators, maker.keyId]);
  await journal.keepEnvelope(leaf, encodeEnvelopeFile(entry.envelope), () => {
    if (isErased(journal.reader, { index, leaf }, may))
      throw new WaybillError("WB-INPUT-006", `the envelope of entry ${index} was erased`, {
        hint: "waybill journal fsck says by whom and why",
      });
  });
  return { index, leaf, known: false };
}

/** Looks through what was logged behind an entry for its erasure by one of these keys. */
function isErased(reader: JournalReader, about: { index: number; leaf: Hex }, by: ReadonlySet<Hex>): boolean {
  const { size } = reader.checkpoint();
  for (let tile = Math.floor(about.index / 256); tile * 256 < size; tile += 1)
    for (const bytes of reader.bundle(tile, size)) {
      const body = Buffer.from(bytes).toString("utf8");
      const path = join(reader.folder, envelopePath(leafOf(body)));
      if (!existsSync(path)) continue;
      const envelope = parseEnvelopeFile(readFileBounded(path, MAX_ENVELOPE));
      if ("problem" in envelope) continue;
      const own = readOwnStatement(Buffer.from(envelope.payload, "base64"));
      if (own === undefined || "problem" in own || own.type !== ERASURE_TYPE) continue;
      const signer = parseEntry(body);
      if ("problem" in signer || !by.has(signer.keyId)) continue;
      if (own.index === about.index && own.leaf === about.leaf) return true;
    }
  return false;
}

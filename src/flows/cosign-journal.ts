import { encodeNote, parseNote } from "../core/note.ts";
import { gatherCosignatures, type WitnessResult } from "../journal/cosign.ts";
import type { Journal } from "../journal/journal.ts";
import type { SignedCheckpoint } from "../journal/reader.ts";
import type { AskOptions } from "../journal/witness-client.ts";
import { type NamedWitness, rememberSeen, seenSizes } from "./witnesses.ts";

/** What came of asking the witnesses of a journal. */
export interface Cosigned {
  /** The checkpoint with the cosignatures that there are; it may be older than the one in the file by now. */
  checkpoint: SignedCheckpoint;
  /** In the order of the witnesses; empty for an empty log. */
  results: readonly WitnessResult[];
}

/**
 * Asks witnesses to cosign the published checkpoint, puts their lines under it, and remembers what each has seen. A
 * witness that fails stands in the results.
 *
 * @throws WaybillError WB-NET-006 an address is not safe, WB-STORE-001 to -004
 */
export async function cosignJournal(
  home: string,
  journal: Journal,
  witnesses: readonly NamedWitness[],
  options: AskOptions = {},
): Promise<Cosigned> {
  const checkpoint = journal.checkpoint();
  // A proof from the empty tree proves nothing, and so does a cosignature on it.
  if (checkpoint.size === 0 || witnesses.length === 0) return { checkpoint, results: [] };
  const seen = new Map(seenSizes(home));
  const { checkpoint: note, results } = await gatherCosignatures(
    {
      checkpoint: ownLines(checkpoint.note, journal),
      size: checkpoint.size,
      witnesses: witnesses.map(({ url, verifier, key }) => ({ url, verifier, seen: seen.get(key) ?? 0 })),
      prove: async (from) => (await journal.proveConsistency(from, checkpoint.size)).proof,
    },
    options,
  );
  if (results.some(({ line }) => line !== undefined)) await journal.putCosigned(note);
  let learned = false;
  results.forEach((result, i) => {
    const { key } = witnesses[i]!;
    if (result.seen === undefined || seen.get(key) === result.seen) return;
    seen.set(key, result.seen);
    learned = true;
  });
  if (learned) rememberSeen(home, seen);
  return { checkpoint: { ...checkpoint, note }, results };
}

/** One line for people about each witness that did not cosign; the log's own fault is said as what it is. */
export function witnessNotes(results: readonly WitnessResult[], size: number): string[] {
  return results.flatMap(({ verifier, problem, seen }) => {
    if (problem === undefined) return [];
    // It has seen a larger tree, or another one of a size that this log has had.
    if (seen !== undefined)
      return [
        `ROLLED BACK OR FORKED: witness ${verifier.name} has cosigned a tree that this log of ${size} entries does not contain (${problem}); stop writing, and find out what files were put back or lost`,
      ];
    return [`witness ${verifier.name} did not cosign: ${problem}`];
  });
}

/** The note with the log's own signature alone: two lines of one witness would refuse it. */
function ownLines(note: string, { origin, reader }: Journal): string {
  const parsed = parseNote(note);
  if ("problem" in parsed) return note;
  const { keyId } = reader.key.verifier;
  const signatures = parsed.signatures.filter((line) => line.name === origin && line.keyId === keyId);
  return encodeNote({ text: parsed.text, signatures });
}

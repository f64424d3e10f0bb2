import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { type Appended, type Journal, openJournal } from "../journal/journal.ts";
import { addLogEntry, parseBundle } from "../sign/bundle.ts";
import type { SignedBundle, StatementSigner } from "../sign/statement-signer.ts";
import { hasJournal, hasSavedWitnesses } from "./journal-place.ts";

/** Where a signature was logged. */
export interface LoggedAt {
  origin: string;
  index: number;
}

/**
 * A signer whose bundles are logged in the journal of this home before they are given out, and carry the proof. The
 * journal is made with the first signature by a key. A keyless signature stands in its own public log already: it is
 * logged here too where there is a journal, and its bundle stays as it is. Where the operator saved witnesses for the
 * journal they are asked, and the proof is under the checkpoint that they cosigned; one that fails is a note.
 *
 * @param onLogged told of each entry
 * @param onNote told why a witness did not cosign
 * @throws WaybillError from `sign`: also WB-STORE-001 to -004 when the journal cannot be written; then nothing is signed
 */
export function loggedSigner(
  signer: StatementSigner,
  home: string,
  onLogged: (at: LoggedAt) => void = () => {},
  onNote: (note: string) => void = () => {},
): StatementSigner {
  return {
    async sign(statementJson, wish) {
      const signed = await signer.sign(statementJson, wish);
      const byKey = "key" in signed.by;
      if (!byKey && !hasJournal(home)) return signed;
      const bundle = parseBundle(
        signed.bundle,
        wish?.maxBytes === undefined ? {} : { maxBytes: wish.maxBytes },
      );
      if ("problem" in bundle || bundle.content.kind !== "dsse")
        throw new TypeError("a signer made no bundle");
      const journal = await openJournal(home, { create: {} });
      try {
        const holder =
          bundle.signer.kind === "certificate"
            ? { certificate: bundle.signer.chain[0]! }
            : { publicKey: signed.publicKey! };
        const appended = await journal.append({ envelope: bundle.content.envelope, ...holder });
        onLogged({ origin: journal.origin, index: appended.index });
        const tlogEntry = await witnessedEntry(home, journal, appended, onNote);
        const text = byKey ? addLogEntry(bundle, tlogEntry, wish?.maxBytes) : signed.bundle;
        return { ...signed, bundle: text } satisfies SignedBundle;
      } finally {
        await journal.close();
      }
    },
  };
}

/** The entry under a cosigned checkpoint, where the operator saved witnesses and one of them cosigned. */
async function witnessedEntry(
  home: string,
  journal: Journal,
  { index, tlogEntry }: Appended,
  onNote: (note: string) => void,
): Promise<Json> {
  if (!hasSavedWitnesses(home)) return tlogEntry;
  try {
    const [{ savedWitnesses }, { cosignJournal, witnessNotes }] = await Promise.all([
      import("./witnesses.ts"),
      import("./cosign-journal.ts"),
    ]);
    const { checkpoint, results } = await cosignJournal(home, journal, savedWitnesses(home));
    for (const note of witnessNotes(results, checkpoint.size)) onNote(note);
    if (!results.some(({ line }) => line !== undefined)) return tlogEntry;
    return journal.reader.logEntry(index, checkpoint);
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    // It is signed and logged; what a witness adds can be added later.
    onNote(`no witness cosigned: ${error.message}`);
    return tlogEntry;
  }
}

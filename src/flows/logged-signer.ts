import { openJournal } from "../journal/journal.ts";
import { addLogEntry, parseBundle } from "../sign/bundle.ts";
import type { SignedBundle, StatementSigner } from "../sign/statement-signer.ts";
import { hasJournal } from "./journal-place.ts";

/** Where a signature was logged. */
export interface LoggedAt {
  origin: string;
  index: number;
}

/**
 * A signer whose bundles are logged in the journal of this home before they are given out, and carry the proof. The
 * journal is made with the first signature by a key. A keyless signature stands in its own public log already: it is
 * logged here too where there is a journal, and its bundle stays as it is.
 *
 * @param onLogged told of each entry
 * @throws WaybillError from `sign`: also WB-STORE-001 to -004 when the journal cannot be written; then nothing is signed
 */
export function loggedSigner(
  signer: StatementSigner,
  home: string,
  onLogged: (at: LoggedAt) => void = () => {},
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
        const { index, tlogEntry } = await journal.append({ envelope: bundle.content.envelope, ...holder });
        onLogged({ origin: journal.origin, index });
        const text = byKey ? addLogEntry(bundle, tlogEntry, wish?.maxBytes) : signed.bundle;
        return { ...signed, bundle: text } satisfies SignedBundle;
      } finally {
        await journal.close();
      }
    },
  };
}

import { WaybillError } from "../core/errors.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { parseEntry } from "../journal/entry.ts";
import { openJournal } from "../journal/journal.ts";
import { leafOf } from "../journal/log-item.ts";
import { type Uploaded, uploadEnvelope } from "../journal/upload.ts";
import { MAX_NAMED_BUNDLE_BYTES, type ParsedBundle, parseBundle } from "../sign/bundle.ts";
import type { Envelope } from "../sign/dsse.ts";
import { operatorKeys } from "./operator-keys.ts";

/** A bundle whose envelope is in the journal now. Paths as they were given. */
export type UploadedBundle = Uploaded & { file: string };

/**
 * Stores the envelopes of bundles beside their entries, which came from outside without them: entry and signature of
 * each are verified first. Stops at the first that cannot be stored; those before it are.
 *
 * @throws WaybillError WB-INPUT-001 its entry is not in this journal, WB-INPUT-006 not such a bundle; and as
 *   `uploadEnvelope` and `openJournal`
 */
export async function uploadBundles(home: string, files: readonly string[]): Promise<UploadedBundle[]> {
  const operators = operatorKeys(home);
  const journal = await openJournal(home);
  try {
    const uploaded: UploadedBundle[] = [];
    for (const file of files) {
      const text = readTextBounded(file, MAX_NAMED_BUNDLE_BYTES, { follow: true });
      const bundle = parseBundle(text, { maxBytes: MAX_NAMED_BUNDLE_BYTES });
      if ("problem" in bundle) throw refused(file, bundle.problem);
      if (bundle.content.kind !== "dsse")
        throw refused(file, "a signature over a file has no envelope: its entry says all that there is");
      const { envelope } = bundle.content;
      const appendable = entryOf(bundle, envelope, (leaf) => journal.indexOfLeaf(leaf) !== undefined);
      if (appendable === undefined)
        throw new WaybillError("WB-INPUT-001", `${file} bears no entry of this journal`, {
          hint: "log it first: cosign writes the entry into the bundle when it signs with `journal serve`",
        });
      uploaded.push({ file, ...(await uploadEnvelope(journal, appendable, operators)) });
    }
    return uploaded;
  } finally {
    await journal.close();
  }
}

/** The envelope with its maker, as the entry of this journal in the bundle names it. */
function entryOf(
  { logEntries }: ParsedBundle,
  envelope: Envelope,
  isHere: (leaf: string) => boolean,
): Parameters<typeof uploadEnvelope>[1] | undefined {
  for (const { body } of logEntries) {
    const text = body.toString("utf8");
    const entry = parseEntry(text);
    if ("problem" in entry || !isHere(leafOf(text))) continue;
    return entry.verifier.kind === "publicKey"
      ? { envelope, publicKey: entry.publicKey }
      : { envelope, certificate: entry.verifier.der };
  }
  return undefined;
}

function refused(file: string, why: string): WaybillError {
  return new WaybillError("WB-INPUT-006", `${file}: ${why}`, {
    hint: "give the bundle of an attestation whose entry is in this journal",
  });
}

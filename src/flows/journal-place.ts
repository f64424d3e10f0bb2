import { existsSync } from "node:fs";
import { join } from "node:path";
import { JOURNAL_FOLDER } from "../journal/journal.ts";

/** True where this home has a journal, whatever state it is in. */
export function hasJournal(home: string): boolean {
  return existsSync(join(home, JOURNAL_FOLDER));
}

/** File in the journal's folder that names the witnesses to ask after signing. */
export const WITNESSES_FILE = "witnesses.json";

/** True where the operator saved witnesses for the journal of this home. */
export function hasSavedWitnesses(home: string): boolean {
  return existsSync(join(home, JOURNAL_FOLDER, WITNESSES_FILE));
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import { JOURNAL_FOLDER } from "../journal/journal.ts";

/** True where this home has a journal, whatever state it is in. */
export function hasJournal(home: string): boolean {
  return existsSync(join(home, JOURNAL_FOLDER));
}

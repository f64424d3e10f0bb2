import type { Rule } from "../core/finding.ts";

const rule = (code: string, group: Rule["group"], title: string, why: string, fix: string): Rule => ({
  code,
  group,
  title,
  why,
  fix,
  blocksAt: "baseline",
});

const RESTORE = "put the damaged file back from a copy of the journal, then: waybill journal fsck";

/** What `fsck` finds in a journal. WB-LOG-010 to 019. */
export const JOURNAL_RULES = {
  checkpoint: rule(
    "WB-LOG-010",
    "signature",
    "the journal's checkpoint is signed by its key",
    "The checkpoint says how many entries there are and under which root. Without a valid signature anyone could have written it, and nothing that hangs on it is proved.",
    RESTORE,
  ),
  tree: rule(
    "WB-LOG-011",
    "integrity",
    "the journal's entries and tiles give the signed root",
    "Every entry and every hash of a tile follows from the signed root. One that does not was changed, lost or added after it was logged.",
    RESTORE,
  ),
  missing: rule(
    "WB-LOG-012",
    "integrity",
    "every entry has its envelope",
    "An entry holds only a digest and a signature. What was signed is in the envelope: without it nobody can say what the entry is about. Only a signed erasure, or a signed note that the entry came from outside, excuses its absence.",
    "put the envelope back from a copy of the journal, or from the bundle that carries it",
  ),
  envelope: rule(
    "WB-LOG-013",
    "integrity",
    "every envelope is the one that was logged",
    "The entry's digest and signature are over one envelope exactly. Another one in its place was changed after it was logged, or put there by someone else.",
    RESTORE,
  ),
  stray: rule(
    "WB-LOG-014",
    "integrity",
    "the journal holds nothing that was not logged",
    "A file that no entry accounts for was put there past the log: it may look like logged evidence and is none.",
    "find out where it comes from, then remove it",
  ),
  key: rule(
    "WB-LOG-015",
    "integrity",
    "the journal's key and trusted root belong to it",
    "The key signs every checkpoint and the trusted root tells others which key that is. A damaged or exchanged one makes the journal's proofs worthless to them, and a key that others can read lets them sign a journal of their own.",
    "put the file back from a copy of the journal; a lost trusted root is written again by the next append",
  ),
  database: rule(
    "WB-LOG-016",
    "integrity",
    "the journal's database agrees with its files",
    "The database orders what is appended. One that says something else than the files could give two entries one place; Waybill appends nothing until they agree.",
    "stop all writers and move journal.sqlite and journal.sqlite-wal aside: the next append makes them again from the files",
  ),
  entry: rule(
    "WB-LOG-017",
    "integrity",
    "every entry is one that can be checked",
    "Waybill logs hashedrekord 0.0.2 by ECDSA keys alone. An entry of another form was logged by something else, and nobody can tell what it stands for.",
    "find out which program wrote to the journal",
  ),
  vouched: rule(
    "WB-LOG-018",
    "trust",
    "who excuses a missing envelope is entitled to",
    "Only the signer of a statement, or a key that the operator names, may erase it or declare it an entry from outside: else whoever can append could make evidence disappear unseen.",
    "name the operator's key, if it is one: waybill journal fsck --operator KEYID",
  ),
} as const satisfies Record<string, Rule>;

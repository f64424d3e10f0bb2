import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { Finding, Rule } from "../core/finding.ts";
import type { Hash } from "../core/merkle.ts";
import type { NoteVerifier } from "../core/note.ts";
import { MAX_BUNDLE } from "../core/tlog-tiles.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { auditTiles } from "./audit.ts";
import { type Entry, envelopeDigest, envelopeProblem, parseEntry } from "./entry.ts";
import { envelopePath, leafOfEnvelopePath, MAX_ENVELOPE, parseEnvelopeFile } from "./envelope-file.ts";
import { DatabaseCheck } from "./fsck-database.ts";
import { checkHead, checkpointSize, checkpointText } from "./fsck-head.ts";
import { type JournalFiles, listJournal } from "./fsck-list.ts";
import { ERASURE_TYPE, type OwnStatement, readOwnStatement } from "./own-statements.ts";
import { JOURNAL_RULES } from "./rules.ts";

/** Findings that are listed; the rest is counted. */
const MAX_FINDINGS = 1000;

/** What `fsck` says of a journal. */
export interface JournalReport {
  origin?: string;
  /** Of the checkpoint that everything was held against. */
  size?: number;
  root?: Hex;
  /** At most 1,000. */
  findings: Finding[];
  /** Findings in all. */
  found: number;
  /** What is no fault: leftovers of killed writers, entries on their way, files of others. */
  notes: string[];
  /** Entries whose envelope was read and verified. */
  verified: number;
  /** Entries from outside, by a signed statement of an operator: no envelope, so nobody knows what they are about. */
  external: { index: number; leaf: Hex; verifier: Hex }[];
  /** Entries whose envelope was erased by a signed statement. */
  erased: { index: number; leaf: Hex; by: Hex; reason: string; at: string }[];
}

/**
 * Checks every byte of a journal: checkpoint, key and trusted root, tiles, entries, envelopes with their signatures,
 * and the database. Changes nothing, and takes no lock: what is appended meanwhile is left for the next time.
 *
 * @param folder the journal
 * @param options `operators`: ids of keys that may erase any envelope and vouch for entries from outside;
 *   `witnesses`: keys whose cosignatures on the checkpoint are verified too
 * @throws WaybillError WB-STORE-005 there is no journal, WB-INPUT-002 a file that may not be read
 */
export async function fsckJournal(
  folder: string,
  options: { operators?: readonly Hex[]; witnesses?: readonly NoteVerifier[] } = {},
): Promise<JournalReport> {
  return new JournalCheck(folder, new Set(options.operators)).run(options.witnesses ?? []);
}

/** What a key says of an entry without an envelope. */
type Claim = OwnStatement & { signer: Hex };

/** An entry without an envelope. */
interface Missing {
  leaf: Hex;
  digest: string;
  keyId: Hex;
  claim?: Claim;
}

class JournalCheck {
  readonly #folder: string;
  readonly #operators: ReadonlySet<Hex>;
  readonly #report: JournalReport = {
    findings: [],
    found: 0,
    notes: [],
    verified: 0,
    external: [],
    erased: [],
  };
  readonly #missing = new Map<number, Missing>();

  constructor(folder: string, operators: ReadonlySet<Hex>) {
    this.#folder = folder;
    this.#operators = operators;
  }

  async run(witnesses: readonly NoteVerifier[]): Promise<JournalReport> {
    // The order matters where writers go on: each later look sees at least what the earlier one saw.
    const text = checkpointText(this.#folder);
    const database = new DatabaseCheck(this.#folder, this.#add);
    try {
      const { state } = database;
      const head = checkHead(this.#folder, { text, database: state, witnesses }, this.#add, this.#note);
      const files = listJournal(this.#folder);
      if (head !== undefined) {
        Object.assign(this.#report, { origin: head.origin, size: head.size, root: hex(head.root) });
        database.begin(head, () => checkpointSize(checkpointText(this.#folder)));
        await this.#tree(head, files, database);
        this.#excuses();
      }
      database.finish();
      if (head !== undefined) this.#strays(files, head.size, database);
      this.#leftovers(files, database);
    } finally {
      database.close();
    }
    return this.#report;
  }

  async #tree(
    head: { size: number; root: Hash },
    files: JournalFiles,
    database: DatabaseCheck,
  ): Promise<void> {
    const audit = await auditTiles((path) => this.#read(path, MAX_BUNDLE), head, {
      paths: files.tiles,
      onEntry: (bytes, index, leaf) => {
        const body = Buffer.from(bytes).toString("utf8");
        const name = hex(leaf);
        files.envelopes.delete(envelopePath(name));
        database.entry(index, name, body);
        this.#entry(index, name, body);
      },
    });
    for (const { path, problem, entry } of audit.problems)
      this.#add(
        path === "checkpoint" ? JOURNAL_RULES.checkpoint : JOURNAL_RULES.tree,
        path,
        entry === undefined ? problem : `entry ${entry}: ${problem}`,
      );
    this.#report.found += audit.found - audit.problems.length;
    files.beyond = audit.beyond;
  }

  #entry(index: number, leaf: Hex, body: string): void {
    const entry = parseEntry(body);
    if ("problem" in entry) {
      this.#add(JOURNAL_RULES.entry, undefined, `entry ${index}: ${entry.problem}`);
      return;
    }
    const path = envelopePath(leaf);
    const digest = entry.digest.toString("hex");
    const bytes = this.#read(path, MAX_ENVELOPE);
    if (bytes === undefined) {
      this.#missing.set(index, { leaf, digest, keyId: entry.keyId });
      return;
    }
    const problem = envelopeFileProblem(bytes, entry);
    if (typeof problem === "string") {
      this.#add(JOURNAL_RULES.envelope, path, `entry ${index}: ${problem}`);
      return;
    }
    this.#report.verified += 1;
    const own = readOwnStatement(problem.payload);
    if (own === undefined) return;
    if ("problem" in own) {
      this.#note(`entry ${index} is ${own.problem}`);
      return;
    }
    const missing = this.#missing.get(own.index);
    if (missing?.leaf !== own.leaf || !Object.values(own.subject).includes(missing.digest)) return;
    const claim = { ...own, signer: entry.keyId };
    // One is kept, the best: anybody may log any number of them.
    if (!missing.claim || this.#weight(claim, missing) > this.#weight(missing.claim, missing))
      missing.claim = claim;
  }

  /** A missing envelope is excused by a statement about this very entry, by someone who may make it. */
  #excuses(): void {
    for (const [index, entry] of this.#missing) {
      const { leaf, claim } = entry;
      const path = envelopePath(leaf);
      if (!claim) this.#add(JOURNAL_RULES.missing, path, `the envelope of entry ${index} is missing`);
      else if (this.#weight(claim, entry) === 0)
        this.#add(
          JOURNAL_RULES.vouched,
          path,
          `the envelope of entry ${index} is gone, and key ${claim.signer.slice(0, 12)}, which says why, may not say so`,
        );
      else if (claim.type === ERASURE_TYPE)
        this.#report.erased.push({ index, leaf, by: claim.signer, reason: claim.reason, at: claim.at });
      else this.#report.external.push({ index, leaf, verifier: claim.verifier });
    }
  }

  /** 0 for one who may not say so. An entry from outside whose bundle was uploaded can be erased like any other. */
  #weight(claim: Claim, { keyId }: Missing): number {
    if (claim.type === ERASURE_TYPE)
      return this.#operators.has(claim.signer) || claim.signer === keyId ? 2 : 0;
    return this.#operators.has(claim.signer) && claim.verifier === keyId ? 1 : 0;
  }

  /** Envelopes that are left over belong to no entry, unless they belong to one that came meanwhile. */
  #strays(files: JournalFiles, size: number, database: DatabaseCheck): void {
    for (const path of files.envelopes) {
      const leaf = leafOfEnvelopePath(path);
      const index = leaf === undefined ? undefined : database.indexOfLeaf(leaf);
      if (index !== undefined && index >= size) continue;
      this.#add(
        JOURNAL_RULES.stray,
        path,
        leaf === undefined ? "not the name of an envelope" : "an envelope that no entry is about",
      );
    }
    // A writer puts tiles down before the checkpoint that covers them.
    for (const path of files.beyond.filter((tile) => !database.explainsTile(tile)))
      this.#add(JOURNAL_RULES.stray, path, "a tile of a larger tree than the checkpoint's");
    for (const path of files.strange) this.#add(JOURNAL_RULES.stray, path, "not a file of a journal");
  }

  #leftovers(files: JournalFiles, database: DatabaseCheck): void {
    for (const path of files.temporary)
      this.#note(`${path}: left by a writer that was killed; it may be removed`);
    for (const path of files.others) this.#note(`${path}: not a part of the journal`);
    for (const note of database.notes) this.#note(note);
  }

  #read(path: string, limit: number): Buffer | undefined {
    try {
      return readFileBounded(join(this.#folder, path), limit);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      if (error.code === "WB-INPUT-001") return undefined;
      // A link, a folder or far too many bytes in a file's place: another file than the one that was written.
      if (
        !lstatSync(join(this.#folder, path), { throwIfNoEntry: false })?.isFile() ||
        error.code === "WB-INPUT-003"
      )
        return Buffer.alloc(0);
      throw error;
    }
  }

  readonly #add = (rule: Rule, path: string | undefined, message: string): void => {
    this.#report.found += 1;
    if (this.#report.findings.length >= MAX_FINDINGS) return;
    const { code, why, fix } = rule;
    this.#report.findings.push({ code, message, ...(path === undefined ? {} : { path }), why, fix });
  };

  readonly #note = (text: string): void => {
    if (this.#report.notes.length < MAX_FINDINGS) this.#report.notes.push(text);
  };
}

/** The payload of an envelope file that is the one its entry is about; else what is wrong with it. */
function envelopeFileProblem(bytes: Buffer, entry: Entry): string | { payload: Buffer } {
  const envelope = parseEnvelopeFile(bytes);
  if ("problem" in envelope) return envelope.problem;
  if (!envelopeDigest(envelope, entry.publicKey).equals(entry.digest))
    return "the envelope is not the one that was logged";
  if (envelope.signatures[0]?.sig !== entry.signature.toString("base64"))
    return "the envelope bears another signature than the entry";
  return envelopeProblem(envelope, entry.publicKey) ?? { payload: Buffer.from(envelope.payload, "base64") };
}

function hex(hash: Hash): Hex {
  return Buffer.from(hash).toString("hex");
}

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "../core/canonical-json.ts";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { encodeSignatureLine, parseNote, parseSignatureLine } from "../core/note.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { LOCK_TIMEOUT_MS, type SequencedEntry, Sequencer, type TreeNode } from "../store/sequencer.ts";
import { DurableFolder } from "./durable-files.ts";
import { parseEntry } from "./entry.ts";
import { envelopePath } from "./envelope-file.ts";
import type { Frontier } from "./frontier.ts";
import { type Appendable, type Item, itemOf, leafOf } from "./log-item.ts";
import type { LogKey } from "./log-key.ts";
import { openReader } from "./open-reader.ts";
import { ERASURE_TYPE, readOwnStatement } from "./own-statements.ts";
import { prepare } from "./prepare.ts";
import { loadFrontier, publish } from "./publish.ts";
import { CHECKPOINT_FILE, type JournalReader, type ProvedEntry, type SignedCheckpoint } from "./reader.ts";

/** The journal's folder in WAYBILL_HOME. */
export const JOURNAL_FOLDER = "journal";

/** File of the sequencer's database. */
export const SEQUENCER_FILE = "journal.sqlite";

/** What one transaction takes at most; the rest waits for the next one. */
const [MAX_BATCH, MAX_BATCH_BYTES] = [4096, 16 << 20];

/** An entry that is in the log. */
export interface Appended {
  index: number;
  /** Leaf hash: the name of its envelope. */
  leaf: Hex;
  /** True: it was in the log before. */
  known: boolean;
  /** Sigstore TransparencyLogEntry with its inclusion proof, for the bundle. */
  tlogEntry: Json;
}

interface Waiting extends Item {
  resolve(at: { index: number; known: boolean; checkpoint: SignedCheckpoint }): void;
  reject(error: unknown): void;
}

/**
 * Opens the journal of a home for writing; any number of processes may have it open. What a killed writer had committed
 * and not yet published is published first, and a lost database is made again from the files.
 *
 * @param home WAYBILL_HOME
 * @param options `create`: make the journal when there is none, under this origin or one made of its key; `now`: the
 *   time of making it; `lockTimeoutMs`: how long a writer waits for its turn
 * @throws WaybillError WB-STORE-005 no journal, WB-STORE-003 its files contradict each other, WB-STORE-004 another
 *   writer holds it for too long, WB-INPUT-007 not an origin, WB-INPUT-010 it exists under another one, WB-STORE-001/002
 */
export async function openJournal(
  home: string,
  options: { create?: { origin?: string }; now?: Date; lockTimeoutMs?: number } = {},
): Promise<Journal> {
  const folder = join(home, JOURNAL_FOLDER);
  const there = existsSync(join(folder, CHECKPOINT_FILE)) || existsSync(join(folder, SEQUENCER_FILE));
  if (!there && !options.create)
    throw new WaybillError("WB-STORE-005", `there is no journal in ${home}`, {
      hint: "waybill journal init",
    });
  makeFolder(folder, { mode: 0o700, hint: "let WAYBILL_HOME name a folder that this user can write" });
  const sequencer = new Sequencer(join(folder, SEQUENCER_FILE), {
    timeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
  });
  try {
    const { key, origin } = await sequencer.locked(() =>
      prepare(folder, sequencer, options.create ?? {}, options.now),
    );
    const wanted = options.create?.origin;
    if (wanted !== undefined && wanted !== origin)
      throw new WaybillError("WB-INPUT-010", `the journal exists already, under the origin ${origin}`, {
        hint: "an origin cannot be changed: proofs that were given out name it",
      });
    const files = new DurableFolder(folder);
    await sequencer.locked(() => publish(files, sequencer, key));
    return new Journal(openReader(folder), files, sequencer, key);
  } catch (error) {
    sequencer.close();
    throw error;
  }
}

/** A journal that is open for writing. */
export class Journal {
  readonly reader: JournalReader;
  readonly #files: DurableFolder;
  readonly #sequencer: Sequencer;
  readonly #key: LogKey;
  readonly #waiting: Waiting[] = [];
  #frontier: Frontier | undefined;
  #working: Promise<void> | undefined;

  constructor(reader: JournalReader, files: DurableFolder, sequencer: Sequencer, key: LogKey) {
    this.reader = reader;
    this.#files = files;
    this.#sequencer = sequencer;
    this.#key = key;
  }

  get folder(): string {
    return this.reader.folder;
  }

  get origin(): string {
    return this.reader.origin;
  }

  /**
   * Logs a signed statement. Resolves once entry, envelope, tiles and checkpoint are durable; calls that run at the
   * same time share one transaction and one checkpoint. A statement by the same signature is logged once.
   *
   * @throws WaybillError WB-INPUT-006 its signature does not verify, WB-INPUT-016 a key that is not ECDSA,
   *   WB-INPUT-003 too large, WB-STORE-001 to -004: it may be in the log all the same, and may be appended again
   */
  async append(entry: Appendable): Promise<Appended> {
    return this.#enqueue(itemOf(entry));
  }

  /**
   * Logs an entry that came from outside without its envelope, and right behind it, in the same transaction, the
   * statement of an operator that says so (`urn:waybill:external-entry:v1`): no leaf is ever without either.
   *
   * @param body the entry, which must parse (`parseEntry`); whether its verifier may log here is the caller's affair
   * @param vouch makes and signs the statement, once the index is known; called with the journal locked: be quick
   * @throws WaybillError WB-INPUT-006 not an entry that is read, and as `append`
   */
  async appendExternal(body: string, vouch: NonNullable<Item["vouch"]>): Promise<Appended> {
    const entry = parseEntry(body);
    if ("problem" in entry)
      throw new WaybillError("WB-INPUT-006", entry.problem, { hint: "send a canonical hashedrekord 0.0.2" });
    return this.#enqueue({
      leaf: leafOf(body),
      digest: entry.digest.toString("hex"),
      body,
      envelope: null,
      vouch,
    });
  }

  async #enqueue(item: Item): Promise<Appended> {
    const at = await new Promise<Parameters<Waiting["resolve"]>[0]>((resolve, reject) => {
      this.#waiting.push({ ...item, resolve, reject });
      // Not at once: what is appended in the same turn of the loop goes into the same transaction.
      this.#working ??= Promise.resolve().then(() => this.#work());
    });
    const { index, known, checkpoint } = at;
    return { index, leaf: item.leaf, known, tlogEntry: this.reader.logEntry(index, checkpoint) };
  }

  /**
   * Takes an envelope out. Its erasure is logged first, so that no moment has a leaf without either.
   *
   * @param index the entry whose envelope goes
   * @param erasure a signed statement made by `makeErasureStatement` about that entry
   * @throws WaybillError WB-INPUT-006 the statement is about something else, and as `append`
   */
  async erase(index: number, erasure: Appendable): Promise<Appended> {
    const leaf = Buffer.from(this.proveInclusion(index).leaf).toString("hex");
    const read = readOwnStatement(Buffer.from(erasure.envelope.payload, "base64"));
    if (
      !read ||
      "problem" in read ||
      read.type !== ERASURE_TYPE ||
      read.index !== index ||
      read.leaf !== leaf
    )
      throw new WaybillError("WB-INPUT-006", `the statement is not an erasure of entry ${index}`, {
        hint: "make it with makeErasureStatement for that entry",
      });
    const appended = await this.append(erasure);
    await this.#sequencer.locked(() => this.#files.remove(envelopePath(leaf)));
    return appended;
  }

  /**
   * Puts an envelope beside its entry, which came without it.
   *
   * @param text as `encodeEnvelopeFile` gives it; who calls has verified it against the entry
   * @param check throws where it must not be kept; called as the only writer
   * @throws what `check` throws, WB-STORE-001 to -004
   */
  async keepEnvelope(leaf: Hex, text: string, check: () => void): Promise<void> {
    await this.#sequencer.locked(async () => {
      check();
      await this.#files.write([{ path: envelopePath(leaf), data: text }]);
    });
  }

  /**
   * Puts cosignatures under the published checkpoint. Does nothing when another one was published meanwhile.
   *
   * @param note the checkpoint with lines added behind its own; who calls has verified them
   * @returns the checkpoint that is in the file then
   */
  putCosigned(note: string): Promise<SignedCheckpoint> {
    return this.#sequencer.locked(() => {
      const now = this.checkpoint();
      const cosigned = parseNote(note);
      const current = parseNote(now.note);
      if ("problem" in cosigned || "problem" in current || cosigned.text !== current.text) return now;
      const has = new Set(current.signatures.map(encodeSignatureLine));
      const added = cosigned.signatures.map(encodeSignatureLine).filter((line) => !has.has(line));
      const names = new Set(current.signatures.map(({ name, keyId }) => `${keyId} ${name}`));
      const fresh = added.filter((line) => {
        const { name, keyId } = parseSignatureLine(line.trimEnd())!;
        return !names.has(`${keyId} ${name}`);
      });
      if (fresh.length === 0) return now;
      writeFileAtomic(join(this.folder, CHECKPOINT_FILE), now.note + fresh.join(""), { mode: 0o644 });
      return this.checkpoint();
    });
  }

  /** The published checkpoint; throws as the reader's. */
  checkpoint(): SignedCheckpoint {
    return this.reader.checkpoint();
  }

  /** As the reader's. */
  proveInclusion(index: number): ProvedEntry {
    return this.reader.proveInclusion(index);
  }

  /** As the reader's. */
  proveConsistency(size1: number, size2?: number): ReturnType<JournalReader["proveConsistency"]> {
    return this.reader.proveConsistency(size1, size2);
  }

  /** Index of the entry with this leaf hash. */
  indexOfLeaf(leaf: Hex): number | undefined {
    return this.#sequencer.indexOfLeaf(leaf);
  }

  /** Waits for what is being appended, then lets go of the database. */
  async close(): Promise<void> {
    await this.#working;
    this.#sequencer.close();
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        const indexes = await this.#sequencer.locked(() => this.#commit(batch));
        // A transaction of its own: only what is committed is signed. It notes no more than what the files say.
        const checkpoint = await this.#sequencer.locked(
          () => publish(this.#files, this.#sequencer, this.#key),
          { mayBeLost: true },
        );
        batch.forEach((item, i) => {
          item.resolve({ ...indexes[i]!, checkpoint });
        });
      } catch (error) {
        this.#frontier = undefined;
        for (const item of batch) item.reject(error);
      }
    }
    this.#working = undefined;
  }

  #take(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((item, i) => {
      bytes += (item.envelope?.length ?? 0) + item.body.length;
      return i >= MAX_BATCH || (i > 0 && bytes > MAX_BATCH_BYTES);
    });
    return this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
  }

  #commit(batch: readonly Waiting[]): { index: number; known: boolean }[] {
    const { size, root } = this.#sequencer.state()!;
    const fits = this.#frontier?.size === size && Buffer.from(this.#frontier.root()).toString("hex") === root;
    const frontier = fits ? this.#frontier! : loadFrontier(this.#sequencer, size);
    this.#frontier = frontier;
    const entries: SequencedEntry[] = [];
    const nodes: TreeNode[] = [];
    const here = new Map<Hex, number>();
    const place = (item: Item): { index: number; known: boolean } => {
      const known = here.get(item.leaf) ?? this.#sequencer.indexOfLeaf(item.leaf);
      if (known !== undefined) return { index: known, known: true };
      const index = frontier.size;
      for (const node of frontier.push(Buffer.from(item.leaf, "hex")))
        nodes.push({ ...node, hash: Buffer.from(node.hash).toString("hex") });
      const { leaf, digest, body, envelope, vouch } = item;
      entries.push({ index, leaf, digest, body, envelope });
      here.set(leaf, index);
      if (vouch) place(itemOf(vouch({ index, leaf })));
      return { index, known: false };
    };
    const indexes = batch.map(place);
    const after = { size: frontier.size, root: Buffer.from(frontier.root()).toString("hex") };
    if (entries.length > 0) this.#sequencer.append({ size, root }, entries, nodes, after);
    return indexes;
  }
}

import { randomInt } from "node:crypto";
import { statSync } from "node:fs";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { isBusy, sqliteFailure } from "./sqlite-failure.ts";

/** What the sequencer has committed. */
export interface SequencerState {
  origin: string;
  /** Hex of the log's key id. */
  logId: Hex;
  /** RFC 3339: when the log was made. */
  start: string;
  size: number;
  root: Hex;
  /** Every entry below this is in durable files under a durable checkpoint. */
  published: number;
}

/** One entry on its way into the files. */
export interface SequencedEntry {
  index: number;
  /** RFC 6962 leaf hash. */
  leaf: Hex;
  /** Hash(PAE) in hex, or whatever digest the entry was made over. */
  digest: string;
  /** The entry's bytes, which are JSON text. */
  body: string;
  /** The text of its envelope file; null for an entry from outside. */
  envelope: string | null;
}

/** An inner node that a tile above level 0 holds: `index` counts the nodes of its level from the left. */
export interface TreeNode {
  level: number;
  index: number;
  hash: Hex;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL, log_id TEXT NOT NULL,
  start TEXT NOT NULL, size BIGINT NOT NULL, root TEXT NOT NULL, published BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS pending (idx BIGINT PRIMARY KEY, leaf TEXT NOT NULL, body TEXT NOT NULL, envelope TEXT);
CREATE TABLE IF NOT EXISTS nodes (level INTEGER NOT NULL, idx BIGINT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (level, idx));
CREATE TABLE IF NOT EXISTS entries (leaf TEXT PRIMARY KEY, idx BIGINT NOT NULL UNIQUE, digest TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_digest ON entries (digest);
`;

/** How long a writer waits for its turn, in milliseconds, unless told otherwise. */
export const LOCK_TIMEOUT_MS = 30_000;

/**
 * Decides the order of a journal's entries: the only place where two writers meet. All of its state is in one
 * SQLite database in WAL mode with synchronous=FULL (unless a transaction may be lost); whoever is inside of `locked` is the only writer, in this
 * process and in every other one, until its transaction ends or its process does. The lock cannot be taken from a
 * process that is merely stopped.
 *
 * What it keeps is a projection: it can be made again from the journal's files, but for entries that were never
 * acknowledged.
 */
export class Sequencer {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #timeoutMs: number;
  readonly #inode: number | undefined;
  readonly #statements = new Map<string, StatementSync>();
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param path the database, made when absent unless `readOnly`
   * @throws WaybillError WB-STORE-001/002 it cannot be made, WB-STORE-003 it is damaged
   */
  constructor(path: string, options: { timeoutMs?: number; readOnly?: boolean } = {}) {
    this.path = path;
    this.#timeoutMs = options.timeoutMs ?? LOCK_TIMEOUT_MS;
    this.#db = this.#attempt(
      () => new DatabaseSync(path, { readOnly: options.readOnly === true, timeout: 5000 }),
    );
    this.#inode = statSync(path, { throwIfNoEntry: false })?.ino;
    if (options.readOnly) return;
    this.#attempt(() => {
      this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      this.#db.exec(SCHEMA);
      // From here on waiting is done by `locked`, which does not hold up the whole process meanwhile.
      this.#db.exec("PRAGMA busy_timeout = 0;");
    });
  }

  /**
   * Runs `work` as the only writer, in one transaction: committed when it ends, taken back when it throws.
   *
   * @param options `mayBeLost`: a power cut may take the transaction back until the next one that is durable; only for
   *   what can be found out again. It saves an fsync
   * @throws WaybillError WB-STORE-004 no turn within the time limit, WB-STORE-001 to -003, and what `work` throws
   */
  locked<T>(work: () => T | Promise<T>, options: { mayBeLost?: boolean } = {}): Promise<T> {
    const mine = this.#turn.then(() => this.#transaction(work, options.mayBeLost === true));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  async #transaction<T>(work: () => T | Promise<T>, mayBeLost: boolean): Promise<T> {
    this.#attempt(() => this.#db.exec(`PRAGMA synchronous = ${mayBeLost ? "NORMAL" : "FULL"}`));
    await this.#begin();
    let result: T;
    try {
      this.#mustBeInPlace();
      result = await work();
    } catch (error) {
      this.#rollback();
      throw error;
    }
    try {
      this.#attempt(() => this.#db.exec("COMMIT"));
    } catch (error) {
      this.#rollback();
      throw error;
    }
    return result;
  }

  async #begin(): Promise<void> {
    const deadline = performance.now() + this.#timeoutMs;
    for (;;) {
      try {
        this.#db.exec("BEGIN IMMEDIATE");
        return;
      } catch (error) {
        if (!isBusy(error)) throw sqliteFailure(this.path, error);
        if (performance.now() > deadline)
          throw new WaybillError(
            "WB-STORE-004",
            `another writer holds ${this.path} for over ${this.#timeoutMs / 1000} s`,
            {
              hint:
                "find it with: fuser -v " +
                this.path +
                "   (a stopped process keeps its turn; let it go on or end it)",
              cause: error,
            },
          );
        // Uneven, so that several writers do not knock in step for ever.
        await sleep(randomInt(1, 12));
      }
    }
  }

  /** A database that was replaced while this process slept orders nothing any more. */
  #mustBeInPlace(): void {
    const now = statSync(this.path, { throwIfNoEntry: false });
    if (now?.ino === this.#inode) return;
    throw new WaybillError("WB-STORE-003", `${this.path} was replaced while it was in use`, {
      hint: "end every process that writes to the journal, then run the command again",
    });
  }

  #rollback(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // SQLite took it back itself; what made it do so is being thrown already.
    }
  }

  /** What has been committed; undefined before `create`. */
  state(): SequencerState | undefined {
    const row = this.#get("SELECT origin, log_id, start, size, root, published FROM state WHERE id = 1");
    if (!row) return undefined;
    return {
      origin: String(row.origin),
      logId: String(row.log_id),
      start: String(row.start),
      size: Number(row.size),
      root: String(row.root),
      published: Number(row.published),
    };
  }

  /** Begins a log, or one that is read back out of its files. Only inside of `locked`, and only once. */
  create(state: SequencerState): void {
    const { origin, logId, start, size, root, published } = state;
    this.#run("INSERT INTO state VALUES (1, ?, ?, ?, ?, ?, ?)", origin, logId, start, size, root, published);
  }

  /**
   * Commits entries by compare-and-swap: from `before`, which must be what is committed, to the new size and root.
   * Only inside of `locked`.
   *
   * @throws WaybillError WB-STORE-003 when something else is committed
   */
  append(
    before: { size: number; root: Hex },
    entries: readonly SequencedEntry[],
    nodes: readonly TreeNode[],
    after: { size: number; root: Hex },
  ): void {
    this.#insert(entries, nodes);
    const sql = "UPDATE state SET size = ?, root = ? WHERE id = 1 AND size = ? AND root = ?";
    if (this.#run(sql, after.size, after.root, before.size, before.root) !== 1)
      throw new WaybillError("WB-STORE-003", `${this.path} is not at size ${before.size} any more`, {
        hint: "waybill journal fsck",
      });
  }

  /** Puts entries and nodes back that were read out of files. Only inside of `locked`, before `create`. */
  restore(entries: readonly SequencedEntry[], nodes: readonly TreeNode[], keepFrom: number): void {
    this.#insert(entries, nodes, keepFrom);
  }

  #insert(entries: readonly SequencedEntry[], nodes: readonly TreeNode[], keepFrom = 0): void {
    for (const { index, leaf, digest, body, envelope } of entries) {
      if (index >= keepFrom)
        this.#run("INSERT INTO pending VALUES (?, ?, ?, ?)", index, leaf, body, envelope);
      this.#run("INSERT INTO entries VALUES (?, ?, ?)", leaf, index, digest);
    }
    for (const { level, index, hash } of nodes)
      this.#run("INSERT INTO nodes VALUES (?, ?, ?)", level, index, hash);
  }

  /** Says that everything below `size` is in durable files, and forgets what full tiles hold. Only inside of `locked`. */
  published(size: number, levels: number): void {
    this.#run("UPDATE state SET published = ? WHERE id = 1", size);
    this.#run("DELETE FROM pending WHERE idx < ?", tileStart(size));
    // The files have them now; a copy of every envelope would double what a journal takes.
    this.#run("UPDATE pending SET envelope = NULL WHERE idx < ? AND envelope IS NOT NULL", size);
    for (let level = 1, count = size; level <= levels; level += 1) {
      count = Math.floor(count / 256);
      this.#run("DELETE FROM nodes WHERE level = ? AND idx < ?", level, tileStart(count));
    }
  }

  /** Pending entries with from <= index < to, in order; fewer when some are no longer kept. */
  pending(from: number, to: number): Omit<SequencedEntry, "digest">[] {
    const rows = this.#all(
      "SELECT idx, leaf, body, envelope FROM pending WHERE idx >= ? AND idx < ? ORDER BY idx",
      from,
      to,
    );
    return rows.map((row) => ({
      index: Number(row.idx),
      leaf: String(row.leaf),
      body: String(row.body),
      envelope: row.envelope === null ? null : String(row.envelope),
    }));
  }

  /** Hashes of the nodes of one level with from <= index < to, in order. */
  nodes(level: number, from: number, to: number): Hex[] {
    const sql = "SELECT hash FROM nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx";
    return this.#all(sql, level, from, to).map((row) => String(row.hash));
  }

  /** Index of the entry with this leaf hash. */
  indexOfLeaf(leaf: Hex): number | undefined {
    const row = this.#get("SELECT idx FROM entries WHERE leaf = ?", leaf);
    return row && Number(row.idx);
  }

  /** Indexes of the entries over this digest, which several signers may share; the first 100. */
  indexesOfDigest(digest: string): number[] {
    return this.#all("SELECT idx FROM entries WHERE digest = ? ORDER BY idx LIMIT 100", digest).map((row) =>
      Number(row.idx),
    );
  }

  /** Every indexed entry with from <= index < to, in order. */
  indexed(from: number, to: number): { index: number; leaf: Hex; digest: string }[] {
    const rows = this.#all(
      "SELECT idx, leaf, digest FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
      from,
      to,
    );
    return rows.map((row) => ({
      index: Number(row.idx),
      leaf: String(row.leaf),
      digest: String(row.digest),
    }));
  }

  /** How many entries are indexed. */
  indexedCount(): number {
    return Number(this.#get("SELECT count(*) AS n FROM entries")?.n ?? 0);
  }

  /** What SQLite's own check of the file says; empty when nothing. */
  integrity(): string[] {
    return this.#all("PRAGMA integrity_check(10)")
      .map((row) => String(row.integrity_check))
      .filter((line) => line !== "ok");
  }

  /** From here on everything that is read is of one moment, until `endSnapshot`. Writers go on. */
  beginSnapshot(): void {
    this.#attempt(() => this.#db.exec("BEGIN"));
    this.state();
  }

  endSnapshot(): void {
    this.#attempt(() => this.#db.exec("COMMIT"));
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #get(sql: string, ...values: (string | number)[]): Record<string, SQLOutputValue> | undefined {
    return this.#attempt(() => this.#prepare(sql).get(...values));
  }

  #all(sql: string, ...values: (string | number)[]): Record<string, SQLOutputValue>[] {
    return this.#attempt(() => this.#prepare(sql).all(...values));
  }

  #run(sql: string, ...values: (string | number | null)[]): number {
    return this.#attempt(() => Number(this.#prepare(sql).run(...values).changes));
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw sqliteFailure(this.path, error);
    }
  }
}

/** The first index of the tile that an index lies in. */
function tileStart(index: number): number {
  return index - (index % 256);
}

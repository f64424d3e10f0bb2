import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { type Hex, isHex, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";

/** The largest tree of a log that a witness has cosigned. */
export interface WitnessedHead {
  size: number;
  root: Hex;
}

/** The head of a log that was never cosigned: the empty tree. */
export const NOTHING_SEEN: WitnessedHead = { size: 0, root: sha256("") };

const SCHEMA = `
CREATE TABLE IF NOT EXISTS witnessed (origin TEXT PRIMARY KEY, size BIGINT NOT NULL, root TEXT NOT NULL);
`;

/** How long one process waits for another one's write, in milliseconds. */
const BUSY = 5_000;

/**
 * What a witness must never forget: for each log the head that it cosigned last. A head moves by compare-and-swap
 * in one SQL statement and is on the disk before `advance` returns, so that neither two requests, nor two processes
 * on one file, nor a crash can lead to two heads of which one does not contain the other. Whoever restores an older
 * copy of the file takes this promise back.
 */
export class WitnessState {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #inode: number | undefined;

  /**
   * Opens the file, made when it is missing; its folder must exist and lie on a local disk.
   *
   * @throws WaybillError WB-STORE-001 it cannot be opened
   */
  constructor(path: string) {
    this.#path = path;
    this.#database = this.#attempt(() => {
      const database = new DatabaseSync(path, { timeout: BUSY });
      // FULL: a commit waits until the log of changes is on the disk.
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
      database.exec(SCHEMA);
      return database;
    });
    this.#inode = inode(path);
  }

  /**
   * The head cosigned last, or the empty tree.
   *
   * @throws WaybillError WB-STORE-001 not readable, WB-STORE-003 damaged
   */
  head(origin: string): WitnessedHead {
    const row = this.#attempt(() =>
      this.#database.prepare("SELECT size, root FROM witnessed WHERE origin = ?").get(origin),
    );
    if (row === undefined) return NOTHING_SEEN;
    const { size, root } = row;
    if (typeof size === "number" && Number.isSafeInteger(size) && size >= 0)
      if (typeof root === "string" && isHex(root)) return { size, root };
    throw new WaybillError("WB-STORE-003", `${this.#path}: the head of a log is damaged`, {
      hint: "a witness that has forgotten must not sign: give it a new name and key, and an empty state",
    });
  }

  /**
   * Moves a log's head from the one that was checked to the new one, durably. False where it is no longer the one
   * that was checked: then nothing has changed. From a head to itself is a check that it still is.
   *
   * @throws WaybillError WB-STORE-001 not writable, or held too long by another process, WB-STORE-003 the file was
   *   replaced
   */
  advance(origin: string, from: WitnessedHead, to: WitnessedHead): boolean {
    // SQLite goes on writing to a file that was deleted or replaced, and another process has the new one.
    if (inode(this.#path) !== this.#inode)
      throw new WaybillError("WB-STORE-003", `${this.#path} was deleted or replaced while it was in use`, {
        hint: "put the file back, and start the witness again",
      });
    return this.#attempt(() => {
      if (from.size === 0)
        this.#database
          .prepare("INSERT INTO witnessed (origin, size, root) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
          .run(origin, NOTHING_SEEN.size, NOTHING_SEEN.root);
      const { changes } = this.#database
        .prepare("UPDATE witnessed SET size = ?, root = ? WHERE origin = ? AND size = ? AND root = ?")
        .run(to.size, to.root, origin, from.size, from.root);
      return Number(changes) === 1;
    });
  }

  /** Closes the file; the object is of no use afterwards. */
  close(): void {
    this.#database.close();
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new WaybillError("WB-STORE-001", `${this.#path}: ${reason}`, {
        hint: "check that the folder exists, that you may write there, and that the disk is not full",
        cause,
      });
    }
  }
}

function inode(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

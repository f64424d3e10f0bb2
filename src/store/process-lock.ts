import { DatabaseSync } from "node:sqlite";
import { WaybillError } from "../core/errors.ts";
import { isBusy, sqliteFailure } from "./sqlite-failure.ts";

/**
 * A lock that one process holds for as long as it lives: SQLite's on a file of its own, so that the kernel lets go of it
 * however the process ends. The file stays and is empty.
 */
export class ProcessLock {
  readonly #database: DatabaseSync;

  /**
   * @param path the file, made when it is missing; its folder must exist and lie on a local disk
   * @param what is locked, for people: `the access log`
   * @throws WaybillError WB-STORE-004 another process holds it, WB-STORE-001 it cannot be made
   */
  constructor(path: string, what: string) {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { timeout: 0 });
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE;");
    } catch (cause) {
      database?.close();
      if (!isBusy(cause)) throw sqliteFailure(path, cause);
      throw new WaybillError("WB-STORE-004", `another process holds ${what}`, {
        hint: `find it with: fuser -v ${path}`,
        cause,
      });
    }
    this.#database = database;
  }

  /** Lets go of it. */
  close(): void {
    this.#database.close();
  }
}

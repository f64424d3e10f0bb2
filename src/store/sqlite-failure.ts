import { WaybillError } from "../core/errors.ts";

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const [BUSY, LOCKED, FULL, CORRUPT, NOT_A_DB] = [5, 6, 13, 11, 26];

/** What SQLite could not do, as the job that could not be done; a WaybillError goes through as it is. */
export function sqliteFailure(path: string, cause: unknown): WaybillError {
  if (cause instanceof WaybillError) return cause;
  const code = sqliteCode(cause);
  const { message } = cause as Error;
  if (code === FULL)
    return new WaybillError("WB-STORE-002", `cannot write ${path}: ${message}`, {
      hint: "free some space and run the command again",
      cause,
    });
  if (code === BUSY || code === LOCKED)
    return new WaybillError("WB-STORE-004", `another writer holds ${path}`, {
      hint: "try again",
      cause,
    });
  if (code === CORRUPT || code === NOT_A_DB || code === 1)
    return new WaybillError("WB-STORE-003", `${path} is damaged: ${message}`, {
      hint: `waybill journal fsck; then move ${path} and its -wal aside: it is made again from the journal's files`,
      cause,
    });
  return new WaybillError("WB-STORE-001", `cannot use ${path}: ${message}`, {
    hint: "let WAYBILL_HOME name a folder that this user can write",
    cause,
  });
}

function sqliteCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}

/** True when another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === BUSY || code === LOCKED;
}

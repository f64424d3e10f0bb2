import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { WaybillError } from "../core/errors.ts";

/** Files written at a time: enough to keep a disk busy, few enough for any limit on descriptors. */
const AT_A_TIME = 64;

/** One file to be written, its path relative to the folder. */
export interface FileToWrite {
  path: string;
  data: string | Uint8Array;
}

/** A folder in which many files are written at a time, each whole or not at all. */
export class DurableFolder {
  readonly root: string;
  /** Folders whose own names are known to be durable. */
  readonly #settled = new Set<string>();

  constructor(root: string) {
    this.root = root;
  }

  /**
   * Writes files (temporary file, fsync, rename), then makes their names durable by an fsync of each folder that got
   * one. When it resolves, all of them survive a power cut. Files of the same name are replaced; folders are made.
   *
   * @throws WaybillError WB-STORE-002 disk full, WB-STORE-001 any other reason; some files may then be written
   */
  async write(files: readonly FileToWrite[]): Promise<void> {
    const toSync = new Set<string>();
    await inParallel(files, async (file) => {
      const path = join(this.root, file.path);
      try {
        this.#makeFolder(dirname(path), toSync);
        await writeOne(path, file.data);
      } catch (cause) {
        throw writeError(path, cause as NodeJS.ErrnoException);
      }
    });
    await inParallel([...toSync], async (folder) => {
      try {
        await syncFolder(folder);
      } catch (cause) {
        throw writeError(folder, cause as NodeJS.ErrnoException);
      }
    });
    for (const folder of toSync) this.#settled.add(folder);
  }

  /** Removes a file for good; nothing when there is none. Throws as `write`. */
  async remove(path: string): Promise<void> {
    const whole = join(this.root, path);
    try {
      await rm(whole, { force: true });
      await syncFolder(dirname(whole));
    } catch (cause) {
      throw writeError(whole, cause as NodeJS.ErrnoException);
    }
  }

  /**
   * Makes a folder and names it for syncing, with those above it: a new folder's own name lies there, and one that is
   * there already may have been made by a process that was killed before it could sync it.
   */
  #makeFolder(folder: string, toSync: Set<string>): void {
    if (toSync.has(folder)) return;
    const made = mkdirSync(folder, { recursive: true });
    toSync.add(folder);
    if (made === undefined && this.#settled.has(folder)) return;
    for (let at = dirname(folder); at.length >= this.root.length; at = dirname(at)) {
      toSync.add(at);
      if (this.#settled.has(at)) return;
    }
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, items.length) }, worker));
}

async function writeOne(path: string, data: string | Uint8Array): Promise<void> {
  const temp = join(dirname(path), `.waybill-${randomBytes(8).toString("hex")}.tmp`);
  try {
    const file = await open(temp, "wx", 0o644);
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
}

/** Makes the names in a folder durable. Windows has no such call, and some file systems refuse it for folders. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EINVAL" && code !== "ENOTSUP") throw error;
  } finally {
    await handle.close();
  }
}

function writeError(path: string, cause: NodeJS.ErrnoException): WaybillError {
  const full = cause.code === "ENOSPC" || cause.code === "EDQUOT";
  return new WaybillError(full ? "WB-STORE-002" : "WB-STORE-001", `cannot write ${path}: ${cause.message}`, {
    hint: full
      ? "free some space and run the command again; nothing that was acknowledged is lost"
      : `check that you may write to ${dirname(path)}`,
    cause,
  });
}

import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { WaybillError } from "../core/errors.ts";

/** Names of the temporary files; one left behind by a killed process holds nothing that anybody reads. */
export const TEMP_FILE = /^\.waybill-[0-9a-f]{16}\.tmp$/;

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);

/**
 * Writes a file so that every reader, also after a crash or a power cut, finds the whole old content or the
 * whole new one: temporary file in the same folder, fsync, rename, fsync of the folder (POSIX rename(2)).
 * A symbolic link at `path` is replaced, never followed.
 *
 * @param path the file; its folder must exist
 * @param data bytes, or text written as UTF-8
 * @param options `mode`: permission bits before the umask, 0666 when absent; `exclusive`: never replace an
 *   existing file, whoever made it in the meantime
 * @throws WaybillError WB-INPUT-010 exclusive and the file exists, WB-STORE-002 disk or quota full,
 *   WB-STORE-001 any other reason. The file is then as it was, unless only the last fsync of the folder failed.
 */
export function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: { mode?: number; exclusive?: boolean } = {},
): void {
  const folder = dirname(path);
  // Not derived from the file's name, which may already be as long as the file system allows.
  const temp = join(folder, `.waybill-${randomBytes(8).toString("hex")}.tmp`);
  try {
    writeDurably(temp, data, options.mode ?? 0o666);
    // rename() would replace; link() fails when the name is taken, without a moment between look and act.
    if (options.exclusive) linkSync(temp, path);
    else renameSync(temp, path);
  } catch (cause) {
    throw writeError(path, cause as NodeJS.ErrnoException);
  } finally {
    removeQuietly(temp);
  }
  try {
    syncFolder(folder);
  } catch (cause) {
    throw writeError(path, cause as NodeJS.ErrnoException);
  }
}

function writeDurably(temp: string, data: string | Uint8Array, mode: number): void {
  const fd = openSync(temp, CREATE, mode);
  try {
    // Loops over short writes, as on a disk that is nearly full.
    writeFileSync(fd, data);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes the new name itself durable. Windows has no such call; some file systems refuse it for folders. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(folder, constants.O_RDONLY | (constants.O_DIRECTORY ?? 0));
  try {
    fsyncSync(fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EINVAL" && code !== "ENOTSUP") throw error;
  } finally {
    closeSync(fd);
  }
}

/** After a rename there is nothing left to remove; a failure to remove must not hide the first one. */
function removeQuietly(temp: string): void {
  try {
    unlinkSync(temp);
  } catch {}
}

/** What the system said, without the name of the temporary file. */
function reason(cause: NodeJS.ErrnoException): string {
  return cause.message.replace(/, \w+ '[^']*'(?: -> '[^']*')?$/, "");
}

function writeError(path: string, cause: NodeJS.ErrnoException): WaybillError {
  if (cause.code === "EEXIST")
    return new WaybillError("WB-INPUT-010", `${path} exists already`, {
      hint: `choose another name, or move ${basename(path)} away first`,
      cause,
    });
  if (cause.code === "ENOSPC" || cause.code === "EDQUOT")
    return new WaybillError("WB-STORE-002", `no space left to write ${path}`, {
      hint: "free some space and run the command again; nothing was changed",
      cause,
    });
  return new WaybillError("WB-STORE-001", `cannot write ${path}: ${reason(cause)}`, {
    hint: `check that ${dirname(path)} exists and that you may write there`,
    cause,
  });
}

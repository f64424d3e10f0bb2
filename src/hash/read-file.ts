import { WaybillError } from "../core/errors.ts";

// `import … from "node:fs"` would load its streams too, which takes longer than to verify a bundle.
const { isUtf8 } = process.getBuiltinModule("node:buffer");
const { closeSync, constants, fstatSync, openSync, readSync } = process.getBuiltinModule("node:fs");

/**
 * Reads a whole regular file, never more than `limit` bytes and never from a pipe or device that could keep it
 * waiting.
 *
 * @param path any path
 * @param limit in bytes
 * @param options `follow`: also through a link in the last place, for files that the caller chose; never for
 *   files of a folder that may be hostile, whose link could show any file of the machine
 * @throws WaybillError WB-INPUT-001 not there, WB-INPUT-002 not readable or not a file, WB-INPUT-003 too large
 */
export function readFileBounded(path: string, limit: number, options: { follow?: boolean } = {}): Buffer {
  let fd: number;
  try {
    const noFollow = options.follow ? 0 : (constants.O_NOFOLLOW ?? 0);
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | noFollow);
  } catch (cause) {
    const missing = ["ENOENT", "ENOTDIR"].includes((cause as NodeJS.ErrnoException).code ?? "");
    if (missing)
      throw new WaybillError("WB-INPUT-001", `${path} does not exist`, { hint: "check the path", cause });
    throw unreadable(path, cause);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unreadable(path, new Error("not a regular file"));
    if (stat.size > limit)
      throw new WaybillError("WB-INPUT-003", `${path} has ${stat.size} bytes; at most ${limit} are read`, {
        hint: "is this the right file?",
      });
    // One byte more than allowed: a file that grows meanwhile is seen.
    const buffer = Buffer.alloc(Math.min(stat.size, limit) + 1);
    let length = 0;
    while (length < buffer.length) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      if (read === 0) break;
      length += read;
    }
    if (length > stat.size) throw unreadable(path, new Error("it grew while it was read"));
    return buffer.subarray(0, length);
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    throw unreadable(path, cause);
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads a file as UTF-8 text; see `readFileBounded`.
 *
 * @throws WaybillError also WB-INPUT-004 when it is not UTF-8
 */
export function readTextBounded(path: string, limit: number, options: { follow?: boolean } = {}): string {
  const bytes = readFileBounded(path, limit, options);
  if (!isUtf8(bytes))
    throw new WaybillError("WB-INPUT-004", `${path} is not UTF-8 text`, { hint: "is this a binary file?" });
  return bytes.toString("utf8");
}

function unreadable(path: string, cause: unknown): WaybillError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = code === "ELOOP" ? "it is a symbolic link" : (code ?? message);
  return new WaybillError("WB-INPUT-002", `${path} cannot be read: ${reason}`, {
    hint: "check the file's kind and permissions",
    cause,
  });
}

import { lstatSync, mkdirSync } from "node:fs";
import { WaybillError } from "../core/errors.ts";

/**
 * Makes a folder, and those above it, unless it is there. A link in its place is refused: what is written would
 * land elsewhere.
 *
 * @param path the folder
 * @param options `mode`: permission bits of new folders; `hint`: what to do when it cannot be made
 * @throws WaybillError WB-STORE-003 it is a link, WB-STORE-002 disk or quota full, WB-STORE-001 any other reason
 */
export function makeFolder(path: string, options: { mode?: number; hint: string }): void {
  try {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
      throw new WaybillError("WB-STORE-003", `${path} is a link: what is kept would land elsewhere`, {
        hint: `rm ${path}`,
      });
    mkdirSync(path, { recursive: true, ...(options.mode === undefined ? {} : { mode: options.mode }) });
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const full = code === "ENOSPC" || code === "EDQUOT";
    throw new WaybillError(full ? "WB-STORE-002" : "WB-STORE-001", `cannot make ${path}: ${message}`, {
      hint: full ? "free some space and run the command again" : options.hint,
      cause,
    });
  }
}

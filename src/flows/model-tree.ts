import { realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { isOmsIgnored } from "../core/oms-root.ts";
import { safeText } from "../core/safe-text.ts";
import { type Walk, walkTree } from "../hash/walk.ts";
import { MODEL_SIGNATURE } from "./model-facts.ts";

/** A model that somebody named: a folder, or one file. */
export interface ModelTree {
  /** Absolute. */
  path: string;
  /** The name of its folder or file. */
  name: string;
  isSingleFile: boolean;
  /** Without git's own files at the top, and without the signature. */
  walk: Walk;
  /** The signature's file, absolute. */
  signatureFile: string;
  /** Its path in the model, where it lies there. */
  signature?: string;
}

/**
 * Lists a model. What is wrong with the tree stands in `walk.problems`.
 *
 * @param signature where its signature is or will be; when not given `model.sig` in the folder, or `FILE.sig`
 * @throws WaybillError WB-INPUT-001 when there is no such folder or file, WB-INPUT-002 when it cannot be looked at
 */
export async function openModel(named: string, signature?: string): Promise<ModelTree> {
  const { path, isSingleFile } = place(named);
  const signatureFile = resolve(signature ?? (isSingleFile ? `${path}.sig` : join(path, MODEL_SIGNATURE)));
  const own = isSingleFile ? undefined : pathInside(path, signatureFile);
  const walk = await walkTree(path, {
    skip: (each) => !isSingleFile && (isOmsIgnored(each) || each === own),
  });
  return {
    path,
    name: basename(path),
    isSingleFile,
    walk,
    signatureFile,
    ...(own === undefined ? {} : { signature: own }),
  };
}

function place(named: string): { path: string; isSingleFile: boolean } {
  try {
    const isSingleFile = !statSync(named).isDirectory();
    return { path: isSingleFile ? resolve(named) : realpathSync(named), isSingleFile };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const missing = code === "ENOENT" || code === "ENOTDIR";
    const said = missing ? "does not exist" : `cannot be read: ${code}`;
    throw new WaybillError(missing ? "WB-INPUT-001" : "WB-INPUT-002", `${safeText(named)} ${said}`, {
      hint: "name the model's folder or file",
      cause,
    });
  }
}

/** A file's path in a folder, POSIX, whatever links its parents go through; undefined when it lies elsewhere. */
function pathInside(folder: string, file: string): string | undefined {
  let parent = dirname(file);
  try {
    parent = realpathSync(parent);
  } catch {
    // It is not there yet; whoever writes or reads the file will say so.
  }
  const path = relative(folder, join(parent, basename(file)));
  if (path === ".." || path.startsWith(`..${sep}`) || resolve(folder, path) !== join(parent, basename(file)))
    return undefined;
  return path.split(sep).join("/");
}

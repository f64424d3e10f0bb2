import { lstatSync, readlinkSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { TrustOrigin } from "../core/verdict.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { parseTrust, TRUST_FILE, type Trust } from "../verify/trust.ts";
import { optionalText } from "./agent-folder.ts";

/** A trust policy with where it came from. */
export interface TrustSource {
  origin: TrustOrigin;
  policy?: Trust;
  file?: string;
}

/**
 * Finds the trust policy: the file that the caller names, else `WAYBILL_TRUST`, else the one in the agent's own
 * folder, which is self-asserted. A file that is named but reached through the agent's folder, by a link too, is
 * self-asserted all the same: whoever can change the agent chooses it.
 *
 * @param folder the agent's folder, absolute
 * @throws WaybillError as `readTextBounded` and `parseTrust`
 */
export function findTrust(folder: string, named: string | undefined, env: NodeJS.ProcessEnv): TrustSource {
  const file = named ?? (env.WAYBILL_TRUST || undefined);
  if (file !== undefined) {
    const { path, passed } = walkTo(resolve(file), folder);
    const policy = parseTrust(readTextBounded(path, MAX_YAML_BYTES), file);
    return { origin: passed ? "self-asserted" : "operator", policy, file };
  }
  const text = optionalText(join(folder, TRUST_FILE), MAX_YAML_BYTES);
  if (text === undefined) return { origin: "none" };
  return { origin: "self-asserted", policy: parseTrust(text), file: TRUST_FILE };
}

/**
 * Resolves a path link by link, as the kernel does, and says whether the way leads through the folder.
 *
 * @returns the real path, and `passed`; a path that leads nowhere is given as it is
 */
function walkTo(file: string, folder: string): { path: string; passed: boolean } {
  let at: string = sep;
  let passed = false;
  const rest = file.split(sep);
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift()!;
    if (name === "" || name === ".") continue;
    const next = name === ".." ? dirname(at) : join(at, name);
    passed ||= isInside(folder, next);
    const stat = lstatSync(next, { throwIfNoEntry: false });
    if (!stat?.isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > 40) return { path: file, passed: true };
    const target = readlinkSync(next);
    if (isAbsolute(target)) at = sep;
    rest.unshift(...target.split(sep));
  }
  return { path: at, passed };
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

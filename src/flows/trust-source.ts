import { realpathSync } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
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
 * folder, which is self-asserted. A file that is named but lies in the agent's folder is self-asserted all the
 * same: whoever can change the agent can change it.
 *
 * @param folder the agent's folder, absolute
 * @throws WaybillError as `readTextBounded` and `parseTrust`
 */
export function findTrust(folder: string, named: string | undefined, env: NodeJS.ProcessEnv): TrustSource {
  const file = named ?? (env.WAYBILL_TRUST || undefined);
  if (file !== undefined) {
    const policy = parseTrust(readTextBounded(resolve(file), MAX_YAML_BYTES, { follow: true }), file);
    const inside = isInside(folder, realpathSync(resolve(file)));
    return { origin: inside ? "self-asserted" : "operator", policy, file };
  }
  const text = optionalText(join(folder, TRUST_FILE), MAX_YAML_BYTES);
  if (text === undefined) return { origin: "none" };
  return { origin: "self-asserted", policy: parseTrust(text), file: TRUST_FILE };
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

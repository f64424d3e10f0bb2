import { lstatSync, readlinkSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { type Hex, parseDigest } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { TrustOrigin } from "../core/verdict.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { parseTrust, TRUST_FILE, type Trust } from "../verify/trust.ts";
import type { TrustVersions } from "../verify/trust-version.ts";
import { optionalText } from "./agent-folder.ts";
import { readBeside } from "./trust-files.ts";
import { TrustMemory } from "./trust-memory.ts";

/** A trust policy with where it came from. */
export interface TrustSource {
  origin: TrustOrigin;
  policy?: Trust;
  /** As it was named. */
  file?: string;
  /** Where an operator's policy really lies; its versions and signatures lie beside it. */
  path?: string;
}

/**
 * Finds the trust policy: the file that the caller names, else `WAYBILL_TRUST`, else the one in the agent's own
 * folder, which is self-asserted. A file that is named but reached through the agent's folder, by a link too, is
 * self-asserted all the same: whoever can change the agent chooses it.
 *
 * @param folder the agent's folder, absolute; undefined where none is looked at
 * @throws WaybillError as `readTextBounded` and `parseTrust`
 */
export function findTrust(
  folder: string | undefined,
  named: string | undefined,
  env: NodeJS.ProcessEnv,
): TrustSource {
  const file = named ?? (env.WAYBILL_TRUST || undefined);
  if (file !== undefined) {
    const { path, passed } = walkTo(resolve(file), folder);
    const policy = parseTrust(readTextBounded(path, MAX_YAML_BYTES), file);
    return passed ? { origin: "self-asserted", policy, file } : { origin: "operator", policy, file, path };
  }
  if (folder === undefined) return { origin: "none" };
  const text = optionalText(join(folder, TRUST_FILE), MAX_YAML_BYTES);
  if (text === undefined) return { origin: "none" };
  return { origin: "self-asserted", policy: parseTrust(text), file: TRUST_FILE };
}

/**
 * What a door knows of an operator's policy: the version it accepted last, or the digest of the first one, and
 * the signatures and versions that lie beside it. Undefined where there is no operator's policy.
 *
 * @param digest of the first policy to accept, `sha256:…`; `WAYBILL_TRUST_DIGEST` where it is absent
 * @throws WaybillError WB-INPUT-007 for what is no digest, or one beside the agent's own policy, WB-STORE-003 when the memory cannot be read, and as
 * `readBeside`
 */
export function trustVersions(
  { policy, file, path }: TrustSource,
  options: { home: string; env: NodeJS.ProcessEnv; digest?: string | undefined },
): TrustVersions | undefined {
  const first = firstDigest(options.digest ?? (options.env.WAYBILL_TRUST_DIGEST || undefined));
  if (policy && path === undefined && first !== undefined)
    throw new WaybillError(
      "WB-INPUT-007",
      "a digest of the first trust policy was given, and the policy lies in the agent's own folder",
      { hint: "name the operator's policy, outside of it: --trust FILE" },
    );
  if (!policy || file === undefined || path === undefined) return undefined;
  const remembered = new TrustMemory(options.home, file).recall();
  // The same again, as at nearly every start: nothing beside it is asked for.
  if (remembered?.digest === policy.digest) return { signatures: [], history: new Map(), remembered };
  return {
    ...readBeside(path, remembered?.version ?? 0, { signaturesOnly: !remembered && first === undefined }),
    ...(remembered ? { remembered } : {}),
    ...(first === undefined ? {} : { first }),
  };
}

function firstDigest(text: string | undefined): Hex | undefined {
  if (text === undefined) return undefined;
  const digest = parseDigest(text);
  if (digest?.algorithm === "sha256") return digest.hex;
  throw new WaybillError(
    "WB-INPUT-007",
    "the digest of the first trust policy is not sha256: and 64 hex digits",
    {
      hint: "waybill trust show --trust FILE prints it",
    },
  );
}

/**
 * Resolves a path link by link, as the kernel does, and says whether the way leads through the folder.
 *
 * @returns the real path, and `passed`; a path that leads nowhere is given as it is
 */
function walkTo(file: string, folder: string | undefined): { path: string; passed: boolean } {
  let at: string = sep;
  let passed = false;
  const rest = file.split(sep);
  for (let links = 0; rest.length > 0; ) {
    const name = rest.shift()!;
    if (name === "" || name === ".") continue;
    const next = name === ".." ? dirname(at) : join(at, name);
    passed ||= folder !== undefined && isInside(folder, next);
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

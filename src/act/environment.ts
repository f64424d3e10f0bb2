import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
} from "node:fs";
import { basename, delimiter, dirname, isAbsolute, join, posix, resolve } from "node:path";
import { WaybillError } from "../core/errors.ts";
import type { EnvDeclaration, Manifest } from "../core/manifest.ts";
import { notStarted } from "./program.ts";
import { isWithin } from "./reach.ts";

/** The variable in which every agent finds its release, `sha256:…`; only Waybill sets it. */
export const RELEASE_VARIABLE = "WAYBILL_RELEASE";

/** Largest secret that is read from a file, in bytes. */
export const MAX_SECRET_BYTES = 64 << 10;

/** Where a variable's value came from. There is no value here: claims are shown. */
export interface EnvironmentClaim {
  name: string;
  kind: "literal" | "inherited" | "secret" | "waybill";
  /** Of a secret: `env:NAME` or `file:/path`. */
  from?: string;
  /** An inherited variable that the outer environment does not have: it is left out. */
  absent?: true;
  /** Of an inherited PATH: folders that were taken out, since they are in the agent's own folder. */
  without?: string[];
}

export interface ResolvedEnvironment {
  /** The whole environment of the process. */
  env: Record<string, string>;
  claims: EnvironmentClaim[];
}

/**
 * Makes the environment of the agent: exactly what the manifest declares, and WAYBILL_RELEASE. Literals are
 * taken as they stand, inherited variables from the outer environment, secrets from where they are declared to
 * be; one newline at the end of a secret's file does not belong to it.
 *
 * PATH does not lead into the agent's own folder, whose programs nobody verified (`#!/usr/bin/env NAME` would run
 * them): such folders are taken out of an inherited PATH, where `npm run` puts them, and refused in a declared one.
 *
 * @param agentFolder the folder that the copy is made of
 * @throws WaybillError WB-INPUT-013 for a secret that is not there, a value that no environment can hold, and
 * a declared WAYBILL_RELEASE; it names the variable and never shows a value. WB-INPUT-014 for a declared PATH
 * into the agent's folder
 */
export function resolveEnvironment(
  declared: Manifest["start"]["env"],
  outer: NodeJS.ProcessEnv,
  extra: { WAYBILL_RELEASE: string },
  agentFolder?: string,
): ResolvedEnvironment {
  const pairs: [string, string][] = [];
  const claims: EnvironmentClaim[] = [];
  for (const [name, declaration] of Object.entries(declared)) {
    if (name === RELEASE_VARIABLE)
      throw new WaybillError("WB-INPUT-013", `${RELEASE_VARIABLE} is declared in start.env`, {
        hint: "take it out: Waybill itself sets it, to the digest of the release that it starts",
      });
    const resolved = resolveOne(name, declaration, outer);
    const { value, claim } =
      name === "PATH" && agentFolder !== undefined ? withoutOwn(resolved, agentFolder) : resolved;
    claims.push(claim);
    if (value === undefined) continue;
    if (value.includes("\0") || !value.isWellFormed())
      throw new WaybillError("WB-INPUT-013", `the value of ${name} cannot stand in an environment`, {
        hint: "it holds a NUL or an unpaired surrogate; encode it, for example as base64",
      });
    pairs.push([name, value]);
  }
  pairs.push([RELEASE_VARIABLE, extra.WAYBILL_RELEASE]);
  claims.push({ name: RELEASE_VARIABLE, kind: "waybill" });
  // fromEntries, not assignment: a variable may be called __proto__.
  return { env: Object.fromEntries(pairs), claims };
}

interface Resolved {
  value: string | undefined;
  claim: EnvironmentClaim;
}

function resolveOne(name: string, declaration: EnvDeclaration, outer: NodeJS.ProcessEnv): Resolved {
  if (typeof declaration === "string") return { value: declaration, claim: { name, kind: "literal" } };
  if ("secret" in declaration) {
    const from = declaration.secret;
    return { value: readSecret(name, from, outer), claim: { name, kind: "secret", from } };
  }
  const value = variable(outer, name);
  const claim: EnvironmentClaim = { name, kind: "inherited" };
  return { value, claim: value === undefined ? { ...claim, absent: true } : claim };
}

/** A PATH without the folders from which unverified programs of the agent's own folder would be started. */
function withoutOwn({ value, claim }: Resolved, agentFolder: string): Resolved {
  const folders = value?.split(delimiter) ?? [];
  const own = folders.filter((folder) => leadsIntoOwn(folder, agentFolder));
  if (own.length === 0) return { value, claim };
  if (claim.kind === "inherited")
    return {
      value: folders.filter((folder) => !own.includes(folder)).join(delimiter),
      claim: { ...claim, without: own },
    };
  // A secret's value is not shown.
  const shown = claim.kind === "literal" ? `: ${own.join(", ")}` : "";
  throw notStarted(`PATH leads into the agent's own folder, not into its verified copy${shown}`, {
    hint: "take the folder out; one that is relative, such as node_modules/.bin, is found in the copy",
  });
}

function leadsIntoOwn(folder: string, agentFolder: string): boolean {
  // The process starts in its copy: what is relative stays in verified bytes, unless it climbs out.
  if (!isAbsolute(folder)) return /^\.\.(\/|$)/.test(posix.normalize(folder));
  const own = realpathSync(agentFolder);
  const real = goingTo(folder);
  return real === own || isWithin(own, real);
}

/** The real path of what is there, or of what would be if somebody made it now. */
function goingTo(path: string, links = 0): string {
  try {
    return realpathSync(path);
  } catch {
    const folder = dirname(path);
    if (folder === path || links > 40) return path;
    const found = lstatSync(path, { throwIfNoEntry: false });
    // A link to nowhere yet.
    if (found?.isSymbolicLink()) return goingTo(resolve(folder, readlinkSync(path)), links + 1);
    return join(goingTo(folder, links), basename(path));
  }
}

function readSecret(name: string, from: string, outer: NodeJS.ProcessEnv): string {
  if (from.startsWith("env:")) {
    const value = variable(outer, from.slice("env:".length));
    if (value !== undefined) return value;
    throw secretError(name, from, "is not set", `set ${from.slice("env:".length)} where waybill is started`);
  }
  const folders = secretFolders(outer);
  refuseForeignSecret(name, from, folders);
  return readSecretFile(name, from, folders);
}

/** Folders from which a release may take secrets when Waybill is root, unless WAYBILL_SECRETS names others. */
const SECRET_FOLDERS = "/run/secrets:/var/run/secrets:/etc/waybill/secrets";

/**
 * Root may read every file, and a release names the file: without a limit its author could have any file of the
 * machine handed to the agent. A Waybill that is not root reads what its user may read anyway: undefined.
 */
function secretFolders(outer: NodeJS.ProcessEnv): string[] | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return (outer.WAYBILL_SECRETS ?? SECRET_FOLDERS).split(":").filter((folder) => folder.startsWith("/"));
}

function refuseForeignSecret(name: string, from: string, folders: string[] | undefined): void {
  const path = from.slice("file:".length);
  if (folders && !folders.some((folder) => isWithin(posix.normalize(folder), posix.normalize(path))))
    throw foreignSecret(name, from, folders);
  // Where a link is before it, `..` leads elsewhere for the kernel than for whoever reads the manifest.
  if (path !== posix.normalize(path) || path.endsWith("/"))
    throw secretError(
      name,
      from,
      "has '..', '.' or an empty name in its path",
      `write the path without them, for example file:${posix.normalize(path).replace(/\/$/, "")}`,
    );
}

/** Links are followed, but not out of the folders; the open file is asked, so that none can be exchanged. */
function refuseSecretElsewhere(name: string, from: string, fd: number, folders: string[] | undefined): void {
  if (!folders) return;
  const real = realpathOf(fd) ?? realpathSync(from.slice("file:".length));
  const inside = folders.some((folder) => isWithin(goingTo(folder), real));
  if (!inside) throw foreignSecret(name, from, folders);
}

function realpathOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

function foreignSecret(name: string, from: string, folders: readonly string[]): WaybillError {
  return secretError(
    name,
    from,
    "is outside the folders that hold secrets",
    `put it below one of ${folders.join(", ")}, or name its folder in WAYBILL_SECRETS`,
  );
}

function readSecretFile(name: string, from: string, folders: string[] | undefined): string {
  const path = from.slice("file:".length);
  let bytes: Buffer;
  try {
    // O_NONBLOCK: a named pipe would hang the start. Links are followed: Kubernetes mounts secrets as links.
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      refuseSecretElsewhere(name, from, fd, folders);
      if (!fstatSync(fd).isFile()) throw secretError(name, from, "is not a regular file", `look at ${path}`);
      bytes = readBounded(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const what = code === "ENOENT" || code === "ENOTDIR" ? "does not exist" : `cannot be read (${code})`;
    throw secretError(name, from, what, `put the secret into ${path}, readable for whoever runs waybill`);
  }
  if (bytes.length > MAX_SECRET_BYTES)
    throw secretError(
      name,
      from,
      "is larger than 64 KiB",
      "a secret is a short text: is this the right file?",
    );
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    // The decoder's error is not kept as a cause: nothing of the content leaves this function.
    throw secretError(name, from, "is not UTF-8 text", "store the secret as text, for example as base64");
  }
}

/** The file's first bytes, one more than is allowed at most. */
function readBounded(fd: number): Buffer {
  const buffer = Buffer.alloc(MAX_SECRET_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(fd, buffer, length, buffer.length - length, null);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

function secretError(name: string, from: string, what: string, hint: string): WaybillError {
  return new WaybillError("WB-INPUT-013", `the secret ${from} of ${name} ${what}`, { hint });
}

function variable(outer: NodeJS.ProcessEnv, name: string): string | undefined {
  return Object.hasOwn(outer, name) ? outer[name] : undefined;
}

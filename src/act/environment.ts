import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { posix } from "node:path";
import { WaybillError } from "../core/errors.ts";
import type { EnvDeclaration, Manifest } from "../core/manifest.ts";

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
 * @throws WaybillError WB-INPUT-013 for a secret that is not there, a value that no environment can hold, and
 * a declared WAYBILL_RELEASE; it names the variable and never shows a value
 */
export function resolveEnvironment(
  declared: Manifest["start"]["env"],
  outer: NodeJS.ProcessEnv,
  extra: { WAYBILL_RELEASE: string },
): ResolvedEnvironment {
  const pairs: [string, string][] = [];
  const claims: EnvironmentClaim[] = [];
  for (const [name, declaration] of Object.entries(declared)) {
    if (name === RELEASE_VARIABLE)
      throw new WaybillError("WB-INPUT-013", `${RELEASE_VARIABLE} is declared in start.env`, {
        hint: "take it out: Waybill itself sets it, to the digest of the release that it starts",
      });
    const { value, claim } = resolveOne(name, declaration, outer);
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

function resolveOne(
  name: string,
  declaration: EnvDeclaration,
  outer: NodeJS.ProcessEnv,
): { value: string | undefined; claim: EnvironmentClaim } {
  if (typeof declaration === "string") return { value: declaration, claim: { name, kind: "literal" } };
  if ("secret" in declaration) {
    const from = declaration.secret;
    return { value: readSecret(name, from, outer), claim: { name, kind: "secret", from } };
  }
  const value = variable(outer, name);
  const claim: EnvironmentClaim = { name, kind: "inherited" };
  return { value, claim: value === undefined ? { ...claim, absent: true } : claim };
}

function readSecret(name: string, from: string, outer: NodeJS.ProcessEnv): string {
  if (from.startsWith("env:")) {
    const value = variable(outer, from.slice("env:".length));
    if (value !== undefined) return value;
    throw secretError(name, from, "is not set", `set ${from.slice("env:".length)} where waybill is started`);
  }
  refuseForeignSecret(name, from, outer);
  return readSecretFile(name, from);
}

/** Folders from which a release may take secrets when Waybill is root, unless WAYBILL_SECRETS names others. */
const SECRET_FOLDERS = "/run/secrets:/var/run/secrets:/etc/waybill/secrets";

/**
 * Root may read every file, and a release names the file: without a limit its author could have any file of the
 * machine handed to the agent. A Waybill that is not root reads what its user may read anyway.
 */
function refuseForeignSecret(name: string, from: string, outer: NodeJS.ProcessEnv): void {
  if (process.getuid?.() !== 0) return;
  const folders = (outer.WAYBILL_SECRETS ?? SECRET_FOLDERS)
    .split(":")
    .filter((folder) => folder.startsWith("/"));
  const path = posix.normalize(from.slice("file:".length));
  if (folders.some((folder) => path.startsWith(`${posix.normalize(folder).replace(/\/$/, "")}/`))) return;
  throw secretError(
    name,
    from,
    "is outside the folders that hold secrets",
    `put it below one of ${folders.join(", ")}, or name its folder in WAYBILL_SECRETS`,
  );
}

function readSecretFile(name: string, from: string): string {
  const path = from.slice("file:".length);
  let bytes: Buffer;
  try {
    // O_NONBLOCK: a named pipe would hang the start. Links are followed: Kubernetes mounts secrets as links.
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
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

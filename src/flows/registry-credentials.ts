import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { JsonSyntaxError, parseStrictJson } from "../core/strict-json.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { type Credentials, findCredentials, readHelperAnswer } from "../net/oci/credentials.ts";

const MAX_FILE = 1 << 20;
const MAX_ANSWER = 64 << 10;
const HELPER_MS = 15_000;

/**
 * Finds what this user shows to a registry, as docker and podman do: `REGISTRY_AUTH_FILE` alone where it is set,
 * else `$XDG_RUNTIME_DIR/containers/auth.json`, `$DOCKER_CONFIG/config.json`, `~/.docker/config.json`; the first
 * that knows the registry counts. A credential helper that such a file names is run.
 *
 * @param helperMs how long a helper may take, in milliseconds
 * @returns undefined for nobody in particular
 * @throws WaybillError WB-INPUT-001 a named file is missing, WB-INPUT-005 one is no JSON, WB-NET-003 a helper fails
 */
export async function findRegistryCredentials(
  registry: string,
  repository: string,
  env: NodeJS.ProcessEnv,
  helperMs = HELPER_MS,
): Promise<Credentials | undefined> {
  for (const { path, named } of credentialFiles(env)) {
    const config = readConfig(path, named);
    const source = config === undefined ? undefined : findCredentials(config, registry, repository);
    if (source === undefined) continue;
    if ("credentials" in source) return source.credentials;
    const credentials = await askHelper(source.helper, source.server, { env, timeout: helperMs });
    if (credentials) return credentials;
  }
  return undefined;
}

function credentialFiles(env: NodeJS.ProcessEnv): { path: string; named: boolean }[] {
  if (env.REGISTRY_AUTH_FILE) return [{ path: env.REGISTRY_AUTH_FILE, named: true }];
  const home = env.HOME || homedir();
  return [
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "containers", "auth.json")] : []),
    join(env.DOCKER_CONFIG || join(home, ".docker"), "config.json"),
  ].map((path) => ({ path, named: false }));
}

function readConfig(path: string, named: boolean): Json | undefined {
  try {
    return parseStrictJson(readTextBounded(path, MAX_FILE, { follow: true }), { maxBytes: MAX_FILE });
  } catch (error) {
    if (error instanceof WaybillError && error.code === "WB-INPUT-001" && !named) return undefined;
    if (!(error instanceof JsonSyntaxError)) throw error;
    // The place, never the text: it holds passwords.
    throw new WaybillError("WB-INPUT-005", `${path}:${error.line}:${error.column}: not JSON`, {
      hint: "write it again with `docker login` or `podman login`",
    });
  }
}

/** Runs `docker-credential-NAME get` (docker-credential-helpers) and gives its words to nobody else. */
function askHelper(
  name: string,
  server: string,
  options: { env: NodeJS.ProcessEnv; timeout: number },
): Promise<Credentials | undefined> {
  const failed = (why: string) =>
    new WaybillError("WB-NET-003", `the credential helper ${safeText(name.slice(0, 64))} ${why}`, {
      hint: "try it by hand, or log in again with `docker login`",
    });
  // A path would run whatever the file's author likes.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return Promise.reject(failed("has no proper name"));
  return new Promise((resolve, reject) => {
    const child = execFile(
      `docker-credential-${name}`,
      ["get"],
      { ...options, maxBuffer: MAX_ANSWER, killSignal: "SIGKILL" },
      (error, stdout) => {
        if (error) {
          if (/credentials not found/i.test(stdout)) return resolve(undefined);
          const { code } = error as NodeJS.ErrnoException;
          return reject(failed(code === "ENOENT" ? "is not installed" : "failed"));
        }
        try {
          resolve(readHelperAnswer(parseStrictJson(stdout)));
        } catch {
          reject(failed("gave no JSON"));
        }
      },
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(server);
  });
}

import { spawn } from "node:child_process";
import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** How a program ended. Only `code` says anything of what it found: its words are for people. */
export interface Ended {
  /** Null where it was stopped. */
  code: number | null;
  /** Why it was stopped. */
  stopped?: "it did not end in time" | "it printed too much" | "it could not be started" | "interrupted";
  /** At most `MAX_OUTPUT` characters each. */
  stdout: string;
  stderr: string;
}

const MAX_OUTPUT = 256 * 1024;
/** Pipes that a grandchild holds open are not waited for any longer than this. */
const GRACE_MS = 200;
/** Nothing listens here: a program that obeys proxies cannot leave the machine. */
const NOWHERE = "http://127.0.0.1:9";

/**
 * The first of these programs that is installed: named by a variable of the environment, else on PATH. Empty and
 * relative entries of PATH are passed over: they would find a program beside the bundle.
 *
 * @returns absolute path, or undefined
 */
export function findProgram(
  env: NodeJS.ProcessEnv,
  variable: string,
  names: readonly string[],
): string | undefined {
  const named = env[variable];
  if (named !== undefined && named !== "") return isAbsolute(named) && isProgram(named) ? named : undefined;
  const folders = (env.PATH ?? "").split(delimiter).filter(isAbsolute);
  for (const name of names)
    for (const folder of folders) if (isProgram(join(folder, name))) return join(folder, name);
  return undefined;
}

/**
 * The environment of a program: its own home, no settings or credentials of the caller's, no way to the network.
 *
 * @param folder private, of this call
 */
export function closedEnvironment(env: NodeJS.ProcessEnv, folder: string): Record<string, string> {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true, mode: 0o700 });
  return {
    PATH: (env.PATH ?? "").split(delimiter).filter(isAbsolute).join(delimiter),
    HOME: home,
    TMPDIR: home,
    TUF_ROOT: join(home, "tuf"),
    LANG: "C.UTF-8",
    HTTP_PROXY: NOWHERE,
    HTTPS_PROXY: NOWHERE,
    ALL_PROXY: NOWHERE,
    // Where pip put a package for this user only.
    ...(env.HOME ? { PYTHONUSERBASE: env.PYTHONUSERBASE ?? join(env.HOME, ".local") } : {}),
    PYTHONDONTWRITEBYTECODE: "1",
  };
}

/**
 * Runs a program without a shell and stops it, with all that it started, when it takes too long or prints too much.
 * Never throws.
 */
export function runProgram(
  path: string,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string>; timeoutMs: number; signal: AbortSignal },
): Promise<Ended> {
  return new Promise((resolve) => {
    const texts = { stdout: "", stderr: "" };
    let stopped: Ended["stopped"];
    const child = spawn(path, [...args], {
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that all of it can be stopped.
      detached: true,
    });
    const stop = (why: NonNullable<Ended["stopped"]>) => {
      stopped ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        child.kill("SIGKILL");
      }
    };
    const timer = setTimeout(() => stop("it did not end in time"), options.timeoutMs);
    const interrupt = () => stop("interrupted");
    options.signal.addEventListener("abort", interrupt, { once: true });
    if (options.signal.aborted) interrupt();
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8");
      child[name].on("data", (text: string) => {
        if (texts[name].length + text.length > MAX_OUTPUT) stop("it printed too much");
        else texts[name] += text;
      });
    }
    const finish = (code: number | null) => {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", interrupt);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code: stopped ? null : code, ...texts, ...(stopped ? { stopped } : {}) });
    };
    child.on("error", () => {
      stopped ??= "it could not be started";
      finish(null);
    });
    child.on("exit", (code) => {
      const late = setTimeout(() => finish(code), GRACE_MS);
      child.on("close", () => {
        clearTimeout(late);
        finish(code);
      });
    });
  });
}

/** The last line with text in it, cut to 300 characters. */
export function lastLine(ended: Ended): string | undefined {
  const lines = `${ended.stdout}\n${ended.stderr}`.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "")?.slice(0, 300);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

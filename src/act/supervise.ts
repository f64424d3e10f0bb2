import { type ChildProcess, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, realpathSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { WaybillError } from "../core/errors.ts";
import type { Claim, ClaimName, Grade } from "./claims.ts";
import { findProgram, notStarted, type Program } from "./program.ts";
import { forwardSignals } from "./signals.ts";

export interface SuperviseOptions {
  /** Program and arguments, exactly. */
  command: readonly string[];
  /** The working folder: the private copy. */
  cwd: string;
  /** The whole environment. */
  env: Readonly<Record<string, string>>;
  /** User and group to run as; absent: our own. */
  user?: number;
  /** The folder that the copy was made of: nothing in it is executed. */
  agentFolder?: string;
  /** Standard input, output and error; default: ours. */
  stdio?: "inherit" | readonly ("inherit" | "ignore" | number)[];
  /** Called once, when the program itself runs (or was too short to be seen). */
  onStarted?(pid: number, claims: Claim[]): void;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** From util-linux; the path is fixed because what is found there decides what the agent may do. */
const SETPRIV = "/usr/bin/setpriv";
const SETPRIV_FLAGS = ["--no-new-privs", "--inh-caps=-all", "--pdeathsig=KILL"];

/** So long we wait to see the program in the place of setpriv. */
const EXEC_MS = 2000;

/**
 * Starts a command and stays with it until it ends. No shell: argv is the command word for word, argv[0]
 * included, and the environment is `env` and nothing else. Signals are passed on (see `forwardSignals`).
 *
 * Where setpriv is there, the process cannot gain privileges and is killed by the kernel when Waybill dies.
 * It is started *as the agent's user*, after the user and groups were changed: setpriv reads the declared
 * environment, and an LD_PRELOAD of the release must not be loaded by root. Without it, a Waybill that is
 * killed with SIGKILL leaves the agent running; the claims say which of both it is.
 *
 * @throws WaybillError WB-INPUT-014 when the program cannot be found or started; then nothing ran
 */
export async function supervise(options: SuperviseOptions): Promise<Exit> {
  const { command, user, env } = options;
  const name = command[0];
  if (
    name === undefined ||
    name === "" ||
    command.some((word) => word.includes("\0") || !word.isWellFormed())
  )
    throw notStarted("the declared command is empty, or holds a NUL or an unpaired surrogate", {
      hint: "correct start.command in waybill.yaml",
    });
  const cwd = realpathSync(options.cwd);
  const program = findProgram({ name, cwd, env, user, agentFolder: options.agentFolder });
  const wrapped = hasSetpriv(user);

  let child: ChildProcess | undefined;
  const stopForwarding = forwardSignals(() => child);
  try {
    child = wrapped
      ? launch(SETPRIV, [...SETPRIV_FLAGS, "--", ...command], SETPRIV, cwd, options)
      : launch(program.path, command.slice(1), name, cwd, options);
    const ended = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
    // A rejection is taken up below; until then it has no handler.
    ended.catch(() => {});
    if (child.pid === undefined) {
      await ended;
      throw new Error("a child without a pid did not fail");
    }
    const running = wrapped ? await execed(child.pid, [SETPRIV, ...SETPRIV_FLAGS, "--", ...command]) : true;
    options.onStarted?.(child.pid, claimsOf(child.pid, { program, user, wrapped, running }));
    const [code, signal] = await ended;
    return { code, signal };
  } catch (error) {
    // Whatever failed, for example our caller's callback: nothing goes on running unsupervised.
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    throw spawnError(error, program.path);
  } finally {
    stopForwarding();
  }
}

function launch(
  file: string,
  args: readonly string[],
  argv0: string,
  cwd: string,
  { env, user, stdio = "inherit" }: SuperviseOptions,
): ChildProcess {
  return spawn(file, args, {
    argv0,
    cwd,
    // Node hands these two down to every child unless they are there, even without a value.
    env: { NODE_V8_COVERAGE: undefined, NODE_OPTIONS: undefined, ...env },
    ...(user === undefined ? {} : { uid: user, gid: user }),
    stdio: (stdio === "inherit" ? stdio : [...stdio]) as StdioOptions,
    shell: false,
    detached: false,
  });
}

const setprivByUser = new Map<number | undefined, boolean>();

/** True when setpriv is there, knows our flags and does what they ask for this user. Asked once. */
function hasSetpriv(user: number | undefined): boolean {
  let works = setprivByUser.get(user);
  if (works === undefined) {
    const { status } = spawnSync(SETPRIV, [...SETPRIV_FLAGS, "--", SETPRIV, "--version"], {
      env: {},
      stdio: "ignore",
      ...(user === undefined ? {} : { uid: user, gid: user }),
    });
    works = status === 0;
    setprivByUser.set(user, works);
  }
  return works;
}

/** Waits until a process is not the wrapper any more. False when it ended before anyone could see. */
async function execed(pid: number, wrapper: readonly string[]): Promise<boolean> {
  const own = `${wrapper.join("\0")}\0`;
  for (const until = performance.now() + EXEC_MS; performance.now() < until; ) {
    const line = procFile(pid, "cmdline");
    // Empty also for an instant within execve.
    if (line === undefined || (line === "" && isZombie(pid))) return false;
    if (line !== "" && line !== own) return true;
    await sleep(1);
  }
  return false;
}

function claimsOf(
  pid: number,
  how: { program: Program; user: number | undefined; wrapped: boolean; running: boolean },
): Claim[] {
  const { program, user, wrapped, running } = how;
  const claims: Claim[] = [
    program.inCopy
      ? { name: "program", holds: true, grade: "kernel-observed", reason: "it is a file of the private copy" }
      : {
          name: "program",
          holds: false,
          grade: "unobservable",
          reason: `${program.path} belongs to the machine: the release does not pin it`,
        },
    ...(running ? statusClaims(procFile(pid, "status"), user) : statusClaims(undefined, user)),
  ];
  claims.push({
    name: "dies-with-waybill",
    holds: wrapped,
    grade: wrapped ? "process-mutable" : "unobservable",
    reason: wrapped
      ? "setpriv asked the kernel for it; the process can take it back, and its own children are not covered"
      : `without ${SETPRIV} a SIGKILL of waybill leaves the agent running`,
  });
  return claims;
}

/** What /proc/PID/status says of a process; undefined when it could not be read in time. */
function statusClaims(status: string | undefined, user: number | undefined): Claim[] {
  const fields = new Map(
    status?.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    }),
  );
  const claim = (name: ClaimName, holds: boolean, reason: string): Claim => {
    if (status !== undefined) return { name, holds, grade: "kernel-observed", reason };
    const grade: Grade = "unobservable";
    return { name, holds: false, grade, reason: "the process could not be looked at before it ended" };
  };
  const ids = `${fields.get("Uid")} ${fields.get("Gid")}`.split(/\s+/);
  const groups = fields.get("Groups") ?? "";
  const caps = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map((set) => `${set} ${fields.get(set)}`);
  const alone = groups === "" || groups === String(user);
  return [
    user === undefined
      ? { ...claim("user", false, `uid ${ids[0]}, the user of waybill itself`), holds: false }
      : claim(
          "user",
          alone && ids.every((id) => id === String(user)),
          `uid and gid ${ids[0]}, groups: ${groups || "none"}`,
        ),
    claim("no-new-privileges", fields.get("NoNewPrivs") === "1", `NoNewPrivs ${fields.get("NoNewPrivs")}`),
    claim(
      "capabilities",
      caps.every((set) => / 0+$/.test(set)),
      caps.join(", "),
    ),
  ];
}

function isZombie(pid: number): boolean {
  return /\) [ZX] /.test(procFile(pid, "stat") ?? ") X ");
}

function procFile(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}

/** Node's own errors name the arguments, never the environment. */
function spawnError(error: unknown, path: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof WaybillError || code === undefined || !syscall?.startsWith("spawn")) return error;
  return notStarted(`${path} cannot be started (${code})`, {
    hint:
      code === "E2BIG"
        ? "arguments and environment together are larger than the kernel takes: pass them in a file"
        : "is it a program for this machine, and are uid changes allowed here?",
    cause: error,
  });
}

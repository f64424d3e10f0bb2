import { type ChildProcess, type StdioOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readFileSync, realpathSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { WaybillError } from "../core/errors.ts";
import type { Claim, ClaimName, Grade } from "./claims.ts";
import { inheritableDescriptors } from "./descriptors.ts";
import { runningProcesses } from "./processes.ts";
import { findProgram, notStarted, type Program } from "./program.ts";
import { forwardSignals } from "./signals.ts";
import { AGENT_GROUP } from "./users.ts";

export interface SuperviseOptions {
  /** Program and arguments, exactly. */
  command: readonly string[];
  /** The working folder: the private copy. */
  cwd: string;
  /** The whole environment. */
  env: Readonly<Record<string, string>>;
  /** User to run as, with the agents' group; absent: our own user and groups. */
  user?: number;
  /** True when nothing else runs as that user: what does at the end is the agent's. */
  userAlone?: boolean;
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

/** So long what is left of an agent has to end by itself after SIGTERM. */
const REST_MS = 1000;

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
 * An agent of another user gets a session of its own, without our terminal, into which it could type otherwise.
 * It ends with its program: what is left of the session is ended too, and everything that runs as its user when
 * that user is the run's alone. Other children of the program go on, unsupervised: those that left the session,
 * those of an agent that runs as our own user, and, when Waybill is killed with SIGKILL, all of them.
 *
 * It inherits standard input, output and error, and nothing else that is open.
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
  const stopForwarding = forwardSignals(() => child, user !== undefined);
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
    options.onStarted?.(child.pid, claimsOf(child.pid, { program, options, wrapped, running }));
    const [code, signal] = await ended;
    await endRest(child.pid, options);
    return { code, signal };
  } catch (error) {
    // Whatever failed, for example our caller's callback: nothing goes on running unsupervised.
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
      await endRest(child.pid, options);
    }
    throw spawnError(error, program.path);
  } finally {
    stopForwarding();
  }
}

/** Ends what an agent with a session of its own left behind, before its files are removed. */
async function endRest(leader: number, { user, userAlone }: SuperviseOptions): Promise<void> {
  if (user === undefined) return;
  const rest = () =>
    runningProcesses().filter(
      ({ session, users }) => session === leader || (userAlone === true && users.includes(user)),
    );
  const asked = new Set<number>();
  const start = performance.now();
  // After SIGKILL only what was being forked meanwhile is found; what cannot be killed is not waited for.
  for (let left = rest(); left.length > 0 && performance.now() < start + 2 * REST_MS; left = rest()) {
    const late = performance.now() >= start + REST_MS;
    for (const { pid } of left) {
      if (!late && asked.has(pid)) continue;
      asked.add(pid);
      try {
        process.kill(pid, late ? "SIGKILL" : "SIGTERM");
      } catch {
        // It has just ended.
      }
    }
    await sleep(20);
  }
}

function launch(
  file: string,
  args: readonly string[],
  argv0: string,
  cwd: string,
  { env, user, stdio = "inherit" }: SuperviseOptions,
): ChildProcess {
  // A descriptor cannot be left out of a child's, only be another file there.
  const inherited = inheritableDescriptors();
  const nothing = inherited.length === 0 ? undefined : openSync("/dev/null", constants.O_RDWR);
  const all = stdio === "inherit" ? (["inherit", "inherit", "inherit"] as const) : stdio;
  const files: ("inherit" | "ignore" | number)[] = [...all];
  for (const fd of inherited) {
    while (files.length <= fd) files.push("ignore");
    if (fd >= all.length) files[fd] = nothing!;
  }
  try {
    return spawn(file, args, {
      argv0,
      cwd,
      // Node hands these two down to every child unless they are there, even without a value.
      env: { NODE_V8_COVERAGE: undefined, NODE_OPTIONS: undefined, ...env },
      ...(user === undefined ? {} : { uid: user, gid: AGENT_GROUP }),
      stdio: files as StdioOptions,
      shell: false,
      // setsid(2): a session of its own.
      detached: user !== undefined,
    });
  } finally {
    if (nothing !== undefined) closeSync(nothing);
  }
}

const setprivByUser = new Map<number | undefined, boolean>();

/** True when setpriv is there, knows our flags and does what they ask for this user. Asked once. */
function hasSetpriv(user: number | undefined): boolean {
  let works = setprivByUser.get(user);
  if (works === undefined) {
    const { status } = spawnSync(SETPRIV, [...SETPRIV_FLAGS, "--", SETPRIV, "--version"], {
      env: {},
      stdio: "ignore",
      ...(user === undefined ? {} : { uid: user, gid: AGENT_GROUP }),
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
  how: { program: Program; options: SuperviseOptions; wrapped: boolean; running: boolean },
): Claim[] {
  const { program, options, wrapped, running } = how;
  const claims: Claim[] = [
    program.inCopy
      ? { name: "program", holds: true, grade: "kernel-observed", reason: "it is a file of the private copy" }
      : {
          name: "program",
          holds: false,
          grade: "unobservable",
          reason: `${program.path} belongs to the machine: the release does not pin it`,
        },
    ...statusClaims(running ? procFile(pid, "status") : undefined, options),
    terminalClaim(running ? procFile(pid, "stat") : undefined, options.user),
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
function statusClaims(status: string | undefined, { user, userAlone }: SuperviseOptions): Claim[] {
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
  const uids = (fields.get("Uid") ?? "").split(/\s+/);
  const gids = (fields.get("Gid") ?? "").split(/\s+/);
  const groups = fields.get("Groups") ?? "";
  const caps = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map((set) => `${set} ${fields.get(set)}`);
  const alone = groups === "" || groups === String(AGENT_GROUP);
  const others = userAlone
    ? "nothing else runs as this user"
    : "agents of the same user can read its environment and signal it";
  return [
    user === undefined
      ? { ...claim("user", false, `uid ${uids[0]}, the user of waybill itself`), holds: false }
      : claim(
          "user",
          alone && uids.every((id) => id === String(user)) && gids.every((id) => id === String(AGENT_GROUP)),
          `uid ${uids[0]}, gid ${gids[0]}, groups: ${groups || "none"}; ${others}`,
        ),
    claim("no-new-privileges", fields.get("NoNewPrivs") === "1", `NoNewPrivs ${fields.get("NoNewPrivs")}`),
    claim(
      "capabilities",
      caps.every((set) => / 0+$/.test(set)),
      caps.join(", "),
    ),
  ];
}

/** What /proc/PID/stat says of a process's terminal; undefined when it could not be read in time. */
function terminalClaim(stat: string | undefined, user: number | undefined): Claim {
  const name = "terminal";
  // After the program's name, which may hold spaces: state ppid pgrp session tty_nr.
  const [, , , , terminal] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
  if (terminal === undefined) {
    const reason = "the process could not be looked at before it ended";
    return { name, holds: false, grade: "unobservable", reason };
  }
  const holds = terminal === "0";
  const reason =
    user !== undefined
      ? "it has a session of its own, without a controlling terminal"
      : holds
        ? "waybill itself has no controlling terminal"
        : "it shares waybill's session and terminal, and its user";
  return { name, holds, grade: "kernel-observed", reason };
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

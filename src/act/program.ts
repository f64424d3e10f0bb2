import { spawnSync } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { impassableFolder, isWithin } from "./reach.ts";
import { AGENT_GROUP } from "./users.ts";

/** The program of a command, found and known to be executable. */
export interface Program {
  /** Absolute path, as the kernel is given it or finds it. */
  path: string;
  /** True when it is one of the files of the copy: then the release digest covers it. */
  inCopy: boolean;
}

export interface ProgramSearch {
  /** The first word of the command. */
  name: string;
  /** Real path of the working folder, the private copy. */
  cwd: string;
  /** The environment of the process: its PATH is the one that is searched. */
  env: Readonly<Record<string, string>>;
  /** The user who will execute it, when it is not our own. */
  user?: number | undefined;
  /** The folder that was copied: its own programs must not be run in place of their copies. */
  agentFolder?: string | undefined;
}

const TEST = "/usr/bin/test";
const MAX_INTERPRETERS = 4;
const MAX_FIRST_LINE = 256;

/**
 * Finds the program of a command as execvp would: with a slash in the name relative to the copy, else in the
 * folders of the declared PATH, in their order; but never in the working folder, and never in the agent's own
 * folder. It is asked of the kernel whether the user may execute it, and its interpreters.
 *
 * @throws WaybillError WB-INPUT-014 with the paths that were tried
 */
export function findProgram(search: ProgramSearch): Program {
  const { name, cwd, agentFolder } = search;
  const path = name.includes("/") ? besideCopy(search) : onPath(search);
  assertStartable(path, search);
  const real = realpathSync(path);
  if (agentFolder !== undefined && isWithin(realpathSync(agentFolder), real) && !isWithin(cwd, real))
    throw notStarted(`${path} is in the agent's own folder, not in its verified copy`, {
      hint: `name it relative to waybill.yaml, with a '/', or take its folder out of PATH`,
    });
  return { path, inCopy: isWithin(cwd, real) };
}

export function notStarted(message: string, options: { hint: string; cause?: unknown }): WaybillError {
  return new WaybillError("WB-INPUT-014", message, options);
}

function besideCopy({ name, cwd }: ProgramSearch): string {
  const path = resolve(cwd, name);
  if (!isAbsolute(name) && !isWithin(cwd, path))
    throw notStarted(`the program ${name} is outside of the agent's folder`, {
      hint: "write an absolute path for a program of the machine",
    });
  return path;
}

function onPath({ name, cwd, env, user }: ProgramSearch): string {
  if (env.PATH === undefined || env.PATH === "")
    throw notStarted(`the program ${name} cannot be looked for: start.env declares no PATH`, {
      hint: `write its absolute path, or declare PATH: /usr/local/bin:/usr/bin:/bin (or {inherit: true})`,
    });
  const folders = env.PATH.split(delimiter);
  let refused: string | undefined;
  for (const folder of folders) {
    const path = join(resolve(cwd, folder), name);
    const stat = statOf(path);
    if (!stat) continue;
    if (!isAbsolute(folder))
      throw notStarted(`PATH finds ${name} in '${folder}', which is relative to the working folder`, {
        hint: "take the empty and relative entries out of PATH, or name the program with a '/'",
      });
    if (stat.isFile() && mayExecute(path, user)) return path;
    refused ??= path;
  }
  if (refused !== undefined) throw forbidden(refused, user);
  throw notStarted(`the program ${name} is in no folder of PATH (${folders.join(", ")})`, {
    hint: "install it, or correct start.command or PATH in waybill.yaml",
  });
}

/** Checks what execve will: existence, a regular file, permission, and the same for `#!` interpreters. */
function assertStartable(program: string, { cwd, user }: ProgramSearch): void {
  let path = program;
  for (let depth = 0; ; depth += 1) {
    const by = depth === 0 ? "" : `, the interpreter in the first line of ${program},`;
    const stat = statOf(path);
    if (!stat)
      throw notStarted(`the program ${path}${by} does not exist`, {
        hint:
          depth === 0
            ? "is it in a component? the process sees only files of the release, and those of the machine"
            : "install the interpreter, or correct the line",
      });
    if (!stat.isFile())
      throw notStarted(`the program ${path}${by} is not a file`, { hint: "name a program in start.command" });
    if (!mayExecute(path, user)) throw forbidden(path, user);
    const interpreter = interpreterOf(path);
    if (interpreter === undefined) return;
    if (depth === MAX_INTERPRETERS)
      throw notStarted(`${program} has too many interpreters`, { hint: "name the last one as the program" });
    path = resolve(cwd, interpreter);
  }
}

/** The interpreter of a script, undefined for a binary. Anything else a C library would hand to /bin/sh. */
function interpreterOf(path: string): string | undefined {
  if (process.platform !== "linux") return undefined;
  const head = readHead(path);
  if (head === undefined || head.subarray(0, 4).equals(Buffer.from("\x7fELF", "latin1"))) return undefined;
  const line = /^#![ \t]*([^ \t\n\0]+)/.exec(head.toString("utf8"));
  if (line) return line[1]!;
  throw notStarted(`${path} is neither a binary nor a script with a #! line`, {
    hint: "begin it with a line such as #!/usr/bin/env node, or declare its interpreter as the program",
  });
}

/** The first bytes of a program; undefined when we may execute it but not read it. */
function readHead(path: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const buffer = Buffer.alloc(MAX_FIRST_LINE);
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** Asks the kernel, as the user: it knows of access control lists and of mounts without execution. */
function mayExecute(path: string, user: number | undefined): boolean {
  if (user === undefined) {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }
  const { status, error } = spawnSync(TEST, ["-x", path], {
    uid: user,
    gid: AGENT_GROUP,
    env: {},
    stdio: "ignore",
  });
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === "EPERM" || code === "EINVAL" || code === "EAGAIN")
    throw notStarted(`uid ${process.getuid?.()} cannot run a process as uid ${user}`, {
      hint: "it needs CAP_SETUID and CAP_SETGID, and the uid must exist in its user namespace; or run waybill as that user",
      cause: error,
    });
  if (status === 0 || status === 1) return status === 0;
  // No such tool here: the mode bits are the next best, and execve has the last word.
  const stat = statSync(path);
  const bit = stat.uid === user ? 0o100 : stat.gid === AGENT_GROUP ? 0o010 : 0o001;
  return (stat.mode & bit) !== 0 && impassableFolder(path, user) === undefined;
}

function forbidden(path: string, user: number | undefined): WaybillError {
  const who = user === undefined ? "this user" : `uid ${user}`;
  const folder = user === undefined ? undefined : impassableFolder(path, user);
  if (folder !== undefined)
    return notStarted(`${who} cannot execute ${path}: it cannot enter ${folder}`, {
      hint: `install it where every user can reach it, or let others enter: chmod o+x ${folder}`,
    });
  return notStarted(`${who} cannot execute ${path}`, {
    hint: "its x bit must be set (lock again afterwards), and its file system mounted without noexec: WAYBILL_RUN_DIR chooses another",
  });
}

function statOf(path: string): ReturnType<typeof statSync> | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

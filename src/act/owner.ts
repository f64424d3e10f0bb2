import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Who made something that must not outlive it, as far as another process can judge whether it still runs. */
export interface Owner {
  pid: number;
  /** Field 22 of /proc/PID/stat, in clock ticks since boot: a pid may be used again. */
  started?: string | undefined;
  /** Both, and the host, say where the pid means something. */
  boot?: string | undefined;
  pidNamespace?: string | undefined;
  host: string;
}

/** The record of this very process. */
export function ourselves(): Owner {
  return {
    pid: process.pid,
    started: startTime(process.pid),
    boot: readIfThere("/proc/sys/kernel/random/boot_id")?.trim(),
    pidNamespace: tryOr(() => readlinkSync("/proc/self/ns/pid")),
    host: hostname(),
  };
}

/** True when the process of a record certainly does not run any more. */
export function isGone(owner: Owner): boolean {
  const us = ourselves();
  if (owner.boot === undefined || us.boot === undefined) return owner.host === us.host && !exists(owner.pid);
  if (owner.boot !== us.boot) return owner.host === us.host;
  if (owner.pidNamespace !== us.pidNamespace) return false;
  return startTime(owner.pid) !== owner.started;
}

/** A file's text; undefined when it cannot be read. */
export function readIfThere(path: string): string | undefined {
  return tryOr(() => readFileSync(path, "utf8"));
}

/** Field 22 of /proc/PID/stat; undefined when there is no such process. */
function startTime(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The second field, the name, may hold spaces and parentheses; field 22 is the 20th after it.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function tryOr<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

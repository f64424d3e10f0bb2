import { readdirSync } from "node:fs";
import { readIfThere } from "./owner.ts";

/** A process of this machine, as /proc shows it. */
export interface SeenProcess {
  pid: number;
  /** Of its session's first process. */
  session: number;
  /** Real, effective, saved and file system user. */
  users: number[];
}

/** The processes that run, without those that have ended and wait to be reaped. Empty where there is no /proc. */
export function runningProcesses(): SeenProcess[] {
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const stat = readIfThere(`/proc/${name}/stat`);
    const ids = /^Uid:\s*(.*)$/m.exec(readIfThere(`/proc/${name}/status`) ?? "");
    // After the name, which may hold spaces: state ppid pgrp session.
    const [state, , , session] = stat?.slice(stat.lastIndexOf(")") + 2).split(" ") ?? [];
    if (!ids || state === undefined || "ZX".includes(state)) return [];
    return [{ pid: Number(name), session: Number(session), users: ids[1]!.split(/\s+/).map(Number) }];
  });
}

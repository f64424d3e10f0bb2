import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";

/** Signals that Waybill passes on to the agent. */
const FORWARDED = [
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGCONT",
] as const satisfies readonly NodeJS.Signals[];

/** Those that a terminal sends to all processes of its foreground group. */
const FROM_TERMINAL: ReadonlySet<NodeJS.Signals> = new Set(["SIGINT", "SIGQUIT", "SIGWINCH"]);

/**
 * Passes signals on to a child until the returned function is called. To be called before the child is made,
 * so that no signal is lost in between.
 *
 * The child is in our process group, which job control needs. So a Ctrl-C reaches both of us: while our group
 * is the terminal's foreground group, SIGINT, SIGQUIT and SIGWINCH are taken to come from there and are not
 * passed on (`kill -INT` of Waybill alone then does nothing: use SIGTERM). A signal that somebody sends to the
 * whole group reaches the child twice.
 */
export function forwardSignals(child: () => ChildProcess | undefined): () => void {
  const listeners = FORWARDED.map((signal) => {
    const listener = () => {
      if (FROM_TERMINAL.has(signal) && isTerminalsForeground()) return;
      child()?.kill(signal);
    };
    try {
      process.on(signal, listener);
    } catch {
      // A platform that does not have this signal.
    }
    return { signal, listener };
  });
  return () => {
    for (const { signal, listener } of listeners) process.off(signal, listener);
  };
}

/** True when our process group is in the foreground of a terminal. */
function isTerminalsForeground(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    // After the name, which may hold spaces: state ppid pgrp session tty_nr tpgid.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group === foreground;
  } catch {
    return process.stdin.isTTY === true;
  }
}

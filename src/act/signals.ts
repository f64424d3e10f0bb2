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
 * A child in our own process group hears from the terminal itself. So a Ctrl-C reaches both of us: while our
 * group is the terminal's foreground group, SIGINT, SIGQUIT and SIGWINCH are taken to come from there and are
 * not passed on (`kill -INT` of Waybill alone then does nothing: use SIGTERM). A signal that somebody sends to
 * the whole group reaches the child twice.
 *
 * A child in a session of its own hears nothing from our terminal: those three are then passed on to its whole
 * group, as the terminal would do it. Ctrl-Z stops its group and then us, and SIGCONT continues both; where no
 * shell of ours could continue us, the kernel ignores a Ctrl-Z, and so does the agent.
 */
export function forwardSignals(child: () => ChildProcess | undefined, ownSession: boolean): () => void {
  const running = () => {
    const found = child();
    return found && found.exitCode === null && found.signalCode === null ? found : undefined;
  };
  const pass = (signal: NodeJS.Signals) => {
    const fromTerminal = FROM_TERMINAL.has(signal) && isTerminalsForeground();
    if (!ownSession) {
      if (!fromTerminal) running()?.kill(signal);
    } else if (fromTerminal || signal === "SIGCONT") signalGroup(running()?.pid, signal);
    else running()?.kill(signal);
  };
  const stop = () => {
    // Not SIGTSTP: the kernel drops it for a group that has no parent in its session.
    signalGroup(running()?.pid, "SIGSTOP");
    // With its default action it stops us here, unless nobody could continue us: then neither are we stopped,
    // nor must the agent be.
    process.off("SIGTSTP", stop);
    process.kill(process.pid, "SIGTSTP");
    process.on("SIGTSTP", stop);
    signalGroup(running()?.pid, "SIGCONT");
  };
  const listeners = [
    ...FORWARDED.map((signal) => ({ signal, listener: () => pass(signal) })),
    ...(ownSession ? [{ signal: "SIGTSTP" as const, listener: stop }] : []),
  ];
  for (const { signal, listener } of listeners) {
    try {
      process.on(signal, listener);
    } catch {
      // A platform that does not have this signal.
    }
  }
  return () => {
    for (const { signal, listener } of listeners) process.off(signal, listener);
  };
}

/** Signals the group of a process that leads one. */
function signalGroup(leader: number | undefined, signal: NodeJS.Signals): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, signal);
  } catch {
    // It has just ended.
  }
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

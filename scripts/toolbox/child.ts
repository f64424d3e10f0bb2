import { spawn } from "node:child_process";

/** How much of a program's output is kept: its end, where the reason of a failure stands. */
const KEPT = 8192;

/**
 * Runs a program of a build to its end, in a process group of its own.
 *
 * @param words the program and its arguments; no shell
 * @param options working folder, additions to the environment, time limit in ms
 * @returns null when it ended with 0, else what happened and the last lines of its output
 */
export function runChild(
  words: readonly string[],
  options: { cwd: string; env?: Record<string, string>; limit: number },
): Promise<string | null> {
  return new Promise((resolve) => {
    const [program = "", ...args] = words;
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString("utf8")).slice(-KEPT);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      endGroup(child.pid);
    }, options.limit);
    const end = () => endGroup(child.pid);
    process.once("exit", end);
    const done = (problem: string | null) => {
      clearTimeout(timer);
      process.off("exit", end);
      resolve(problem);
    };
    child.once("error", (error) => done(`${program}: ${error.message}`));
    child.once("close", (code, signal) => {
      if (code === 0) return done(null);
      const how = late ? `not done after ${options.limit / 1000} s` : `ended with ${code ?? signal}`;
      done(`${program} ${how}\n${output.trimEnd()}`);
    });
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

import { execFile } from "node:child_process";

/** How a program ended. */
export interface Ended {
  status: number;
  out: string;
  err: string;
}

/**
 * Runs a program to its end without holding up this process, whose issuer it may ask.
 *
 * @param options additions to the environment (undefined takes a variable out), text for its standard input, folder
 */
export function runProgram(
  words: readonly string[],
  options: { env?: Record<string, string | undefined>; input?: string; cwd?: string } = {},
): Promise<Ended> {
  const [program = "", ...args] = words;
  return new Promise((resolve) => {
    const child = execFile(
      program,
      args,
      {
        cwd: options.cwd,
        env: { ...process.env, ...options.env },
        timeout: 120_000,
        maxBuffer: 16 << 20,
      },
      (error, out, err) => {
        const code = error === null ? 0 : error.code;
        resolve({ status: typeof code === "number" ? code : -1, out, err });
      },
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
  });
}

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a server may take until it answers, in ms: the machine may be busy with other tests. */
const START_LIMIT = 60_000;
/** How long it may take to end by itself before it is killed. */
const STOP_LIMIT = 2_000;

/** A server program that a test started. */
export interface RunningServer {
  pid: number;
  stop(): Promise<void>;
}

/**
 * Starts a server and waits until it answers. It ends at the latest with this process.
 *
 * @param words program and arguments
 * @param options where it will listen: a port on 127.0.0.1 or a socket's path; the file for its output; its working folder
 * @throws Error with the end of its output when it ends early or does not answer in 60 s
 */
export async function startServer(
  words: readonly string[],
  options: { at: number | string; log: string; cwd: string; limit?: number },
): Promise<RunningServer> {
  const [program = "", ...args] = words;
  const out = openSync(options.log, "a");
  const child = spawn(program, args, { cwd: options.cwd, stdio: ["ignore", out, out] });
  closeSync(out);
  const kill = () => void child.kill("SIGKILL");
  process.once("exit", kill);
  let failed: string | undefined;
  child.once("error", (error) => {
    failed = error.message;
  });
  const stop = async () => {
    await end(child);
    process.off("exit", kill);
  };
  const limit = options.limit ?? START_LIMIT;
  const deadline = performance.now() + limit;
  while (!(await answers(options.at))) {
    if (child.exitCode !== null || child.signalCode !== null) failed ??= `ended with ${child.exitCode}`;
    if (performance.now() > deadline) failed ??= `did not answer within ${limit / 1000} s`;
    if (failed !== undefined) {
      await stop();
      throw new Error(`${program}: ${failed}\n${readFileSync(options.log, "utf8").slice(-4000)}`);
    }
    await sleep(25);
  }
  return { pid: child.pid!, stop };
}

/** Ports on 127.0.0.1 that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer();
          server.once("error", reject).listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function answers(at: number | string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = typeof at === "string" ? connect(at) : connect(at, "127.0.0.1");
    const done = (value: boolean) => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(1000, () => done(false));
    socket.once("connect", () => done(true)).once("error", () => done(false));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT);
  await ended;
  clearTimeout(timer);
}

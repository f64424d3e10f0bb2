import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A registry that runs for a test. */
export interface RunningRegistry {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** Ends it and removes what it stored. */
  stop(): Promise<void>;
}

/** A free port of this machine. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Starts a registry of the distribution project (version 2 or 3) on a free port of 127.0.0.1.
 *
 * @param program its path, from `needTool`
 * @param auth the `auth` section of its configuration, indented as YAML below `auth:`; files named in `files`
 *   are written beside it, and `DIR` in the section stands for their folder
 */
export async function serveRegistry(
  program: string,
  auth?: { section: string; files: Readonly<Record<string, string>> },
): Promise<RunningRegistry> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-registry-"));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  for (const [name, text] of Object.entries(auth?.files ?? {})) writeFileSync(join(folder, name), text);
  const config = [
    "version: 0.1",
    "log: {level: error}",
    `storage: {filesystem: {rootdirectory: ${join(folder, "data")}}, delete: {enabled: true}}`,
    `http: {addr: "${host}", secret: test}`,
    ...(auth ? ["auth:", auth.section.replaceAll("DIR", folder)] : []),
  ];
  writeFileSync(join(folder, "config.yml"), `${config.join("\n")}\n`);
  const child = spawn(program, ["serve", join(folder, "config.yml")], {
    stdio: "ignore",
    env: { PATH: process.env.PATH ?? "", OTEL_TRACES_EXPORTER: "none" },
  });
  const stop = async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) break;
    try {
      await fetch(`http://${host}/v2/`);
      return { host, stop };
    } catch {
      await wait(50);
    }
  }
  await stop();
  throw new Error(`${program} did not start`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

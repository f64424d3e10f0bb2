import { spawnSync } from "node:child_process";
import { connect, createServer, type Server } from "node:net";

/**
 * What to put before a program so that it has a network of its own, without any way out or in but sockets in the file
 * system: an unprivileged user namespace, else root's network namespace. Nothing where neither can be had.
 */
export function ownNetwork(): string[] {
  for (const words of [
    ["unshare", "--user", "--map-root-user", "--net"],
    ["unshare", "--net"],
  ]) {
    const { status } = spawnSync(words[0]!, [...words.slice(1), "true"], {
      stdio: "ignore",
      timeout: 10_000,
    });
    if (status === 0) return words;
  }
  return [];
}

/** Passes connections to a port on 127.0.0.1 on to a socket in the file system. Gives the port. */
export async function relayTo(socketPath: string): Promise<{ port: number; server: Server }> {
  const server = createServer((client) => {
    const target = connect(socketPath);
    client.pipe(target).pipe(client);
    client.on("error", () => target.destroy()).on("close", () => target.destroy());
    target.on("error", () => client.destroy()).on("close", () => client.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  return { port: typeof address === "object" && address ? address.port : 0, server };
}

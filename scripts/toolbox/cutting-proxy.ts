import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy before a server of this machine that cuts connections in the middle. */
export interface CuttingProxy {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** Cuts the connection that carries so many bytes from here on, upwards or downwards; as often as there are numbers. */
  cutAfter: { up: number[]; down: number[] };
  /** Connections that were cut. */
  cuts: number;
  stop(): void;
}

/** Starts one on a free port of 127.0.0.1. @param target `127.0.0.1:PORT` of the server */
export async function cuttingProxy(target: string): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const [host, port] = target.split(":") as [string, string];
  const proxy: CuttingProxy = {
    host: "",
    cutAfter: { up: [], down: [] },
    cuts: 0,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    const pass = (from: Socket, to: Socket, limits: number[]) => {
      let passed = 0;
      from.on("data", (chunk) => {
        passed += chunk.length;
        const limit = limits[0];
        if (limit !== undefined && passed >= limit) {
          limits.shift();
          proxy.cuts += 1;
          return end();
        }
        if (!to.write(chunk)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
    };
    pass(client, upstream, proxy.cutAfter.up);
    pass(upstream, client, proxy.cutAfter.down);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  proxy.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return proxy;
}

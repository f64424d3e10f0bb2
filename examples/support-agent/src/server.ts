/**
 * Runs the agent as an HTTP service. Environment: PORT (8080; 0 takes any free port), HOST (127.0.0.1),
 * LOG_LEVEL (silent, error, info, debug) and WAYBILL_RELEASE.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createAgent } from "./agent.ts";
import { createApi } from "./http.ts";
import { createLog } from "./log.ts";

const CLOSE_MS = 2000;

const { env } = process;
const log = createLog(env.LOG_LEVEL);
const release = env.WAYBILL_RELEASE || null;

try {
  const port = Number(env.PORT || "8080");
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error("PORT is not a port number");
  const agent = await createAgent({ root: join(import.meta.dirname, ".."), release });
  const server = createApi(agent, release, log);

  let closing = false;
  const close = async (signal: string) => {
    if (closing) return;
    closing = true;
    log("info", "closing", { signal });
    const closed = once(server, "close");
    server.close();
    server.closeIdleConnections();
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
    if (server.listening) await closed;
    clearTimeout(timer);
    await agent.close();
    process.exit(0);
  };
  process.on("SIGTERM", close);
  process.on("SIGINT", close);

  server.listen(port, env.HOST || "127.0.0.1");
  await once(server, "listening").catch(async (error) => {
    await agent.close();
    throw error;
  });
  const { address, port: bound, family } = server.address() as AddressInfo;
  const url = `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`;
  process.stdout.write(`${JSON.stringify({ msg: "listening", url })}\n`);
} catch (error) {
  log("error", "could not start", { error: String((error as Error).message) });
  process.exitCode = 1;
}

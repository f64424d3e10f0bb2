import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Agent } from "./agent.ts";
import type { Log } from "./log.ts";

const MAX_BODY = 16 * 1024;

class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The HTTP API: POST /ask and GET /healthz. */
export function createApi(agent: Agent, release: string | null, log: Log): Server {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 5_000 });
  server.maxConnections = 512;
  server.on("request", async (request: IncomingMessage, response: ServerResponse) => {
    const started = performance.now();
    response.on("error", () => {});
    try {
      reply(response, 200, await route(request, agent, release));
    } catch (error) {
      const status = error instanceof HttpError ? error.status : 500;
      if (status === 500) log("error", "request failed", { error: String(error) });
      if (!request.complete) response.setHeader("connection", "close");
      reply(response, status, { error: status === 500 ? "internal error" : (error as Error).message });
    }
    const ms = Math.round(performance.now() - started);
    log("debug", "request", { method: request.method, status: response.statusCode, ms });
  });
  return server;
}

async function route(request: IncomingMessage, agent: Agent, release: string | null): Promise<object> {
  const path = (request.url ?? "").split("?")[0];
  if (request.method === "GET" && path === "/healthz")
    return { status: "ok", agent: "support-agent", release };
  if (request.method !== "POST" || path !== "/ask") throw new HttpError(404, "not found");
  const { question, session } = parseAsk(await readBody(request));
  return { ...(await agent.ask(question, session)), release };
}

function parseAsk(body: string): { question: string; session?: string } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new HttpError(400, "the body is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, "the body is not a JSON object");
  }
  const { question, session } = value as Record<string, unknown>;
  if (typeof question !== "string" || question.trim() === "")
    throw new HttpError(400, "question is not a text");
  if (session === undefined) return { question };
  if (typeof session !== "string" || session.length > 64)
    throw new HttpError(400, "session is not a short text");
  return { question, session };
}

async function readBody(request: IncomingMessage): Promise<string> {
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
    throw new HttpError(415, "the content type is not application/json");
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY) throw new HttpError(413, `the body is longer than ${MAX_BODY} bytes`);
    parts.push(part);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    throw new HttpError(400, "the body is not UTF-8");
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(`${JSON.stringify(body)}\n`);
}

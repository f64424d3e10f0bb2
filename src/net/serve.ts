import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WaybillError } from "../core/errors.ts";

export interface ServeOptions {
  /** 127.0.0.1 when absent: nobody else than this machine. */
  host?: string;
  /** 0, when absent: any free one. */
  port?: number;
  /** Largest body of a request in bytes; 1 MiB. */
  maxBody?: number;
  /** Until the headers of a request are there, in milliseconds; 10 s. */
  headersMs?: number;
  /** Until a whole request is there; 30 s. */
  requestMs?: number;
  /** At the same time; 256. */
  maxConnections?: number;
  /** Told of what a handler threw; the client sees 500 and no word of it. */
  onError?: (error: unknown) => void;
}

export interface Served {
  /** Without a slash at the end. */
  url: string;
  /** Ends every connection and waits for it. */
  close(): Promise<void>;
}

/**
 * Serves a fetch-style handler over plain HTTP/1.1, with limits on the size and the time of requests and on the
 * number of connections. Request bodies are read whole before the handler is called. The request's URL has this
 * server's own address, whatever `Host` says.
 *
 * @throws WaybillError WB-NET-001 the address cannot be had
 */
export async function serve(
  handler: (request: Request) => Response | Promise<Response>,
  options: ServeOptions = {},
): Promise<Served> {
  const { host = "127.0.0.1", port = 0, maxBody = 1 << 20, onError } = options;
  const server = createServer({
    headersTimeout: options.headersMs ?? 10_000,
    requestTimeout: options.requestMs ?? 30_000,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 16_384,
  });
  server.maxConnections = options.maxConnections ?? 256;
  await listen(server, host, port);
  const { port: bound, family, address } = server.address() as AddressInfo;
  const url = `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`;
  server.on("request", (incoming, outgoing) => {
    answer(incoming, outgoing, { url, maxBody, handler }).catch((error: unknown) => {
      // A client that went away is nobody's error.
      if (incoming.errored === null && !outgoing.destroyed) onError?.(error);
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500, { connection: "close" }).end();
    });
  });
  return {
    url,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  how: { url: string; maxBody: number; handler: (request: Request) => Response | Promise<Response> },
): Promise<void> {
  const path = incoming.url ?? "/";
  // Absolute and authority forms would let a client choose the host.
  if (!path.startsWith("/") || !URL.canParse(how.url + path)) return refuse(outgoing, 400);
  const body = await readBody(incoming, how.maxBody);
  if (body === undefined) return refuse(outgoing, 413);
  const method = incoming.method ?? "GET";
  const bare = method === "GET" || method === "HEAD";
  const request = new Request(how.url + path, {
    method,
    headers: headersOf(incoming),
    ...(bare ? {} : { body }),
  });
  const response = await how.handler(request);
  outgoing.writeHead(response.status, [...response.headers].flat());
  if (method !== "HEAD")
    for await (const chunk of response.body ?? []) if (!outgoing.write(chunk)) await drained(outgoing);
  outgoing.end();
}

/** A refusal after which the connection is closed: the rest of the request is not read. */
function refuse(outgoing: ServerResponse, status: number): void {
  outgoing.writeHead(status, { connection: "close" }).end();
}

async function readBody(incoming: IncomingMessage, limit: number): Promise<Buffer<ArrayBuffer> | undefined> {
  if (Number(incoming.headers["content-length"] ?? 0) > limit) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function headersOf(incoming: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(incoming.headersDistinct))
    for (const value of values ?? []) headers.append(name, value);
  return headers;
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error("the client went away"));
    outgoing.once("close", closed);
    outgoing.once("drain", () => {
      outgoing.off("close", closed);
      resolve();
    });
  });
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      reject(
        new WaybillError("WB-NET-001", `cannot listen on ${host}:${port}: ${cause.code ?? cause.message}`, {
          hint: "choose another port or address",
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { readLines } from "./lines.ts";

const PROTOCOL = "2025-11-25";
const MAX_LINE = 256 * 1024;
const TIMEOUT_MS = 5000;

/** Calls the tools of one MCP server. */
export interface ToolClient {
  call(name: string, args: Record<string, unknown>): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

interface Connection {
  child: ChildProcess;
  request(method: string, params: object): Promise<Record<string, unknown>>;
}

/**
 * Starts the helpdesk server as a child process with an empty environment. If the child ends, the calls
 * under way fail and the next call starts a new one.
 */
export async function connectTools(root: string): Promise<ToolClient> {
  const file = join(root, "tools/helpdesk/server.ts");
  let current: Promise<Connection> | null = null;
  let closed = false;
  const connection = () => {
    current ??= open(file, () => {
      current = null;
    });
    return current;
  };
  await connection();
  return {
    async call(name, args) {
      if (closed) throw new Error("the tool client is closed");
      const { request } = await connection();
      const result = await request("tools/call", { name, arguments: args });
      if (
        result.isError === true ||
        typeof result.structuredContent !== "object" ||
        !result.structuredContent
      ) {
        throw new Error(`${name} failed`);
      }
      return result.structuredContent as Record<string, unknown>;
    },
    async close() {
      closed = true;
      const opened = await current?.catch(() => null);
      if (opened) await stop(opened.child);
    },
  };
}

async function open(file: string, onEnd: () => void): Promise<Connection> {
  const child = spawn(process.execPath, [file], { env: {}, stdio: ["pipe", "pipe", "ignore"] });
  const waiting = new Map<number, (message: Record<string, unknown> | null) => void>();
  let lastId = 0;
  const end = () => {
    onEnd();
    for (const settle of waiting.values()) settle(null);
    waiting.clear();
  };
  child.on("error", end);
  child.on("exit", end);
  child.stdin.on("error", end);
  const drop = () => child.kill();
  readLines(child.stdout, MAX_LINE, (line) => receive(line, waiting, drop), drop);

  const send = (message: object) => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const request = async (method: string, params: object) => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error("the tool server has ended");
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown> | null>();
    const id = ++lastId;
    const timer = setTimeout(() => resolve(null), TIMEOUT_MS);
    waiting.set(id, resolve);
    send({ id, method, params });
    const message = await promise;
    clearTimeout(timer);
    waiting.delete(id);
    if (typeof message?.result !== "object" || !message.result) throw new Error(`${method}: no result`);
    return message.result as Record<string, unknown>;
  };
  try {
    const clientInfo = { name: "support-agent", version: "1.0.0" };
    const hello = await request("initialize", { protocolVersion: PROTOCOL, capabilities: {}, clientInfo });
    if (hello.protocolVersion !== PROTOCOL)
      throw new Error("the tool server speaks another protocol version");
    send({ method: "notifications/initialized" });
    return { child, request };
  } catch (error) {
    child.kill();
    onEnd();
    throw error;
  }
}

function receive(
  line: string,
  waiting: Map<number, (message: Record<string, unknown> | null) => void>,
  drop: () => void,
): void {
  try {
    const message = JSON.parse(line) as Record<string, unknown>;
    waiting.get(message.id as number)?.(message);
  } catch {
    drop();
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.stdin?.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), 1000);
  await ended;
  clearTimeout(timer);
}

/**
 * The helpdesk MCP server: JSON-RPC 2.0 over stdio, one message a line. What it lists is what tools.json
 * says, so the snapshot that was reviewed and the live server cannot differ.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readLines } from "../../src/lines.ts";
import { createHandlers } from "./handlers.ts";
import { problem, type Schema } from "./schema.ts";

const VERSIONS = ["2025-11-25", "2025-06-18"];
const MAX_LINE = 64 * 1024;
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const NO_METHOD = -32601;
const INVALID_PARAMS = -32602;

interface Tool {
  name: string;
  inputSchema: Schema;
  outputSchema: Schema;
}

class RpcError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const root = join(import.meta.dirname, "../..");
const definitions = JSON.parse(readFileSync(join(import.meta.dirname, "tools.json"), "utf8")) as {
  server: { name: string; version: string };
  instructions: string;
  tools: Tool[];
};
const handlers = createHandlers(root);
let initialized = false;

function receive(line: string): void {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    send({ id: null, error: { code: PARSE_ERROR, message: "not JSON" } });
    return;
  }
  const { jsonrpc, id, method, params } = isRecord(message) ? message : {};
  const badId = id !== undefined && typeof id !== "string" && !Number.isSafeInteger(id);
  if (jsonrpc !== "2.0" || typeof method !== "string" || badId) {
    send({ id: null, error: { code: INVALID_REQUEST, message: "not a JSON-RPC 2.0 request" } });
    return;
  }
  if (id === undefined) return;
  try {
    if (params !== undefined && !isRecord(params))
      throw new RpcError(INVALID_PARAMS, "params is not an object");
    send({ id, result: answer(method, params ?? {}) });
  } catch (error) {
    const known = error instanceof RpcError;
    send({
      id,
      error: { code: known ? error.code : -32603, message: known ? error.message : "internal error" },
    });
  }
}

function answer(method: string, params: Record<string, unknown>): object {
  if (method === "ping") return {};
  if (method === "initialize") {
    const wanted = params.protocolVersion;
    if (typeof wanted !== "string") throw new RpcError(INVALID_PARAMS, "protocolVersion is missing");
    initialized = true;
    return {
      protocolVersion: VERSIONS.includes(wanted) ? wanted : VERSIONS[0],
      capabilities: { tools: { listChanged: false } },
      serverInfo: definitions.server,
      instructions: definitions.instructions,
    };
  }
  if (method !== "tools/list" && method !== "tools/call") throw new RpcError(NO_METHOD, "no such method");
  if (!initialized) throw new RpcError(INVALID_REQUEST, "not initialized");
  return method === "tools/list" ? { tools: definitions.tools } : call(params);
}

function call({ name, arguments: args }: Record<string, unknown>): object {
  const tool = definitions.tools.find((entry) => entry.name === name);
  if (!tool) throw new RpcError(INVALID_PARAMS, "no such tool");
  const wrong = problem(args ?? {}, tool.inputSchema);
  if (wrong) return failed(wrong);
  try {
    const result = handlers[tool.name]!((args ?? {}) as Record<string, unknown>);
    const broken = problem(result, tool.outputSchema, "result");
    if (broken) throw new Error(broken);
    return {
      content: [{ type: "text", text: JSON.stringify(result) }],
      structuredContent: result,
      isError: false,
    };
  } catch (error) {
    return failed((error as Error).message);
  }
}

function failed(text: string): object {
  return { content: [{ type: "text", text }], isError: true };
}

function send(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

readLines(process.stdin, MAX_LINE, receive, () =>
  send({ id: null, error: { code: INVALID_REQUEST, message: `a line is longer than ${MAX_LINE} bytes` } }),
);
process.stdout.on("error", () => process.exit(0));

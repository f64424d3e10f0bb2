import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";

interface Message {
  id: number | null;
  result: {
    protocolVersion?: string;
    serverInfo?: object;
    instructions?: string;
    tools?: object[];
    content: { text: string }[];
    structuredContent: { status?: string; articles?: { title: string }[] };
    isError: boolean;
  };
  error?: { code: number };
}

/** Feeds lines to a fresh server, ends its input, and returns what it answered. */
async function talk(lines: readonly (object | string)[]): Promise<Message[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "server.ts")], { env: {} });
  const answers: Message[] = [];
  const ended = once(child, "close");
  createInterface({ input: child.stdout }).on("line", (line) => answers.push(JSON.parse(line)));
  for (const line of lines) child.stdin.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
  child.stdin.end();
  assert.deepEqual(await ended, [0, null]);
  return answers;
}

const hello = {
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } },
};
const request = (id: number, method: string, params?: object) => ({ jsonrpc: "2.0", id, method, params });
const call = (id: number, name: string, args: unknown) =>
  request(id, "tools/call", { name, arguments: args });

test("it lists exactly what tools.json says, and its tools work", async () => {
  const snapshot = JSON.parse(readFileSync(join(import.meta.dirname, "tools.json"), "utf8"));
  const answers = await talk([
    hello,
    { jsonrpc: "2.0", method: "notifications/initialized" },
    request(1, "tools/list"),
    request(2, "ping"),
    call(3, "lookup_order", { order: "HB-10001", postcode: "2041" }),
    call(4, "create_ticket", { topic: "complaint", text: "broken" }),
    call(5, "search_help", { query: "free delivery", limit: 1 }),
  ]);
  const results = answers.map(({ result }) => result);
  assert.equal(answers.length, 6);
  assert.equal(results[0]!.protocolVersion, "2025-06-18");
  const { serverInfo: server, instructions } = results[0]!;
  assert.deepEqual({ server, instructions, tools: results[1]!.tools }, snapshot);
  assert.deepEqual(results[2], {});
  assert.equal(results[3]!.structuredContent.status, "shipped");
  assert.deepEqual(JSON.parse(results[3]!.content[0]!.text), results[3]!.structuredContent);
  assert.deepEqual(results[4]!.structuredContent, { ticket: "HT-000001", topic: "complaint" });
  assert.equal(results[5]!.structuredContent.articles?.[0]?.title, "Delivery options and prices");
});

test("a wrong postcode and an unknown order get the same answer", async () => {
  const [, wrong, unknown] = await talk([
    hello,
    call(1, "lookup_order", { order: "HB-10001", postcode: "9999" }),
    call(2, "lookup_order", { order: "HB-99999", postcode: "2041" }),
  ]);
  assert.deepEqual(wrong!.result, unknown!.result);
  assert.deepEqual(wrong!.result.structuredContent, { found: false });
});

test("garbage is answered with errors, and the server goes on", async () => {
  const answers = await talk([
    request(1, "tools/list"),
    hello,
    "{not json",
    "[]",
    { jsonrpc: "1.0", id: 2, method: "ping" },
    { jsonrpc: "2.0", id: {}, method: "ping" },
    { jsonrpc: "2.0", method: "no/such/notification" },
    request(3, "no/such/method"),
    { jsonrpc: "2.0", id: 4, method: "tools/call", params: [1] },
    call(5, "__proto__", {}),
    `{"pad":"${"x".repeat(70_000)}"}`,
    request(6, "ping"),
  ]);
  assert.deepEqual(
    answers.map(({ id, error }) => [id, error?.code]),
    [
      [1, -32600],
      [0, undefined],
      [null, -32700],
      [null, -32600],
      [null, -32600],
      [null, -32600],
      [3, -32601],
      [4, -32602],
      [5, -32602],
      [null, -32600],
      [6, undefined],
    ],
  );
});

test("arguments that do not fit the schema are tool errors", async () => {
  const wrong: [string, unknown][] = [
    ["lookup_order", undefined],
    ["lookup_order", { order: "HB-10001" }],
    ["lookup_order", { order: "HB-10001\n", postcode: "2041" }],
    ["lookup_order", { order: "HB-10001", postcode: 2041 }],
    ["lookup_order", { order: "HB-10001", postcode: "2041", admin: true }],
    ["create_ticket", { topic: "bribe", text: "x" }],
    ["create_ticket", { topic: "refund", text: "x".repeat(1001) }],
    ["search_help", { query: "" }],
    ["search_help", { query: "tea", limit: 1.5 }],
    ["search_help", { query: "tea", limit: 99 }],
    ["search_help", ["tea"]],
  ];
  const [, ...answers] = await talk([hello, ...wrong.map(([name, args], i) => call(i + 1, name, args))]);
  assert.equal(answers.length, wrong.length);
  for (const { id, result } of answers) assert.equal(result.isError, true, `call ${id}`);
});

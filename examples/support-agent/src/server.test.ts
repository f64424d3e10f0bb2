import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { copyOfAgent } from "../tests/support.ts";
import type { Answer } from "./agent.ts";

const RELEASE = `sha256:${"a".repeat(64)}`;
let copy: ReturnType<typeof copyOfAgent>;
let child: ChildProcess;
let url: string;

before(async () => {
  copy = copyOfAgent();
  child = spawn(process.execPath, [join(copy.path, "src/server.ts")], {
    cwd: "/",
    env: { PORT: "0", LOG_LEVEL: "error", WAYBILL_RELEASE: RELEASE },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: child.stdout! }), "line");
  const message = JSON.parse(line);
  assert.equal(message.msg, "listening");
  url = message.url;
});

after(() => {
  child.kill("SIGKILL");
  copy[Symbol.dispose]();
});

interface Reply extends Answer {
  release: string;
  error: string;
}

const json = async (response: Response) => (await response.json()) as Reply;
const post = (body: string | Uint8Array<ArrayBuffer>, type = "application/json") =>
  fetch(`${url}/ask`, { method: "POST", headers: { "content-type": type }, body });

test("healthz says which release runs", async () => {
  const response = await fetch(`${url}/healthz`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: "ok", agent: "support-agent", release: RELEASE });
});

test("ask answers from tools and from the corpus", async () => {
  const order = await json(await post('{"question":"Where is my order HB-10001? Postcode 2041"}'));
  assert.equal(order.intent, "order_status");
  assert.match(order.answer, /shipped/);
  assert.deepEqual(order.tools, [{ name: "lookup_order", ok: true }]);
  assert.equal(order.release, RELEASE);
  const price = await json(await post('{"question":"How much is standard delivery?"}'));
  assert.match(price.answer, /3\.90/);
  assert.equal(price.sources[0]?.id, "delivery#1");
});

test("bad requests get JSON errors and do not stop the server", async () => {
  const deep = `${"[".repeat(8000)}${"]".repeat(8000)}`;
  for (const body of ["", "{", "null", "[]", '"x"', "{}", '{"question":1}', '{"question":" "}', deep]) {
    const response = await post(body);
    assert.equal(response.status, 400, body.slice(0, 40));
    assert.equal(typeof (await json(response)).error, "string");
  }
  assert.equal((await post('{"question":"x","session":7}')).status, 400);
  assert.equal((await post(new Uint8Array([0x22, 0xff, 0x22]))).status, 400);
  assert.equal((await post('{"question":"Hello"}', "text/plain")).status, 415);
  assert.equal((await post(JSON.stringify({ question: "x".repeat(20_000) }))).status, 413);
  for (const path of ["/", "/ask", "/healthz/x", "/../etc/passwd"]) {
    assert.equal((await fetch(url + path)).status, 404, path);
  }
  const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write("garbage\r\n\r\n"));
  socket.resume();
  await once(socket, "close");
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test("SIGTERM closes the server and its tool server", async () => {
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

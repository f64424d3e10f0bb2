import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { type ServeOptions, serve } from "./serve.ts";

async function serving(
  handler: (request: Request) => Response | Promise<Response>,
  options: ServeOptions,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const served = await serve(handler, options);
  try {
    await run(served.url);
  } finally {
    await served.close();
  }
}

/** What a server says to raw bytes, until it closes the connection. */
function raw(url: string, bytes: string): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write(bytes));
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

test("a handler gets method, path, headers and body, and its answer comes back", async () => {
  const handler = async (request: Request) =>
    new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`, {
      status: 201,
      headers: { "x-sent": request.headers.get("x-sent") ?? "" },
    });
  await serving(handler, {}, async (url) => {
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    const response = await fetch(`${url}/a/b?c`, {
      method: "POST",
      body: "hello",
      headers: { "x-sent": "1" },
    });
    assert.deepEqual([response.status, response.headers.get("x-sent")], [201, "1"]);
    assert.equal(await response.text(), "POST /a/b hello");
    const head = await fetch(url, { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [201, ""]);
  });
});

test("a large answer comes whole", async () => {
  const chunk = Buffer.alloc(1 << 16, 7);
  const handler = () => new Response(ReadableStream.from(Array(100).fill(chunk)) as never);
  await serving(handler, {}, async (url) => {
    assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, 100 << 16);
  });
});

test("a body over the limit is refused, announced or not, and the handler never sees it", async () => {
  let calls = 0;
  const handler = () => {
    calls += 1;
    return new Response("ok");
  };
  await serving(handler, { maxBody: 10 }, async (url) => {
    assert.equal((await fetch(url, { method: "POST", body: "0123456789" })).status, 200);
    assert.equal((await fetch(url, { method: "POST", body: "0123456789a" })).status, 413);
    const chunked =
      "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n14\r\n01234567890123456789\r\n";
    assert.match(await raw(url, chunked), /^HTTP\/1\.1 413 /);
    assert.equal(calls, 1);
  });
});

test("headers that never end are cut off", async () => {
  await serving(
    () => new Response("ok"),
    { headersMs: 200, requestMs: 400 },
    async (url) => {
      assert.match(await raw(url, "POST / HTTP/1.1\r\nhost: x\r\n"), /^HTTP\/1\.1 408 /);
      assert.match(
        await raw(url, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n12"),
        /^(HTTP\/1\.1 408 |$)/,
      );
    },
  );
});

test("Host and absolute addresses do not choose the request's URL", async () => {
  await serving(
    (request) => new Response(request.url, { headers: { connection: "close" } }),
    {},
    async (url) => {
      const answer = await raw(url, "GET /x HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
      assert.ok(answer.includes(`${url}/x`), answer);
      const absolute =
        "GET http://evil.example/x HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
      assert.match(await raw(url, absolute), /^HTTP\/1\.1 400 /);
    },
  );
});

test("a handler that throws is a 500 without its words, and the server goes on", async () => {
  const errors: unknown[] = [];
  const handler = (request: Request) => {
    if (request.url.endsWith("/bad")) throw new Error("the secret is 7");
    return new Response("ok");
  };
  await serving(handler, { onError: (error) => errors.push(error) }, async (url) => {
    const response = await fetch(`${url}/bad`);
    assert.deepEqual([response.status, await response.text()], [500, ""]);
    assert.equal((await fetch(`${url}/good`)).status, 200);
    assert.equal(errors.length, 1);
  });
});

test("a port that is taken is an error, and close ends open connections", async () => {
  const served = await serve(() => new Promise<Response>(() => {}));
  const { port } = new URL(served.url);
  await assert.rejects(
    serve(() => new Response(""), { port: Number(port) }),
    { code: "WB-NET-001" },
  );
  const pending = assert.rejects(fetch(served.url));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await served.close();
  await pending;
});

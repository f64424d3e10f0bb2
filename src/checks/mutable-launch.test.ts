import assert from "node:assert/strict";
import { test } from "node:test";
import { mutableLaunch } from "./mutable-launch.ts";
import { findingsOf, folder, judge } from "./testing.ts";

const HEX = "0123456789abcdef".repeat(4);
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

const config = (command: string, ...args: string[]): string =>
  `{\n  "mcpServers": {\n    "files": {\n      "command": ${JSON.stringify(command)},\n      "args": ${JSON.stringify(args)}\n    }\n  }\n}`;
const launched = (command: string, ...args: string[]): string =>
  judge(mutableLaunch, { texts: { ".mcp.json": config(command, ...args) } });

test("MCP configurations: launches without an exact version", () => {
  for (const line of [
    "npx -y @acme/server",
    "npx -y @acme/server@latest",
    "npx @acme/server@1",
    "npx -y server@^1.2.3",
    "npx -p @acme/server@next server",
    "/usr/bin/npx -y server",
    "bunx server",
    "bun x server",
    "pnpm dlx server",
    "yarn dlx server",
    "npm exec -y server",
    "uvx server",
    "uvx server@latest",
    "uvx server==1.*",
    "uvx --from server-kit>=1 server",
    "uvx --from git+https://github.com/a/b@main server",
    "uv tool run server",
    "pipx run server",
    "docker run -i --rm -e KEY mcp/server",
    "docker run --rm -i mcp/server:1.2.3",
    "npx -y github:acme/server",
    "npx -y https://example.com/server.tgz",
    "cmd /c npx -y server",
  ])
    assert.equal(launched(...(line.split(" ") as [string])), "fail 5", line);
});

test("MCP configurations: exact versions, digests and local programs pass", () => {
  for (const line of [
    "npx -y @acme/server@1.2.3",
    "npx -y -p @acme/server@1.2.3 server",
    "npx ./server.js",
    "uvx server==1.2.3",
    "uvx server@1.2.3",
    "uvx --from server-kit==1.2.3 server",
    `uvx --from git+https://github.com/a/b@${COMMIT} server`,
    "pipx run --spec server==1.2 server",
    `docker run -i --rm -v /a:/b mcp/server@sha256:${HEX} --flag`,
    `npx -y github:acme/server#${COMMIT}`,
    "node server.js",
    "python -m server",
  ])
    assert.equal(launched(...(line.split(" ") as [string])), "pass", line);
});

test("docker: options with and without a value are stepped over", () => {
  for (const line of [
    "docker run -i --network host a/b:1 x",
    "docker run --rm --name=n -e A a/b:1 x",
    "docker run -it a/b:1",
  ]) {
    const words = line.split(" ") as [string];
    const result = mutableLaunch.run(folder({ texts: { ".mcp.json": config(...words) } }));
    assert.equal(findingsOf(result)[0]?.found, "a/b:1", line);
  }
});

test("every file that configures servers is read, comments and all", () => {
  const servers =
    '{\n  // editors allow comments\n  "servers": { "a": { "command": "npx", "args": ["a"], }, },\n}';
  for (const path of [
    ".vscode/mcp.json",
    "claude_desktop_config.json",
    "conf/agent.json",
    ".cursor/mcp.json",
  ])
    assert.equal(judge(mutableLaunch, { texts: { [path]: servers } }), "fail 3", path);
  assert.equal(judge(mutableLaunch, { texts: { "a.json": `{"mcp": ${config("uvx", "a")}}` } }), "fail 5");
  assert.equal(judge(mutableLaunch, { texts: { "mcp.json": "{" } }), "not-evaluated");
  assert.equal(judge(mutableLaunch, { texts: { "data.json": "{" } }), "pass");
  assert.equal(judge(mutableLaunch, { unread: { ".mcp.json": "not UTF-8" } }), "not-evaluated");
});

test("scripts, programs and the command of the agent itself", () => {
  const found = (path: string, text: string): string => judge(mutableLaunch, { texts: { [path]: text } });
  assert.equal(found("package.json", '{\n"scripts": {\n"tools": "npx -y @acme/mcp-server"\n}}'), "fail 3");
  assert.equal(found("package.json", '{"scripts": {"fmt": "npx -y prettier"}}'), "pass");
  assert.equal(found("run.sh", "#!/bin/sh\n# npx -y @acme/mcp\nexec uvx mcp-server-time\n"), "fail 3");
  assert.equal(found("run.sh", "uvx mcp-server-time==1.2.3"), "pass");
  const python = 'p = StdioServerParameters(\n  command="npx",\n  args=["-y", "@acme/server"],\n)\n';
  assert.equal(found("agent.py", python), "fail 3");
  assert.equal(found("agent.py", python.replace("server", "server@1.0.0")), "pass");
  const js = 'new StdioClientTransport({ command: "uvx",\n args: ["server"] });';
  assert.equal(found("agent.ts", js), "fail 2");
  assert.equal(judge(mutableLaunch, { manifest: "start:\n  command: [npx, -y, agent]" }), "fail 2");
});

test("the finding points at the package and the coverage counts", () => {
  const result = mutableLaunch.run(folder({ texts: { ".mcp.json": config("npx", "-y", "@acme/server") } }));
  assert.equal(result.coverage, "0 of 1 launch exact");
  const finding = findingsOf(result)[0]!;
  assert.deepEqual(finding.where, { file: ".mcp.json", line: 5, column: 21, length: 14 });
  assert.equal(finding.expected, "@acme/server@1.2.3");
});

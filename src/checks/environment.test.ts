import assert from "node:assert/strict";
import { test } from "node:test";
import { inheritedLoader } from "./inherited-loader.ts";
import { secretInManifest } from "./secret-in-manifest.ts";
import { findingsOf, folder, judge } from "./testing.ts";

const env = (line: string): string => `start:\n  command: [node, agent.js]\n  env:\n    ${line}`;

test("WB-RUN-010: inherited variables that load code", () => {
  for (const name of [
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "NODE_OPTIONS",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "BASH_ENV",
    "RUBYOPT",
    "JAVA_TOOL_OPTIONS",
    "DYLD_INSERT_LIBRARIES",
    "BASH_FUNC_x",
  ]) {
    assert.equal(judge(inheritedLoader, { manifest: env(`${name}: {inherit: true}`) }), "fail 4", name);
    assert.equal(judge(inheritedLoader, { manifest: env(`${name}: "written out"`) }), "pass", name);
  }
  assert.equal(judge(inheritedLoader, { manifest: env("LANG: {inherit: true}") }), "pass");
  assert.equal(judge(inheritedLoader, { manifest: env("constructor: {inherit: true}") }), "pass");
  assert.equal(judge(inheritedLoader, { manifest: env("NODE_OPTIONS: {secret: env:X}") }), "pass");
});

test("WB-RUN-010: the coverage counts", () => {
  const manifest = env("LANG: {inherit: true}\n    NODE_OPTIONS: {inherit: true}");
  const result = inheritedLoader.run(folder({ manifest }));
  assert.equal(result.coverage, "2 variables, 2 inherited, 1 of them load code");
  assert.equal(inheritedLoader.run(folder()).coverage, "no environment declared");
});

const SECRET = "hunter2-hunter2-hunter2";

test("WB-RUN-011: values that are named like a secret or look like one", () => {
  for (const [name, value] of [
    ["API_KEY", SECRET],
    ["OPENAI_API_KEY", SECRET],
    ["HF_TOKEN", SECRET],
    ["DB_PASSWORD", SECRET],
    ["CLIENT_SECRET", SECRET],
    ["SETTING", `sk-${"a".repeat(20)}`],
    ["SETTING", `ghp_${"a".repeat(20)}`],
    ["SETTING", `hf_${"a".repeat(20)}`],
    ["DATABASE_URL", `postgres://user:${SECRET}@db/x`],
  ] as const) {
    const result = secretInManifest.run(folder({ manifest: env(`${name}: "${value}"`) }));
    const findings = findingsOf(result);
    assert.equal(findings.length, 1, `${name}=${value}`);
    assert.match(findings[0]!.message, /waybill\.yaml:4:\d+$/);
    assert.ok(!JSON.stringify(result).includes(value), "the value is shown");
    assert.equal(findings[0]!.where, undefined, "a renderer would show the line");
  }
});

test("WB-RUN-011: a token among the arguments", () => {
  const manifest = `start:\n  command: [node, agent.js, --key=ghp_${"a".repeat(20)}]`;
  assert.equal(judge(secretInManifest, { manifest }), "fail -");
});

test("WB-RUN-011: what is no secret", () => {
  for (const line of [
    'API_KEY: ""',
    "API_KEY: {secret: env:API_KEY}",
    "API_KEY: {inherit: true}",
    "PUBLIC_KEY: abcdef",
    "MAX_TOKENS: '4096'",
    "TOKEN_FILE: /run/secrets/token",
    "HF_TOKEN: /run/secrets/token",
    "LANG: C.UTF-8",
    "URL: https://example.com:8080/x",
    "MONKEY: x",
    "RISK: ask-sk-learn",
  ])
    assert.equal(judge(secretInManifest, { manifest: env(line) }), "pass", line);
});

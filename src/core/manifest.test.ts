import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS } from "./component.ts";
import { WaybillError } from "./errors.ts";
import { manifestSchema, parseManifest } from "./manifest.ts";

const SMALL = `waybill: v1
agent: helper
components:
  - kind: prompt
    name: system
    path: prompts/system.md
start:
  command: [node, main.js]
`;

/** The lines of the error for a manifest, without the file's name. */
function problems(text: string): string[] {
  try {
    parseManifest(text);
    return [];
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.code, "WB-INPUT-006");
    assert.match(error.hint, /waybill\.schema\.json/);
    return error.message.split("\n").map((line) => line.replace(/^waybill\.yaml:/, ""));
  }
}

/** The small manifest with one line replaced. */
const edited = (line: string, by: string): string => {
  assert.ok(SMALL.includes(line));
  return SMALL.replace(line, by);
};
/** The small manifest with more at its end: first lines stand beneath `start`. */
const more = (text: string): string => `${SMALL}${text}\n`;

test("defaults are filled in", () => {
  const { manifest, source } = parseManifest(SMALL);
  assert.deepEqual(manifest.start, {
    command: ["node", "main.js"],
    env: {},
    egress: [],
    listen: [],
    mounts: [],
  });
  assert.deepEqual([manifest.runtime, manifest.rollout, manifest.pact, manifest.ignore], [{}, {}, [], []]);
  assert.deepEqual(manifest.policy, { level: "observe", deny: [] });
  assert.equal(source.locate(["components", 0, "path"]).line, 6);
});

// Each rule of the schema: a text that departs from it, and what a person sees.
const DEPARTURES: [rule: string, text: string, ...lines: string[]][] = [
  ["version", edited("v1", "v2"), '1:10: waybill: invalid input: expected "v1"'],
  ["no version", edited("waybill: v1\n", ""), '1:1: waybill: invalid input: expected "v1"'],
  [
    "agent's name",
    edited("helper", "Helper"),
    "2:8: agent: lower-case letters, digits, '.', '_', '-'; at most 64",
  ],
  [
    "long name",
    edited("helper", "a".repeat(65)),
    "2:8: agent: lower-case letters, digits, '.', '_', '-'; at most 64",
  ],
  ["unknown field", more("pacts: []"), '9:8: document: unrecognized key: "pacts"'],
  [
    "unknown field of a component",
    edited("    name: system\n", "    name: system\n    digest: x\n"),
    '6:13: components.0: unrecognized key: "digest"',
  ],
  [
    "kind",
    edited("prompt\n", "prompts\n"),
    `4:11: components.0.kind: invalid option: expected one of ${KINDS.map((k) => `"${k}"`).join("|")}`,
  ],
  [
    "no components",
    "waybill: v1\nagent: a\ncomponents:\n  []\nstart: {command: [x]}\n",
    "4:3: components: too small: expected array to have >=1 items",
  ],
  ["not a document", "just text\n", "1:1: document: must be a mapping, found string"],
  ["empty", "", "1:1: document: must be a mapping, found null"],
  [
    "path and paths",
    edited("path: prompts/system.md", "path: a\n    paths: [b]"),
    "6:11: components.0.path: give either path or paths",
  ],
  [
    "neither path nor paths",
    edited("    path: prompts/system.md\n", ""),
    "4:5: components.0.path: give either path or paths",
  ],
  [
    "empty paths",
    edited("path: prompts/system.md", "paths: []"),
    "6:12: components.0.paths: too small: expected array to have >=1 items",
  ],
  [
    "duplicate",
    edited("start:", "  - {kind: prompt, name: system, path: b}\nstart:"),
    "7:26: components.1.name: prompt/system is declared twice",
  ],
  [
    "empty command",
    edited("[node, main.js]", "[]"),
    "8:12: start.command: too small: expected array to have >=1 items",
  ],
  [
    "command as text",
    edited("[node, main.js]", "node main.js"),
    "8:12: start.command: must be a list, found string",
  ],
  ["number in the command", edited("main.js", "80"), "8:19: start.command.1: must be text, found number"],
  ["variable's name", more("  env: {A-B: x}"), "9:14: start.env.A-B: invalid key in record"],
  [
    "variable's value",
    more("  env: {PORT: 80}"),
    "9:15: start.env.PORT: a text in quotes, {inherit: true} or {secret: env:NAME}",
  ],
  [
    "inherit",
    more("  env: {A: {inherit: false}}"),
    "9:12: start.env.A: a text in quotes, {inherit: true} or {secret: env:NAME}",
  ],
  [
    "secret",
    more("  env: {A: {secret: hunter2}}"),
    "9:21: start.env.A.secret: env:NAME or file:/absolute/path",
  ],
  [
    "secret, relative file",
    more("  env: {A: {secret: 'file:key'}}"),
    "9:21: start.env.A.secret: env:NAME or file:/absolute/path",
  ],
  ["egress", more("  egress: ['https://api.example']"), "9:12: start.egress.0: host or host:port"],
  ["listen", more("  listen: [65536]"), "9:12: start.listen.0: too big: expected number to be <=65535"],
  [
    "listen, fraction",
    more("  listen: [80.5]"),
    "9:12: start.listen.0: must be a whole number, found number",
  ],
  [
    "mount",
    more("  mounts: [{path: /a, mode: rwx}]"),
    '9:29: start.mounts.0.mode: invalid option: expected one of "ro"|"rw"',
  ],
  [
    "mount's field",
    more("  mounts: [{path: /a, mode: ro, from: b}]"),
    '9:39: start.mounts.0: unrecognized key: "from"',
  ],
  ["user 0", more("  user: 0"), "9:9: start.user: too small: expected number to be >=1"],
  [
    "level",
    more("policy: {level: loose}"),
    '9:17: policy.level: invalid option: expected one of "observe"|"baseline"|"strict"',
  ],
  [
    "deny",
    more("policy: {deny: [prompt]}"),
    "9:17: policy.deny.0: invalid string: must match pattern /^WB-[A-Z]+-\\d{3}$/",
  ],
  ["runtime", more("runtime: [1]"), "9:10: runtime: must be a mapping, found array"],
  ["ignore", more("ignore: ['']"), "9:10: ignore.0: too small: expected string to have >=1 characters"],
  [
    "long pattern",
    more(`ignore: [${"a".repeat(257)}]`),
    "9:10: ignore.0: too big: expected string to have <=256 characters",
  ],
  [
    "two at once",
    `${edited("helper", "Helper")}extra: 1\n`,
    "2:8: agent: lower-case letters, digits, '.', '_', '-'; at most 64",
    '9:8: document: unrecognized key: "extra"',
  ],
];

for (const [rule, text, ...lines] of DEPARTURES)
  test(`departure: ${rule}`, () => assert.deepEqual(problems(text), lines));

test("paths stay inside the agent's folder", () => {
  const at = (path: string) => problems(edited("prompts/system.md", JSON.stringify(path)));
  for (const path of [".", "a", "a/", "a/b", "a b", "ü/😀", "..a", "a..", ".hidden/x", "a\\b"])
    assert.deepEqual(at(path), [], path);
  for (const path of [
    "",
    "/",
    "/etc",
    "..",
    "../a",
    "a/../b",
    "a/..",
    "./a",
    "a/./b",
    "a//b",
    "a//",
    "\n",
    "a\u007f",
    "../",
  ])
    assert.notDeepEqual(at(path), [], JSON.stringify(path));
  assert.match(at("../a")[0]!, /^6:11: components\.0\.path: a path inside the agent's folder/);
  assert.match(
    problems(edited("path: prompts/system.md", "paths: [a, /b]"))[0]!,
    /^6:16: components\.0\.paths\.1: /,
  );
  assert.match(
    problems(edited("path: prompts/system.md", "path: a\n    snapshot: ../b"))[0]!,
    /^7:15: components\.0\.snapshot: /,
  );
});

test("hosts", () => {
  const accepted = (host: string) => problems(more(`  egress: [${JSON.stringify(host)}]`)).length === 0;
  for (const host of ["a", "api.example", "api.example:443", "*.cdn.example", "[::1]:80", "10.0.0.1"])
    assert.ok(accepted(host), host);
  for (const host of ["", "API.example", "a/b", "a:b", "a:123456", "*", "a.*", "http://a", "a b", ".a"])
    assert.ok(!accepted(host), host);
});

test("at most 20 departures are shown, and the rest is counted", () => {
  const text = edited("start:", `${"  - {kind: x, name: Q, path: /}\n".repeat(30)}start:`);
  assert.equal(problems(text).length, 21);
  assert.match(problems(text)[20]!, /and 70 more$/);
});

test("a list of a thousand components is read, one more is not", () => {
  const text = (count: number) =>
    `waybill: v1\nagent: a\nstart: {command: [x]}\ncomponents:\n${Array.from({ length: count }, (_, i) => `  - {kind: prompt, name: p${i}, path: p${i}}\n`).join("")}`;
  assert.equal(parseManifest(text(1000)).manifest.components.length, 1000);
  assert.match(problems(text(1001))[0]!, /too big/);
});

test("YAML that is refused keeps its code and place", () => {
  assert.throws(() => parseManifest(`${SMALL}agent: other\n`, "agents/a.yaml"), {
    name: "WaybillError",
    code: "WB-INPUT-005",
    message: "agents/a.yaml:9:1: the key agent stands twice",
  });
});

test("free-form settings keep keys of any name", () => {
  const { manifest } = parseManifest(more("runtime: {constructor: 1, toString: {a: [null, true]}, '1': x}"));
  assert.deepEqual(manifest.runtime, { constructor: 1, toString: { a: [null, true] }, "1": "x" });
  assert.equal(manifestSchema.shape.agent.safeParse("a/b").success, false);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json } from "./canonical-json.ts";
import { parseManifest } from "./manifest.ts";
import { diffSettings, type Settings, settingsDigest, settingsOf } from "./settings.ts";

const settings = (text: string): Settings => settingsOf(parseManifest(text).manifest);
const digest = (text: string): string => settingsDigest(settings(text));

const PLAIN = `waybill: v1
agent: a
components:
  - {kind: prompt, name: system, paths: [a.md, b.md]}
  - {kind: code, name: agent, path: src}
start:
  command: [node, main.js]
  env: {A: x, B: {inherit: true}}
  egress: [b.example, a.example]
  listen: [443, 80]
  mounts: [{path: /a, mode: ro}, {path: /b, mode: rw}]
policy: {deny: [WB-TOOL-002, WB-MODEL-001]}
ignore: ["*.log", "*.tmp"]
pact: [first, second]
`;

const SAME: [what: string, text: string][] = [
  ["comments and blank lines", `# hello\n\n${PLAIN.replace("agent: a\n", "agent: a   # who\n\n")}`],
  ["quoting", PLAIN.replace("[node, main.js]", `["node", 'main.js']`)],
  ["block style", PLAIN.replace("[node, main.js]", "\n    - node\n    - main.js")],
  ["line ends", PLAIN.replaceAll("\n", "\r\n")],
  ["order of keys", `ignore: ["*.log", "*.tmp"]\n${PLAIN.replace(/^ignore.*\n/m, "")}`],
  ["order of keys inside", PLAIN.replace("{A: x, B: {inherit: true}}", "{B: {inherit: true}, A: x}")],
  ["order of components", PLAIN.replace(/( {2}- \{kind: prompt.*\n)( {2}- \{kind: code.*\n)/, "$2$1")],
  ["order of egress", PLAIN.replace("[b.example, a.example]", "[a.example, b.example]")],
  ["repetition in a set", PLAIN.replace("[443, 80]", "[80, 443, 80]")],
  ["order of denied codes", PLAIN.replace("[WB-TOOL-002, WB-MODEL-001]", "[WB-MODEL-001, WB-TOOL-002]")],
  ["order of ignore", PLAIN.replace('["*.log", "*.tmp"]', '["*.tmp", "*.log"]')],
  ["written defaults", `${PLAIN}runtime: {}\nrollout: {}\n`.replace("{deny", "{level: observe, deny")],
  ["slash at the end of a path", PLAIN.replace("path: src", "path: src/")],
  ["the agent's name, which the release holds itself", PLAIN.replace("agent: a", "agent: b")],
];

for (const [what, text] of SAME)
  test(`does not count: ${what}`, () => {
    assert.notEqual(text, PLAIN);
    assert.equal(digest(text), digest(PLAIN));
  });

const OTHER: [what: string, text: string][] = [
  ["order of the command", PLAIN.replace("[node, main.js]", "[main.js, node]")],
  ["order of paths", PLAIN.replace("[a.md, b.md]", "[b.md, a.md]")],
  ["order of mounts", PLAIN.replace(/\[(\{path: \/a.*?\}), (\{path: \/b.*?\})\]/, "[$2, $1]")],
  ["order of the pact", PLAIN.replace("[first, second]", "[second, first]")],
  ["a value of the environment", PLAIN.replace("A: x", "A: z")],
  ["inherited instead of literal", PLAIN.replace("A: x", "A: {inherit: true}")],
  ["a secret's reference", PLAIN.replace("A: x", "A: {secret: env:A}")],
  ["mode of a mount", PLAIN.replace("mode: ro", "mode: rw")],
  ["number or text", PLAIN.replace("[first, second]", "[1, second]")],
  ["level", PLAIN.replace("{deny", "{level: strict, deny")],
  ["user", PLAIN.replace("start:\n", "start:\n  user: 1000\n")],
  ["origin", PLAIN.replace("path: src", "path: src, origin: x")],
];

for (const [what, text] of OTHER)
  test(`counts: ${what}`, () => {
    assert.notEqual(text, PLAIN);
    assert.notEqual(digest(text), digest(PLAIN));
  });

const leaf: fc.Arbitrary<Json> = fc.oneof(
  fc.string({ unit: "grapheme" }).filter((s) => s.isWellFormed()),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ maxLength: 4 }).filter((k) => k !== "__proto__"),
      tie("value"),
      { maxKeys: 4 },
    ),
  ),
})).value;
const document = fc.record({ start: json, runtime: json, pact: fc.array(json, { maxLength: 3 }) });

/** Paths of all values that are no container. */
function leaves(value: Json, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) =>
    leaves(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function replaced(value: Json, path: readonly (string | number)[], by: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  const copy = structuredClone(value) as { [key: string]: Json };
  copy[key] = replaced(copy[key]!, rest, by);
  return copy;
}

test("any single value that changes changes the digest, and is the difference that is shown", () => {
  fc.assert(
    fc.property(document, leaf, fc.nat(), (made, other, pick) => {
      const signed = structuredClone(made) as Settings;
      const paths = leaves(signed);
      fc.pre(paths.length > 0);
      const path = paths[pick % paths.length]!;
      const found = replaced(signed, path, other) as Settings;
      const before = path.reduce<Json>((value, key) => (value as Settings)[key]!, signed);
      const same = JSON.stringify(before) === JSON.stringify(other) || Object.is(before, -0);
      assert.equal(settingsDigest(found) === settingsDigest(signed), same);
      assert.deepEqual(diffSettings(signed, found), same ? [] : [{ path, signed: before, found: other }]);
    }),
    { numRuns: 400 },
  );
});

test("the order of keys never counts", () => {
  const shuffled = (value: Json): Json => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(shuffled);
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([k, v]) => [k, shuffled(v)]),
    );
  };
  fc.assert(
    fc.property(document, (made) => {
      const signed = structuredClone(made) as Settings;
      assert.equal(settingsDigest(shuffled(signed) as Settings), settingsDigest(signed));
      assert.deepEqual(diffSettings(signed, shuffled(signed)), []);
    }),
    { numRuns: 200 },
  );
});

test("what was added or removed, or became another kind of value, is one difference", () => {
  const signed = { a: { b: 1 }, c: [1, 2], d: null };
  const found = { a: [1], c: [1], d: null, e: "new" };
  assert.deepEqual(diffSettings(signed, found), [
    { path: ["a"], signed: { b: 1 }, found: [1] },
    { path: ["c", 1], signed: 2, found: undefined },
    { path: ["e"], signed: undefined, found: "new" },
  ]);
});

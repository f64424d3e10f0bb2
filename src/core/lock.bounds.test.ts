import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "./canonical-json.ts";
import { sha256 } from "./digest.ts";
import { WaybillError } from "./errors.ts";
import { encodeLock, makeLock, parseLock } from "./lock.ts";
import { parseStrictJson } from "./strict-json.ts";
import { pathProblem, type TreeLeaf, treeDigest } from "./tree.ts";

const file = (path: string): TreeLeaf => ({ path, size: 3, sha256: sha256(path), executable: false });
const lockOf = (files: TreeLeaf[], settings: { [key: string]: Json } = {}) =>
  makeLock("agent", settings, [
    {
      leaf: {
        kind: "corpus",
        name: "c",
        mediaType: "text/plain",
        digest: treeDigest(files),
        size: 3 * files.length,
      },
      files,
    },
  ]);
const TEXT = encodeLock(lockOf([file("a")], { note: "here" }));

const refusal = (text: string): string => {
  try {
    parseLock(text);
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    return `${error.code} ${error.message}`;
  }
};

test("values are counted, those inside of others too, and reading stops at the limit", () => {
  assert.deepEqual(parseStrictJson('[1,{"a":[]}]', { maxNodes: 4 }), [1, { a: [] }]);
  assert.throws(
    () => parseStrictJson('[1,{"a":[]}]', { maxNodes: 3 }),
    /more than 3 values \(line 1, column 9\)/,
  );
  assert.throws(() => parseStrictJson(`[${"[],".repeat(1000)}`, { maxNodes: 10 }), /line 1, column 29\)/);
});

test("a flood of brackets ends at the millionth, wherever it stands", () => {
  const flood = `[${"[],".repeat(2_000_000)}[]]`;
  for (const text of [
    flood,
    TEXT.replace('"here"', flood),
    TEXT.replace('"files": [', `"files": [${flood},`),
  ])
    assert.match(refusal(text), /^WB-INPUT-005 waybill\.lock:\d+:\d+: more than 10000\d\d values$/);
});

test("a lock of many files may hold as many values as they need", () => {
  const files = Array.from({ length: 200_000 }, (_, i) => file(`f${String(i).padStart(6, "0")}`));
  const lock = lockOf(files);
  assert.equal(parseLock(encodeLock(lock)).components[0]!.files.length, 200_000);
});

test("the first of many bad files is named and the others are not looked at", () => {
  let looked = 0;
  const bad = TEXT.replace(/\{"executable".*\}/, (leaf) =>
    Array(100_000).fill(leaf.replace('"size":3', '"size":-1')).join(",\n        "),
  );
  const original = String.prototype.split;
  // Each look at a path splits it.
  String.prototype.split = function (this: string, ...args: [never, never]) {
    if (String(this) === "a") looked += 1;
    return original.apply(this, args);
  } as typeof original;
  try {
    assert.match(refusal(bad), /^WB-INPUT-006 waybill\.lock: components\.0\.files\.0/);
  } finally {
    String.prototype.split = original;
  }
  assert.ok(looked < 10, `${looked} files looked at`);
});

test("components, names in `also` and messages are bounded", () => {
  const component = /\n {4}\{\n[\s\S]*\n {4}\}/.exec(TEXT)![0];
  const many = TEXT.replace(component, Array(1001).fill(component).join(","));
  assert.match(refusal(many), /components: more than 1000$/);
  assert.match(
    refusal(TEXT.replace('"components": [', `"components": [${"0,".repeat(500_000)}`)),
    /more than 1000$/,
  );
  const also = Array.from({ length: 65 }, (_, i) => `"k${i}":"x"`).join(",");
  assert.match(refusal(TEXT.replace('"leaf": {', `"leaf": {"also":{${also}},`)), /also: more than 64 names$/);
  const unknown = Array.from({ length: 50_000 }, (_, i) => `"x${i}":1`).join(",");
  const message = refusal(TEXT.replace('"leaf": {', `"leaf": {${unknown},`));
  assert.match(message, /^WB-INPUT-006 .*leaf: Unrecognized key/);
  assert.ok(message.length < 400);
});

test("settings over 2 MiB of text are refused, just under are read", () => {
  const fits = encodeLock(lockOf([file("a")], { note: "x".repeat((2 << 20) - 100) }));
  assert.equal(refusal(fits), "accepted");
  const over = encodeLock(lockOf([file("a")], { note: "x".repeat(2 << 20) }));
  assert.equal(refusal(over), "WB-INPUT-006 waybill.lock: settings: over 2 MiB");
  // A line that looks like the next part, inside the settings, does not end them.
  const decoy = encodeLock(lockOf([file("a")], { components: [], note: "x".repeat(2 << 20) }));
  assert.equal(refusal(decoy), "WB-INPUT-006 waybill.lock: settings: over 2 MiB");
});

test("a key __proto__ is refused, as a path or a value it is read", () => {
  const settings = Object.defineProperty({}, "__proto__", { value: 1, enumerable: true }) as Record<
    string,
    Json
  >;
  assert.match(
    refusal(encodeLock(lockOf([file("a")], settings))),
    /a key that some readers drop: __proto__$/,
  );
  assert.equal(refusal(encodeLock(lockOf([file("__proto__")], { a: '"__proto__": 1' }))), "accepted");
  assert.match(refusal(TEXT.replace('{"executable"', '{"__proto__":1,"executable"')), /^WB-INPUT-006/);
});

test("a path has at most 257 segments", () => {
  const deep = (segments: number) => Array(segments).fill("a").join("/");
  assert.equal(pathProblem(deep(257)), undefined);
  assert.equal(pathProblem(deep(258)), "deeper than 256 folders");
  assert.equal(refusal(encodeLock(lockOf([file(deep(257))]))), "accepted");
  assert.match(refusal(encodeLock(lockOf([file(deep(2040))]))), /^WB-INPUT-006 .*components\.0\.files\.0/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ComponentLeaf } from "../core/component.ts";
import { sha256 } from "../core/digest.ts";
import { makeRelease } from "../core/release.ts";
import { makeReleaseStatement, readReleaseStatement } from "./release.ts";
import { encodeStatement, parseStatement, type Statement } from "./statement.ts";

/** Two component leaves, not in order. */
const leaves: ComponentLeaf[] = [
  {
    kind: "prompt",
    name: "system",
    mediaType: "application/vnd.waybill.tree.v1",
    digest: `waybill-tree-v1:${sha256("prompt")}`,
    size: 120,
  },
  {
    kind: "model",
    name: "intent",
    mediaType: "application/vnd.waybill.tree.v1",
    digest: `waybill-tree-v1:${sha256("model")}`,
    size: 4096,
    origin: "hf://org/name@0123456789abcdef0123456789abcdef01234567",
    also: { oms: sha256("oms") },
  },
];

const settings = sha256("settings");
const good = makeReleaseStatement("support-agent", leaves, settings);
const { digest, document } = makeRelease("support-agent", leaves, settings);

test("a release statement holds what its digest was computed from", () => {
  assert.deepEqual(good.subject, [{ name: "support-agent", digest: { sha256: digest } }]);
  const statement = parseStatement(Buffer.from(encodeStatement(good))) as Statement;
  const read = readReleaseStatement(statement);
  if ("problem" in read) assert.fail(read.problem);
  assert.equal(read.digest, digest);
  assert.deepEqual(read.release, document);
  assert.deepEqual(
    read.components.map((leaf) => leaf.kind),
    ["model", "prompt"],
  );
});

// biome-ignore lint/suspicious/noExplicitAny: tests reach anywhere
function problem(change: (statement: any) => void): string {
  const statement = structuredClone(good);
  change(statement);
  const read = readReleaseStatement(statement);
  return "problem" in read ? read.problem : "was read";
}

test("every contradiction is found", () => {
  const other = sha256("other");
  for (const [change, reason] of [
    [(s) => (s.subject[0].digest.sha256 = other), /not the release/],
    [(s) => (s.subject[0].digest.sha512 = other), /not the release/],
    [(s) => (s.subject[0].name = "another"), /not named support-agent/],
    [(s) => s.subject.push(s.subject[0]), /more than one/],
    [(s) => (s.predicate.release.agent = "another"), /not named another/],
    [(s) => (s.predicate.release.settings = other), /not the release/],
    [(s) => s.predicate.components.pop(), /counts 2 components, 1/],
    [(s) => s.predicate.components.reverse(), /out of order/],
    [(s) => (s.predicate.components[1] = s.predicate.components[0]), /out of order or stands twice/],
    [(s) => (s.predicate.components[0].size += 1), /have the root/],
    [(s) => (s.predicate.components[0].digest = `waybill-tree-v1:${other}`), /have the root/],
    [(s) => delete s.predicate.components[0].also, /have the root/],
    [(s) => (s.predicate.components[0].extra = 1), /components\.0/],
    [(s) => (s.predicate.components[0].digest = "md5:00"), /digest/],
    [(s) => (s.predicate.release.extra = 1), /release/],
    [(s) => (s.predicate.note = 1), /note/],
    [(s) => (s.predicateType = "urn:other"), /urn:other/],
    // biome-ignore lint/suspicious/noExplicitAny: as above
  ] as [(s: any) => void, RegExp][])
    assert.match(problem(change), reason);
});

test("a consistent lie needs another digest: nothing but the subject names a release", () => {
  const statement = makeReleaseStatement("support-agent", leaves.slice(1), settings);
  const read = readReleaseStatement(statement);
  assert.ok(!("problem" in read) && read.digest !== digest);
});

test("only what can be read is made", () => {
  assert.throws(() => makeReleaseStatement("Support Agent", leaves, settings), RangeError);
  assert.throws(() => makeReleaseStatement("a", [], settings), RangeError);
  assert.throws(() => makeReleaseStatement("a", leaves, "00"), RangeError);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeStatement, parseStatement, type Statement, sha256Subject } from "./statement.ts";

const statement: Statement = {
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "a", digest: { sha256: "0".repeat(64) } }],
  predicateType: "urn:x",
  predicate: { b: 1, a: [null, "ü"] },
};

const read = (text: string | Uint8Array) =>
  parseStatement(typeof text === "string" ? Buffer.from(text) : text);

test("what is written is read", () => {
  const text = encodeStatement(statement);
  assert.ok(text.startsWith('{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":[null,"ü"],"b":1}'));
  assert.deepEqual(read(text), statement);
});

test("v0.1 of older cosign is read, unknown fields are ignored, the predicate is kept whole", () => {
  const text = `{"_type":"https://in-toto.io/Statement/v0.1","later":1,"predicateType":"urn:x","predicate":{"__proto__":1},
    "subject":[{"digest":{"sha1":"aa"},"annotations":{}}]}`;
  const got = read(text);
  if ("problem" in got) assert.fail(got.problem);
  assert.deepEqual(got.subject, [{ digest: { sha1: "aa" } }]);
  assert.deepEqual(Object.keys(got.predicate), ["__proto__"]);
});

test("what is no statement has a reason", () => {
  const change = (part: object) => JSON.stringify({ ...statement, ...part });
  for (const [bytes, reason] of [
    [Uint8Array.of(0xff), /UTF-8/],
    ["{", /line 1/],
    ["null", /document/],
    [`{"_type":1,${encodeStatement(statement).slice(1)}`, /duplicate/],
    [change({ _type: "https://in-toto.io/Statement/v2" }), /_type/],
    [change({ subject: [] }), /subject/],
    [change({ subject: [{ name: "a" }] }), /digest/],
    [change({ subject: [{ digest: { "": "x" } }] }), /digest/],
    [change({ predicate: [] }), /predicate/],
    [change({ predicateType: "" }), /predicateType/],
  ] as const) {
    const got = read(bytes);
    assert.match("problem" in got ? got.problem : "was read", reason);
  }
});

test("the digest of a subject counts only alone and as SHA-256", () => {
  const hex = "a".repeat(64);
  assert.equal(sha256Subject({ digest: { sha256: hex } }), hex);
  for (const digest of [{}, { sha256: "A".repeat(64) }, { sha1: hex }, { sha256: hex, sha512: "b" }])
    assert.equal(sha256Subject({ digest: digest as Record<string, string> }), undefined);
});

test("no bytes make the reader throw", () => {
  const text = encodeStatement(statement);
  const mutated = fc
    .tuple(fc.nat(text.length), fc.nat(5), fc.json())
    .map(([at, cut, add]) => Buffer.from(text.slice(0, at) + add + text.slice(at + cut)));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        mutated,
        fc.json().map((json) => Buffer.from(json)),
      ),
      (bytes) => {
        parseStatement(bytes);
      },
    ),
    { numRuns: 500 },
  );
});

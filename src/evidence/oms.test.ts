import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { compareUtf8, sha256 } from "../core/digest.ts";
import { omsRoot } from "../core/oms-root.ts";
import { chosenIgnores, OMS_LEGACY_TYPE, OMS_TYPE, parseOms } from "./oms.ts";
import { compareOms } from "./oms-compare.ts";
import { parseShardName } from "./oms-names.ts";
import { makeOmsStatement } from "./oms-statement.ts";
import { encodeStatement, STATEMENT_TYPE } from "./statement.ts";

type Resource = { name: string; algorithm: string; digest: string; [more: string]: unknown };

const resource = (name: string, content = name, algorithm = "sha256"): Resource => ({
  name,
  algorithm,
  digest: sha256(content),
});
const rootOf = (resources: readonly Resource[]): string =>
  createHash("sha256")
    .update(Buffer.concat(resources.map(({ digest }) => Buffer.from(digest, "hex"))))
    .digest("hex");

interface Parts {
  resources?: readonly Resource[];
  serialization?: Record<string, unknown>;
  statement?: Record<string, unknown>;
  predicate?: Record<string, unknown>;
}

const FILES = { method: "files", hash_type: "sha256", allow_symlinks: false };
const SHARDS = { method: "shards", hash_type: "sha256", allow_symlinks: false, shard_size: 1000 };

function statement({
  resources = [resource("a"), resource("b/c")],
  serialization = FILES,
  ...more
}: Parts): Buffer {
  return Buffer.from(
    JSON.stringify({
      _type: STATEMENT_TYPE,
      subject: [{ name: "model", digest: { sha256: rootOf(resources) } }],
      predicateType: OMS_TYPE,
      predicate: { resources, serialization, ...more.predicate },
      ...more.statement,
    }),
  );
}

function accepted(parts: Parts) {
  const read = parseOms(statement(parts));
  if ("problem" in read) assert.fail(read.problem);
  return read;
}

function refused(parts: Parts, reason: RegExp, about = ""): void {
  const read = parseOms(statement(parts));
  assert.ok("problem" in read, `accepted: ${about}`);
  assert.match(read.problem, reason, about);
}

test("a statement is read in recorded order, and its root is that of this order", () => {
  const resources = [resource("z"), resource("a-b"), resource("a/b"), resource("a.b")];
  const read = accepted({ resources, serialization: { ...FILES, ignore_paths: [".git", "notes/"] } });
  assert.deepEqual(
    read.resources.map(({ path }) => path),
    ["z", "a-b", "a/b", "a.b"],
  );
  assert.equal(read.root, rootOf(resources));
  assert.deepEqual(chosenIgnores(read), ["notes/"]);
  const sorted = resources.toSorted((a, b) => compareUtf8(a.name, b.name));
  refused(
    { resources, statement: { subject: [{ name: "m", digest: { sha256: rootOf(sorted) } }] } },
    /its subject is/,
  );
});

test("a root that does not follow from the resources is refused", () => {
  refused({ statement: { subject: [{ name: "m", digest: { sha256: sha256("x") } }] } }, /its subject is/);
});

test("names that lead out of the model, or are read in two ways, are refused", () => {
  const names = [
    "../x",
    "a/../../x",
    "a/..",
    "/etc/passwd",
    "a//b",
    "a/",
    "./a",
    "a/./b",
    "..\\x",
    "a\\b",
    "C:/x",
    "C:",
    "a\u0000b",
    "a\nb",
    "",
    `${"d/".repeat(300)}x`,
  ];
  for (const name of names) {
    refused({ resources: [resource(name, "x"), resource("b")] }, /resources\.0\.name/, JSON.stringify(name));
    if (name !== "")
      refused(
        { resources: [resource(`${name}:0:10`, "x")], serialization: SHARDS },
        /resources\.0\.name/,
        JSON.stringify(name),
      );
  }
  for (const path of ["../x", "/x", "a/../b", "", ".", "a\\b"])
    refused({ serialization: { ...FILES, ignore_paths: [path] } }, /ignore_paths\.0/, path);
  accepted({ resources: [resource("é"), resource("😀/～ :0:1"), resource("a:b")] });
});

test("a name that stands twice, or a single file beside others, is refused", () => {
  refused({ resources: [resource("a"), resource("b"), resource("a", "other")] }, /a stands twice/);
  refused({ resources: [resource("."), resource("b")] }, /'\.' stands beside others/);
  accepted({ resources: [resource(".", "x")] });
  accepted({ resources: [resource(".:0:5", "x")], serialization: SHARDS });
});

test("shards cover each file from its beginning, without gap or overlap, in the recorded size", () => {
  const shards = (...names: string[]): Parts => ({
    resources: names.map((name) => resource(name)),
    serialization: SHARDS,
  });
  const read = accepted(shards("a:b:0:1000", "a:b:1000:1001", "c:0:1000", "d:0:1", "e:0:999"));
  assert.deepEqual(read.resources[1], {
    path: "a:b",
    digest: sha256("a:b:1000:1001"),
    range: { start: 1000, end: 1001 },
  });
  // Code point order, which is not that of numbers.
  accepted(
    shards(
      "a:0:1000",
      "a:1000:2000",
      "a:10000:10001",
      ...[2, 3, 4, 5, 6, 7, 8, 9].map((n) => `a:${n}000:${n + 1}000`),
    ),
  );
  refused(shards("a:0:1000", "a:500:1500"), /overlap/);
  refused(shards("a:0:1000", "a:0:1000"), /overlap/);
  refused(shards("a:0:1000", "a:2000:2500"), /leave out bytes 1000 to 2000/);
  refused(shards("a:1000:2000"), /leave out bytes 0 to 1000/);
  refused(shards("a:0:500", "a:500:1000"), /has 500 bytes, not 1000/);
  refused(shards("a:0:2000"), /has 2000 bytes/);
  for (const name of [
    "a",
    "a:0",
    "a:0:0",
    "a:5:2",
    "a:00:10",
    "a:-1:10",
    "a:0:1e3",
    "a:0:99999999999999999",
    ":0:10",
  ])
    refused(shards(name), /is not path:start:end/, name);
});

test("what model_signing 1.1.1 writes is read: sizes as floats and mangled algorithm names", () => {
  const resources = [resource("a:0:1000", "x", "sha256-sharded-1000")];
  const text = statement({ resources, serialization: SHARDS })
    .toString()
    .replace('"shard_size":1000', '"shard_size":1000.0');
  const read = parseOms(Buffer.from(text));
  assert.ok(!("problem" in read));
  assert.equal(read.shardSize, 1000);
  refused(
    { resources: [resource("a:0:1000", "x", "sha256-sharded-999")], serialization: SHARDS },
    /algorithm/,
  );
  refused({ resources: [resource("a", "x", "sha256-sharded-1000")] }, /algorithm/);
});

test("each hash type has digests of its own length", () => {
  const long = "0".repeat(128);
  const serialization = { ...FILES, hash_type: "blake2b" };
  accepted({ resources: [{ name: "a", algorithm: "blake2b", digest: long }], serialization });
  refused({ resources: [resource("a", "a", "blake2b")], serialization }, /128 lower-case hex digits/);
  accepted({
    resources: [resource("a", "a", "blake3")],
    serialization: { ...FILES, hash_type: "blake3" },
  });
  refused({ resources: [resource("a", "a", "blake3")] }, /algorithm/);
  refused({ resources: [{ ...resource("a"), digest: sha256("a").toUpperCase() }] }, /64 lower-case/);
});

test("each departure from the schemas is refused", () => {
  const cases: [Parts, RegExp][] = [
    [{ statement: { _type: "https://in-toto.io/Statement/v0.1" } }, /_type/],
    [{ statement: { predicateType: "https://example.com/wrong-predicate/v1.0" } }, /predicateType/],
    [{ statement: { subject: [] } }, /0 subjects/],
    [{ statement: { subject: [1, 2] } }, /2 subjects/],
    [{ statement: { subject: [{ name: "", digest: { sha256: sha256("") } }] } }, /name/],
    [{ statement: { subject: [{ name: "m", digest: {} }] } }, /digest/],
    [{ statement: { subject: [{ name: "m", digest: { sha512: "00" } }] } }, /sha256/],
    [{ statement: { subject: [{ name: "m", digest: { sha256: 1 } }] } }, /hex/],
    [{ statement: { more: 1 } }, /document has a field/],
    [{ statement: { predicate: undefined } }, /predicate is not an object/],
    [{ predicate: { more: 1 } }, /predicate has a field/],
    [{ predicate: { resources: undefined } }, /resources is not a list/],
    [{ predicate: { serialization: undefined } }, /serialization is not an object/],
    [{ resources: [] }, /nothing is signed/],
    [{ serialization: { ...FILES, more: 1 } }, /serialization has a field/],
    [{ serialization: { ...FILES, method: "file" } }, /method/],
    [{ serialization: { ...FILES, hash_type: "md5" } }, /hash_type/],
    [{ serialization: { ...FILES, hash_type: "toString" } }, /hash_type/],
    [{ serialization: { ...FILES, allow_symlinks: "false" } }, /allow_symlinks/],
    [{ serialization: { method: "files", hash_type: "sha256" } }, /allow_symlinks/],
    [{ serialization: { ...FILES, shard_size: 1 } }, /shard_size/],
    [{ serialization: { ...FILES, ignore_paths: "x" } }, /ignore_paths/],
    [{ serialization: { ...FILES, ignore_paths: [1] } }, /ignore_paths/],
    ...[undefined, 0, -1, 1.5, "1000", null].map((size): [Parts, RegExp] => [
      { resources: [resource("a:0:1")], serialization: { ...SHARDS, shard_size: size } },
      /shard_size/,
    ]),
  ];
  for (const [parts, reason] of cases) refused(parts, reason, JSON.stringify(parts));
  accepted({ resources: [{ ...resource("a"), annotations: { any: 1 } }] });
});

test("the statements of model_signing 0.2 are read: files in the subject, no root", () => {
  const legacy = (subject: unknown, predicate: unknown = { unused: "x" }) =>
    parseOms(
      Buffer.from(
        JSON.stringify({ _type: STATEMENT_TYPE, subject, predicateType: OMS_LEGACY_TYPE, predicate }),
      ),
    );
  const file = (name: string) => ({ name, digest: { sha256: sha256(name) } });
  const read = legacy([file("b"), file("a/c")]);
  assert.ok(!("problem" in read));
  assert.equal(read.version, "v0.1");
  assert.deepEqual(
    read.resources.map(({ path }) => path),
    ["b", "a/c"],
  );
  for (const subject of [[], [file("../x")], [file("a"), file("a")], [{ name: "a", digest: {} }]])
    assert.ok("problem" in legacy(subject), JSON.stringify(subject));
});

test("what is written is read back, in code point order, with the root of the lock", () => {
  const path = fc
    .array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join("/"));
  fc.assert(
    fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 20 }), (paths) => {
      const files = paths.map((p) => ({ path: p, sha256: sha256(p) }));
      const made = makeOmsStatement({ name: "model", files, ignored: ["kept-out"] });
      if ("problem" in made) return;
      const read = parseOms(Buffer.from(encodeStatement(made)));
      assert.ok(!("problem" in read), JSON.stringify(read));
      const sorted = files.toSorted((a, b) => compareUtf8(a.path, b.path));
      assert.equal(read.root, omsRoot(sorted));
      assert.deepEqual(chosenIgnores(read), ["kept-out"]);
    }),
  );
});

test("no bytes make the reader throw, and nothing that it accepts leads out of the model", () => {
  const text = statement({}).toString();
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc
          .tuple(fc.nat(text.length), fc.nat(8), fc.string({ unit: "binary", maxLength: 8 }))
          .map(([at, cut, put]) => Buffer.from(text.slice(0, at) + put + text.slice(at + cut))),
        fc.json().map((json) => Buffer.from(json)),
      ),
      (bytes) => {
        const read = parseOms(bytes);
        if ("problem" in read) return;
        for (const { path } of read.resources) assert.doesNotMatch(path, /(^|[/\\])\.\.([/\\]|$)|^\/|\\/);
      },
    ),
    { numRuns: 2000 },
  );
});

test("the name of a shard is read from the right", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1 }),
      fc.nat(),
      fc.integer({ min: 1, max: 2 ** 30 }),
      (path, start, length) => {
        assert.deepEqual(parseShardName(`${path}:${start}:${start + length}`), {
          path,
          start,
          end: start + length,
        });
      },
    ),
  );
});

test("a model that OMS cannot describe is no statement", () => {
  const file = (path: string) => ({ path, sha256: sha256(path) });
  assert.ok("problem" in makeOmsStatement({ name: "m", files: [] }));
  assert.ok("problem" in makeOmsStatement({ name: "m", files: [file(".gitignore")] }));
  assert.ok("problem" in makeOmsStatement({ name: "m", files: [file("a\\b")] }));
  const single = makeOmsStatement({ name: "w.bin", files: [file("w.bin")], isSingleFile: true });
  assert.ok(!("problem" in single));
  const { resources } = single.predicate as unknown as { resources: Resource[] };
  assert.deepEqual(
    resources.map(({ name }) => name),
    ["."],
  );
});

test("a statement of very many shards and ignored paths is compared in time and without deep stacks", () => {
  const count = 100_000;
  const resources = Array.from({ length: count }, (_, i) => resource(`w:${i * 10}:${i * 10 + 10}`, "x"));
  const ignored = Array.from({ length: count }, (_, i) => `ignored/${i}`);
  const manifest = accepted({
    resources,
    serialization: { ...SHARDS, shard_size: 10, ignore_paths: ignored },
  });
  const files = ignored.map((path) => ({ path, size: 1 }));
  const start = performance.now();
  const { ignored: left, unread } = compareOms(manifest, {
    files: [...files, { path: "w", size: count * 10 }],
    links: [],
    isSingleFile: false,
  });
  assert.ok(performance.now() - start < 5000);
  assert.equal(left.length, count);
  assert.equal(unread.length, count);
});

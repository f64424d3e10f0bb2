import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { parseGitIndex } from "./git-index.ts";

interface Entry {
  path: string | Buffer;
  mode?: number;
  stage?: number;
  extended?: boolean;
}

/** An index by git's Documentation/gitformat-index. */
function index(
  entries: Entry[],
  options: { version?: number; hash?: "sha1" | "sha256"; extensions?: Buffer; count?: number } = {},
): Buffer {
  const { version = 2, hash = "sha1", extensions = Buffer.alloc(0), count = entries.length } = options;
  const hashLength = hash === "sha1" ? 20 : 32;
  const header = Buffer.alloc(12);
  header.write("DIRC", "latin1");
  header.writeUInt32BE(version, 4);
  header.writeUInt32BE(count, 8);
  let previous = Buffer.alloc(0);
  const parts = entries.map(({ path, mode = 0o100644, stage = 0, extended = false }) => {
    const name = Buffer.from(path);
    const fixed = Buffer.alloc(40 + hashLength + (extended ? 4 : 2));
    fixed.writeUInt32BE(mode, 24);
    fixed.writeUInt16BE(
      (extended ? 0x4000 : 0) | (stage << 12) | Math.min(name.length, 0xfff),
      40 + hashLength,
    );
    if (version < 4) {
      const length = fixed.length + name.length;
      return Buffer.concat([fixed, name, Buffer.alloc(Math.floor(length / 8) * 8 + 8 - length)]);
    }
    let common = 0;
    while (common < Math.min(name.length, previous.length) && name[common] === previous[common]) common += 1;
    const strip = varint(previous.length - common);
    previous = name;
    return Buffer.concat([fixed, strip, name.subarray(common), Buffer.alloc(1)]);
  });
  const body = Buffer.concat([header, ...parts, extensions]);
  return Buffer.concat([body, createHash(hash).update(body).digest()]);
}

function varint(value: number): Buffer {
  const bytes = [value & 0x7f];
  for (let rest = value >> 7; rest > 0; rest = (rest - 1) >> 7) {
    rest -= 0;
    bytes.unshift(0x80 | ((rest - 1) & 0x7f));
  }
  return Buffer.from(bytes);
}

const extension = (name: string, data = "") => {
  const head = Buffer.alloc(8);
  head.write(name, "latin1");
  head.writeUInt32BE(data.length, 4);
  return Buffer.concat([head, Buffer.from(data)]);
};
const ENTRIES: Entry[] = [
  { path: "a" },
  { path: "dir/file.txt" },
  { path: "dir/file.txt.bak", mode: 0o100755 },
  { path: "link", mode: 0o120000 },
  { path: "sub", mode: 0o160000 },
  { path: `${"long/".repeat(60)}é😀` },
  { path: "z" },
];
const TYPES = ["file", "file", "executable", "link", "submodule", "file", "file"];

for (const version of [2, 3, 4])
  for (const hash of ["sha1", "sha256"] as const)
    test(`version ${version}, ${hash}`, () => {
      const entries = ENTRIES.map((e, i) => ({ ...e, extended: version > 2 && i % 2 === 1 }));
      const read = parseGitIndex(index(entries, { version, hash, extensions: extension("TREE", "x") }));
      assert.deepEqual(
        read,
        ENTRIES.map(({ path }, i) => ({ path, type: TYPES[i] })),
      );
    });

test("an index without a checksum, as git writes it when told to skip hashes", () => {
  const bytes = index(ENTRIES);
  bytes.fill(0, bytes.length - 20);
  assert.equal(parseGitIndex(bytes).length, ENTRIES.length);
});

test("a conflict is one entry", () => {
  const entries = [1, 2, 3].map((stage) => ({ path: "a", stage }));
  assert.deepEqual(parseGitIndex(index(entries)), [{ path: "a", type: "file" }]);
});

test("what is no index says why", () => {
  const refused: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /no git index/],
    [Buffer.from("DIRC"), /no git index/],
    [index([], { version: 1 }), /version 1 is not known/],
    [index([], { version: 5 }), /version 5 is not known/],
    [index([{ path: "a" }], { count: 2 }), /cut off within an entry|more entries/],
    [index([], { count: 0xffffffff }), /more entries than bytes/],
    [index([{ path: "a", mode: 0o100600 }]), /unknown mode 100600/],
    [index([{ path: "a/", mode: 0o040000 }]), /sparse index/],
    [index([{ path: Buffer.from([0xff]) }]), /not UTF-8/],
    [index([{ path: "a" }], { extensions: extension("link", "x") }), /split index/],
    [index([{ path: "a" }], { extensions: extension("sdir") }), /unknown extension/],
    [index([{ path: "a" }]).fill(1, 30, 31), /checksum does not match/],
    [index([{ path: "x".repeat(4097) }]), /longer than 4096 bytes/],
    [index([{ path: "a" }], { version: 4 }).subarray(0, -21), /checksum does not match/],
  ];
  for (const [bytes, expected] of refused)
    assert.throws(
      () => parseGitIndex(bytes),
      (e) => e instanceof RangeError && expected.test(e.message),
      String(expected),
    );
});

test("version 4 cannot be made to grow: a long path shared by many entries", () => {
  const long = "x".repeat(4000);
  const entries = Array.from({ length: 3000 }, (_, i) => ({ path: long + String(i) }));
  const start = performance.now();
  assert.equal(parseGitIndex(index(entries, { version: 4 })).length, 3000);
  assert.ok(performance.now() - start < 2000);
});

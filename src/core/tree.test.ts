import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareUtf8, isHex, parseDigest, sha256, shortDigest } from "./digest.ts";
import { leafHash, merkleRoot } from "./merkle.ts";
import { makeRelease } from "./release.ts";
import { encodeTreeLeaf, linkStaysInside, pathProblem, type TreeLeaf, treeDigest, treeSize } from "./tree.ts";

// Astral and other names on both sides of the surrogates, where UTF-8 and UTF-16 order differ.
const char = fc.constantFrom("a", "b", "/", ".", "-", "é", "～", "\ue000", "\ufffd", "😀", "𐀀", "\u{10ffff}");
const name = fc.array(char, { minLength: 1, maxLength: 6 }).map((chars) => chars.join(""));
const leaf = (path: string): TreeLeaf => ({ path, size: 1, sha256: sha256(path), executable: false });

test("compareUtf8 is Buffer.compare of the UTF-8 bytes", () => {
  const text = fc.oneof(name, fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }));
  fc.assert(
    fc.property(text, text, (a, b) => {
      assert.equal(Math.sign(compareUtf8(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { numRuns: 5000 },
  );
  assert.deepEqual(["😀", "～", "a"].sort(compareUtf8), ["a", "～", "😀"]);
  assert.deepEqual(["a0", "a/b", "a.b", "a-b"].sort(compareUtf8), ["a-b", "a.b", "a/b", "a0"]);
});

test("a tree's digest is RFC 6962 over the leaves in byte order, given in any order", () => {
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 12 }), fc.nat(), (paths, turn) => {
      const inOrder = paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map(leaf);
      const root = merkleRoot(inOrder.map((l) => leafHash(Buffer.from(encodeTreeLeaf(l)))));
      const at = turn % paths.length;
      const given = [...paths.slice(at), ...paths.slice(0, at)].map(leaf);
      assert.equal(treeDigest(given), `waybill-tree-v1:${Buffer.from(root).toString("hex")}`);
    }),
    { numRuns: 300 },
  );
});

test("every field of a leaf is in the digest, and nothing else is", () => {
  const base = { path: "a", size: 1, sha256: "0".repeat(64), executable: false };
  const others: TreeLeaf[] = [
    { ...base, path: "b" },
    { ...base, size: 2 },
    { ...base, sha256: "1".repeat(64) },
    { ...base, executable: true },
    { ...base, chunks: "0".repeat(64) },
    { path: "a", link: "b" },
  ];
  const digests = new Set([base, ...others].map((l) => treeDigest([l])));
  assert.equal(digests.size, 7);
  assert.equal(treeDigest([{ ...base, mtime: 1 } as TreeLeaf]), treeDigest([base]));
  assert.equal(treeSize([base, { path: "l", link: "a" }, { ...base, size: 5 }]), 6);
});

test("an empty tree has no digest", () => assert.throws(() => treeDigest([]), RangeError));

test("paths that cannot stand in a tree", () => {
  const problems: Record<string, string> = {
    "": "empty",
    "/a": "absolute",
    "a//b": "holds an empty segment",
    "a/": "holds an empty segment",
    ".": "holds a '.' segment",
    "a/./b": "holds a '.' segment",
    "a/..": "holds a '..' segment",
    "../a": "holds a '..' segment",
    "a\nb": "holds a control character",
    "a\u007f": "holds a control character",
    "a\0b": "holds a control character",
    "a\ud800": "not well-formed Unicode",
    "\udc00a": "not well-formed Unicode",
  };
  for (const [path, expected] of Object.entries(problems))
    assert.equal(pathProblem(path), expected, JSON.stringify(path));
  for (const path of ["a", "a/b", "...", "..a", "a..", " ", "😀", "a\\b", "C:x", "\u0085"])
    assert.equal(pathProblem(path), undefined, path);
});

test("a link's text is counted from its own folder", () => {
  const inside: [string, string][] = [
    ["a", "b"],
    ["a/b", "../c"],
    ["a/b/c", "../../d"],
    ["a", "./b"],
    ["a/b", "c/../../d"],
    ["a", "b//c"],
  ];
  const outside: [string, string][] = [
    ["a", ".."],
    ["a", "../a"],
    ["a/b", "../../c"],
    ["a", "/a"],
    ["a", "b/../../c"],
    ["a/b", "../../a/b"],
  ];
  for (const [path, link] of inside) assert.ok(linkStaysInside(path, link), `${path} -> ${link}`);
  // The last goes out and comes back: in another folder it would not.
  for (const [path, link] of outside.slice(0, 5))
    assert.ok(!linkStaysInside(path, link), `${path} -> ${link}`);
  assert.ok(!linkStaysInside(...outside[5]!));
});

test("digests have one spelling", () => {
  const hex = "0123456789abcdef".repeat(4);
  assert.deepEqual(parseDigest(`sha256:${hex}`), { algorithm: "sha256", hex });
  for (const text of [
    hex,
    `sha256:${hex.toUpperCase()}`,
    `sha256:${hex}0`,
    `SHA256:${hex}`,
    `:${hex}`,
    `sha256:${hex}\n`,
    ` sha256:${hex}`,
  ])
    assert.equal(parseDigest(text), undefined, text);
  assert.ok(isHex(hex) && !isHex(`${hex}\n`) && !isHex(hex.slice(1)));
  assert.equal(shortDigest(`sha256:${hex}`), hex.slice(0, 12));
  assert.equal(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert.equal(sha256("é"), sha256(Buffer.from("é")));
});

const component = (kind: "code" | "prompt", named: string) => ({
  kind,
  name: named,
  mediaType: "text/plain",
  digest: `sha256:${sha256(named)}` as const,
  size: 1,
});

test("a release does not depend on the order given, and on everything else", () => {
  const settings = sha256("settings");
  const [a, b] = [component("prompt", "a"), component("code", "b")];
  const release = makeRelease("agent", [a, b], settings);
  assert.equal(makeRelease("agent", [b, a], settings).digest, release.digest);
  const others = [
    makeRelease("agent2", [a, b], settings),
    makeRelease("agent", [a], settings),
    makeRelease("agent", [a, b], sha256("other")),
    makeRelease("agent", [{ ...a, name: "c" }, b], settings),
    makeRelease("agent", [{ ...a, kind: "code" }, b], settings),
    makeRelease("agent", [{ ...a, mediaType: "x" }, b], settings),
    makeRelease("agent", [{ ...a, size: 2 }, b], settings),
    makeRelease("agent", [{ ...a, digest: b.digest }, b], settings),
    makeRelease("agent", [{ ...a, origin: "x" }, b], settings),
    makeRelease("agent", [{ ...a, also: { oms: "x" } }, b], settings),
  ];
  assert.equal(new Set([release, ...others].map((r) => r.digest)).size, 11);
  assert.equal(release.document.count, 2);
  assert.throws(() => makeRelease("agent", [], settings), RangeError);
  assert.throws(() => makeRelease("agent", [a, { ...a, size: 9 }], settings), /prompt\/a stands twice/);
});

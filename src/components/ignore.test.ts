import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileIgnore, isGitFolder, isReserved } from "./ignore.ts";

/** pattern, path, is a folder, expected. */
const TABLE: [string, string, boolean, boolean][] = [
  ["*.log", "a.log", false, true],
  ["*.log", "x/y/a.log", false, true],
  ["*.log", "a.logs", false, false],
  ["*.log", ".log", false, true],
  ["build/", "build", true, true],
  ["build/", "x/build", true, true],
  ["build/", "build", false, false],
  ["/build", "build", true, true],
  ["/build", "x/build", true, false],
  ["a/b", "a/b", false, true],
  ["a/b", "x/a/b", false, false],
  ["a/*", "a/b", false, true],
  ["a/*", "a/b/c", false, false],
  ["a/**", "a/b/c", false, true],
  ["**/c", "c", false, true],
  ["**/c", "a/b/c", false, true],
  ["**/c", "a/b/cc", false, false],
  ["a/**/c", "a/c", false, true],
  ["a/**/c", "a/x/y/c", false, true],
  ["a/**/c", "b/c", false, false],
  ["?.md", "a.md", false, true],
  ["?.md", "😀.md", false, true],
  ["?.md", "ab.md", false, false],
  ["?", "/", false, false],
  ["[a].md", "a.md", false, false],
  ["[a].md", "[a].md", false, true],
  ["!a", "a", false, false],
  ["!a", "!a", false, true],
  ["A", "a", false, false],
  ["*a*b*", "xxaxxbxx", false, true],
  ["*a*b*", "xxbxxaxx", false, false],
  ["/", "a", true, false],
  ["*", "a/b", false, true],
];

test("patterns", () => {
  for (const [pattern, path, isFolder, expected] of TABLE)
    assert.equal(compileIgnore([pattern])(path, isFolder), expected, `${pattern} on ${path}`);
  assert.equal(compileIgnore([])("a", false), false);
  assert.equal(compileIgnore(["x", "a"])("a", false), true);
});

test("a segment with stars matches as its regular expression does", () => {
  const piece = fc.array(fc.constantFrom("a", "b", "*", "?"), { minLength: 1, maxLength: 7 });
  const text = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(piece, text, (pattern, path) => {
      const source = pattern.map((p) => (p === "*" ? ".*" : p === "?" ? "." : p)).join("");
      const expected = new RegExp(`^${source}$`).test(path.join(""));
      assert.equal(compileIgnore([pattern.join("")])(path.join(""), false), expected);
    }),
    { numRuns: 3000 },
  );
});

test("no pattern takes long: stars against a long path", () => {
  const start = performance.now();
  for (const pattern of [
    "*".repeat(200),
    "*a".repeat(100),
    "a*".repeat(100),
    "**/".repeat(66),
    "*a*/".repeat(50),
  ]) {
    const ignored = compileIgnore([`${pattern}!`]);
    assert.equal(ignored("a".repeat(4096), false), false);
    assert.equal(ignored("a/".repeat(2000), false), false);
    assert.equal(ignored("aaaaaaaaaaaaaaa/".repeat(256), false), false);
  }
  assert.ok(performance.now() - start < 2000, `${performance.now() - start} ms`);
});

test("Waybill's own names at the top, git's at any depth, belong to no tree", () => {
  const own = [
    "waybill.yaml",
    "waybill.lock",
    "waybill.trust.yaml",
    "waybill.sha256sums",
    ".waybill",
    ".waybill/blobs/x",
    "waybill.evidence/a",
  ];
  for (const path of [...own, ".waybill-0123456789abcdef.tmp"]) assert.ok(isReserved(path), path);
  for (const path of [
    "a/waybill.lock",
    "waybill.lock.bak",
    "Waybill.yaml",
    "waybill",
    ".waybill-x.tmp",
    "x/.waybill-0123456789abcdef.tmp",
  ])
    assert.ok(!isReserved(path), path);
  for (const path of [".git", "a/.git", "a/b/.git"]) assert.ok(isGitFolder(path), path);
  for (const path of [".gitignore", "a.git", "git", ".git2"]) assert.ok(!isGitFolder(path), path);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TreeLeaf } from "./tree.ts";
import { linkResolver } from "./tree-links.ts";

const file = (path: string): TreeLeaf => ({ path, size: 0, sha256: "0".repeat(64), executable: false });
const link = (path: string, to: string): TreeLeaf => ({ path, link: to });

test("links are followed by name inside their tree", () => {
  const resolve = linkResolver([
    file("d/e/w"),
    link("a", "d/e/w"),
    link("b", "./a"),
    link("c", "d/e"),
    link("d/up", "../b"),
    link("x", "c/../e/w"),
  ]);
  assert.deepEqual(resolve("a"), { is: "file", path: "d/e/w" });
  assert.deepEqual(resolve("b"), { is: "file", path: "d/e/w" });
  assert.deepEqual(resolve("c"), { is: "folder", path: "d/e" });
  assert.deepEqual(resolve("c/w"), { is: "file", path: "d/e/w" });
  assert.deepEqual(resolve("d/up"), { is: "file", path: "d/e/w" });
  assert.deepEqual(resolve("x"), { is: "file", path: "d/e/w" });
});

test("what leads out, nowhere or in a circle is nothing", () => {
  const resolve = linkResolver([
    file("w"),
    link("out", "../w"),
    link("root", "/w"),
    link("gone", "v"),
    link("p", "q"),
    link("q", "p"),
  ]);
  for (const path of ["out", "root", "gone", "p", "q", "..", "w/.."]) {
    const target = resolve(path);
    assert.notEqual(target?.is, "file", path);
  }
  assert.equal(resolve("out"), undefined);
  assert.equal(resolve("p"), undefined);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { diffLines } from "./text-diff.ts";

test("a changed line is shown with one line around it", () => {
  assert.deepEqual(diffLines("a\nb\nc\nd\n", "a\nb\nX\nY\nd\n"), [
    "@@ line 3 @@",
    "  b",
    "- c",
    "+ X",
    "+ Y",
    "  d",
  ]);
});

test("changes at the beginning and at the end have one neighbour", () => {
  assert.deepEqual(diffLines("a\nb", "X\nb"), ["@@ line 1 @@", "- a", "+ X", "  b"]);
  assert.deepEqual(diffLines("a\nb", "a\nb\nc"), ["@@ line 3 @@", "  b", "+ c"]);
  assert.deepEqual(diffLines("a", ""), ["@@ line 1 @@", "- a", "+ "]);
  // Only the newline at the end is gone.
  assert.deepEqual(diffLines("a\n", "a"), ["@@ line 2 @@", "  a", "- "]);
});

test("much is cut and counted, long lines too", () => {
  const before = Array.from({ length: 40 }, (_, i) => `old ${i}`).join("\n");
  const after = Array.from({ length: 30 }, (_, i) => `new ${i}`).join("\n");
  const lines = diffLines(before, after, 10);
  assert.deepEqual([lines[1], lines[5], lines[6], lines[10]], ["- old 0", "- old 4", "+ new 0", "+ new 4"]);
  assert.equal(lines.at(-1), "  … 60 more changed lines");
  assert.equal(diffLines("x", "y".repeat(1000))[2], `+ ${"y".repeat(160)}…`);
});

const text = fc.array(fc.constantFrom("a", "b", ""), { maxLength: 12 }).map((lines) => lines.join("\n"));

test("with all lines shown, the diff turns one text into the other", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const [head, ...lines] = diffLines(before, after, 1000);
      const start = Number(/\d+/.exec(head!)![0]) - 1;
      const removed = lines.filter((l) => l.startsWith("- ")).map((l) => l.slice(2));
      const added = lines.filter((l) => l.startsWith("+ ")).map((l) => l.slice(2));
      const made = before.split("\n");
      assert.deepEqual(made.splice(start, removed.length, ...added), removed);
      assert.equal(made.join("\n"), after);
    }),
    { numRuns: 1000 },
  );
});

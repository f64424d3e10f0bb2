import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeName, escapeBytes, foldName, hasControl } from "./names.ts";

test("names that some file system takes for one fold together", () => {
  for (const [a, b] of [
    ["README", "readme"],
    ["straße", "STRASSE"],
    ["ẞ", "ß"],
    ["é", "e\u0301"],
    ["É", "e\u0301"],
    ["ΣΊΣΥΦΟΣ", "σίσυφος"],
    ["\u212a", "k"],
    ["ﬁle", "FILE"],
  ] as const) {
    assert.equal(foldName(a), foldName(b), `${a} and ${b}`);
  }
  assert.notEqual(foldName("a"), foldName("b"));
  assert.notEqual(foldName("e"), foldName("é"));
});

test("folding again changes nothing, nor do case and normal form", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (name) => {
      const folded = foldName(name);
      assert.equal(foldName(folded), folded);
      assert.equal(foldName(name.normalize("NFD")), folded);
      assert.equal(foldName(name.toUpperCase()), folded);
    }),
  );
});

test("bytes that are not UTF-8 are shown escaped", () => {
  const latin1 = Buffer.from([0x66, 0xfc, 0x5c, 0x0a]);
  assert.equal(decodeName(latin1), undefined);
  assert.equal(escapeBytes(latin1), "f\\xfc\\x5c\\x0a");
  assert.equal(decodeName(Buffer.from("für")), "für");
});

test("control characters are seen", () => {
  assert.deepEqual(["a\nb", "\u0000", "\u001f", "\u007f"].map(hasControl), [true, true, true, true]);
  assert.deepEqual(["a b", "a\\b", "ü", "\u0080"].map(hasControl), [false, false, false, false]);
});

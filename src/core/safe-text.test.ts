import assert from "node:assert/strict";
import { test } from "node:test";
import { safeText } from "./safe-text.ts";

test("control, bidirectional and zero-width characters become visible", () => {
  assert.equal(safeText("a\u001b[31mb"), "a\\u{1b}[31mb");
  assert.equal(safeText("\u202egpj.exe"), "\\u{202e}gpj.exe");
  assert.equal(safeText("a\u200bb\ufeff"), "a\\u{200b}b\\u{feff}");
  assert.equal(safeText("\ud800x"), "\\u{d800}x");
  assert.equal(safeText("prompts/système 😀.md"), "prompts/système 😀.md");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { codeCalls } from "../formats/calls.ts";
import { dockerInstructions } from "../formats/dockerfile.ts";
import { shellCommands } from "../formats/shell.ts";
import { CHECKS } from "./registry.ts";
import { folder } from "./testing.ts";

// Texts come from strangers: the work must grow with their length and not with its square. Steps are counted by
// the scanners themselves, so that the test does not depend on the machine.

const PIECES = [
  "$(",
  "`",
  '"',
  "'",
  "${",
  "$((",
  "<<A ",
  "<<",
  "\\",
  "#",
  ";",
  "|",
  "&&",
  ">",
  "a=$a$a;",
  "bash -c '",
  'sh -c "#',
  "${a:-",
  "\n",
  "((",
  "f(",
  "f('",
  "a.",
  "[",
  "{",
  "/",
  "=/[",
  "/*",
  "//",
  '"""',
  "r'",
  "f(a=",
  ",",
  ")",
  "x='y'\n",
  "wget https://a/b.bin\n",
  "é",
  "\ud800",
];

function growth(steps: (text: string) => number): void {
  for (const a of PIECES) {
    for (const b of ["", " ", ...PIECES.slice(0, 8)]) {
      const piece = a + b;
      const n = 500;
      const small = steps(piece.repeat(n));
      const large = steps(piece.repeat(4 * n));
      assert.ok(large <= 5 * small + 10_000, `${JSON.stringify(piece)}: ${small} steps, then ${large}`);
      assert.ok(large <= 4 * n * piece.length * 500, `${JSON.stringify(piece)}: ${large} steps`);
    }
  }
}

test("the shell scanner is linear", () => growth((text) => shellCommands(text).steps));
test("the Python scanner is linear", () => growth((text) => codeCalls(text, "python").steps));
test("the JavaScript scanner is linear", () => growth((text) => codeCalls(text, "javascript").steps));

test("values of variables do not grow without bound", () => {
  const text = `a=aaaaaaaaaaaaaaaa\n${"a=$a$a$a$a\n".repeat(50)}wget https://x/$a.bin\n`;
  const longest = Math.max(...shellCommands(text).commands.flatMap((c) => c.words.map((w) => w.text.length)));
  assert.ok(longest < 5000, String(longest));
});

test("offsets of Dockerfile bodies stay true", () => {
  const text = 'FROM a \\  \n  AS b\n\n# c\nRUN x && \\\n# note\n\n  y\nRUN ["a", "b"]\n';
  for (const { keyword, body, offset } of dockerInstructions(text)) {
    assert.equal(text.slice(offset - keyword.length, offset).toUpperCase(), keyword);
    assert.ok(offset + body.length <= text.length);
    for (let i = 0; i < body.length; i += 1)
      if (/[a-z]/.test(body[i]!)) assert.equal(body[i], text[offset + i]);
  }
});

test("no check throws or stalls on long and broken texts", () => {
  const paths = [
    "a.sh",
    "Dockerfile",
    "Makefile",
    "a.py",
    "a.ts",
    "a.ipynb",
    "package.json",
    ".mcp.json",
    "requirements.txt",
    ".github/workflows/a.yml",
    "k8s.yaml",
    "package-lock.json",
    "SHA256SUMS",
  ];
  for (const piece of PIECES) {
    const text = piece.repeat(2000);
    const facts = folder({ texts: Object.fromEntries(paths.map((path) => [path, text])) });
    for (const check of CHECKS) assert.ok(check.run(facts).coverage);
  }
});

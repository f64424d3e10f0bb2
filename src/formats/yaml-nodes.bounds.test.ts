import assert from "node:assert/strict";
import { test } from "node:test";
import { yamlDocuments } from "./yaml-nodes.ts";

/** A mebibyte of one piece. */
const fill = (piece: string): string => piece.repeat(Math.ceil((1 << 20) / piece.length));

for (const [name, text] of [
  ["closing braces", fill("}\n")],
  ["closing braces in a list", `[${fill("}")}`],
  ["anchors without a value", fill("*\n")],
  ["open quotes", fill("'\n")],
  ["ends of documents", fill("...\n- }\n")],
  ["directives", fill("%YAML 9\n")],
] as const)
  test(`reading ends at the first mistake: ${name}`, () => {
    const work = { tokens: 0 };
    assert.equal(yamlDocuments(text, work), undefined);
    assert.ok(work.tokens < 20, `${work.tokens} tokens`);
  });

test("two thousand documents are read, and not one more is taken apart", () => {
  const documents = (count: number) => "--- a\n".repeat(count);
  assert.equal(yamlDocuments(documents(2000))!.length, 2000);
  const work = { tokens: 0 };
  assert.equal(yamlDocuments(documents(100_000), work), undefined);
  assert.ok(work.tokens < 2 * 2100, `${work.tokens} tokens`);
});

test("several documents, directives and comments are read as before", () => {
  const found = yamlDocuments("# c\n---\na: 1\n---\nb: [x, y]\n...\n# end\n")!;
  assert.deepEqual(
    found.map(({ scalars, keys }) => [scalars.map(({ value }) => value), [...keys]]),
    [
      [["1"], ["a"]],
      [["x", "y"], ["b"]],
    ],
  );
  assert.deepEqual(yamlDocuments(""), []);
  assert.deepEqual(yamlDocuments("# only a comment\n"), []);
  // A warning is no mistake.
  assert.equal(yamlDocuments("a: !mine x\n")![0]!.scalars[0]!.value, "x");
});

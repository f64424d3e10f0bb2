import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeVectors, staleVectors, type Vector } from "../../scripts/vectors.ts";

const MADE = makeVectors();
const PAGES = join(import.meta.dirname, "../../docs/formats");

test("the committed vectors are what the code gives", () => {
  assert.deepEqual(staleVectors(), [], "run `node scripts/vectors.ts` when the format was meant to change");
});

test("every file of vectors has inputs that pass, and names that are unique", () => {
  for (const [file, text] of MADE) {
    const vectors = JSON.parse(text) as Vector[];
    assert.ok(
      vectors.some(({ expected }) => expected !== null),
      file,
    );
    assert.equal(new Set(vectors.map(({ name }) => name)).size, vectors.length, file);
    const inputs = new Set(vectors.map(({ input }) => JSON.stringify(input)));
    assert.equal(inputs.size, vectors.length, `${file}: one input stands twice`);
  }
});

test("the worked examples on the pages are vectors", () => {
  const expected = (file: string, name: string): unknown =>
    (JSON.parse(MADE.get(`${file}.json`)!) as Vector[]).find((v) => v.name === name)!.expected;
  const tree = readFileSync(join(PAGES, "tree.md"), "utf8");
  assert.ok(tree.includes(expected("tree", "folder: worked example") as string));
  const release = readFileSync(join(PAGES, "release.md"), "utf8");
  const values = [
    ...Object.values(expected("component-leaf", "as small as can be") as object),
    (expected("settings", "defaults") as { digest: string }).digest,
    ...Object.values(expected("release", "worked example") as object),
    expected("oms-root", "two files; a link does not count"),
  ];
  for (const value of values) assert.ok(release.includes(value as string), value as string);
});

test("every file of vectors is named on the pages' index", () => {
  const index = readFileSync(join(PAGES, "README.md"), "utf8");
  for (const file of MADE.keys())
    assert.ok(index.includes(`\`${file.replace(".json", "")}\``), file);
});

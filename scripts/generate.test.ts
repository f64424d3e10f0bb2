import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { JOB_ERRORS } from "../src/core/errors.ts";
import { ALL_RULES } from "../src/flows/rules.ts";
import { checksMarkdown, cliMarkdown, generatedFiles, staleFiles, writeFiles } from "./generate.ts";

const ROOT = join(import.meta.dirname, "..");

test("every generated file in the repository is fresh: npm run generate", () => {
  assert.deepEqual(staleFiles(generatedFiles()), []);
  const script = join(import.meta.dirname, "generate.ts");
  const { status, stdout } = spawnSync(process.execPath, [script, "--check"], { encoding: "utf8" });
  assert.equal(status, 0);
  assert.match(stdout, /^\d+ generated files are fresh$/m);
});

test("what is stale, absent or made by nothing any more is named, and put right by writing", () => {
  const root = mkdtempSync(join(tmpdir(), "waybill-generate-"));
  try {
    const files = new Map([
      ["docs/a.md", "a\n"],
      ["docs/schemas/a.schema.json", "{}\n"],
    ]);
    assert.deepEqual(staleFiles(files, root), [...files.keys()]);
    assert.deepEqual(writeFiles(files, root), [...files.keys()]);
    assert.deepEqual(staleFiles(files, root), []);
    writeFileSync(join(root, "docs/schemas/old.schema.json"), "{}");
    writeFileSync(join(root, "docs/a.md"), "b\n");
    const stale = ["docs/a.md", "docs/schemas/old.schema.json"];
    assert.deepEqual(staleFiles(files, root), stale);
    assert.deepEqual(writeFiles(files, root), stale);
    assert.deepEqual(staleFiles(files, root), []);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test("every code has one section, and every job error one line", () => {
  const page = checksMarkdown(ALL_RULES);
  for (const { code } of ALL_RULES) assert.equal(page.split(`### ${code}\n`).length, 2, code);
  for (const code of Object.keys(JOB_ERRORS)) assert.equal(page.split(`>${code} |`).length, 2, code);
  const sections = page.split("\n").filter((line) => line.startsWith("### "));
  assert.equal(sections.length, ALL_RULES.length);
});

test("an example cannot end its own block", () => {
  const [rule] = ALL_RULES;
  const page = checksMarkdown([{ ...rule!, example: { bad: "```\n# out\n```", good: "x" } }]);
  assert.ok(page.includes("````text\n```\n# out\n```\n````"));
});

test("the page of the command line shows every command's own help", () => {
  assert.match(cliMarkdown(), /^## waybill channel allow$/m);
  assert.match(cliMarkdown(), /\(#waybill-channel-allow\)/);
  assert.match(cliMarkdown(), /\| 125 \| /);
});

test("the example's manifest names a schema that is there", () => {
  const text = readFileSync(join(ROOT, "examples/support-agent/waybill.yaml"), "utf8");
  const path = /\$schema=(\S+)/.exec(text)?.[1] ?? "";
  const schema = JSON.parse(readFileSync(join(ROOT, "examples/support-agent", path), "utf8")) as {
    properties: Record<string, { description?: string }>;
  };
  assert.deepEqual(schema.properties.waybill?.description, "version of this format");
});

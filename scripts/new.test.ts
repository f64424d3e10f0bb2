import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

// The scaffolds are made in a copy of the sources, where they must compile, lint and pass their tests.

const ROOT = join(import.meta.dirname, "..");
let copy = "";

before(() => {
  copy = mkdtempSync(join(tmpdir(), "waybill-new-"));
  for (const path of ["src", "scripts/new.ts", "scripts/new-templates.ts", "docs/checks.md"])
    cpSync(join(ROOT, path), join(copy, path), { recursive: true });
  for (const path of ["package.json", "tsconfig.json"]) cpSync(join(ROOT, path), join(copy, path));
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const biome = JSON.parse(readFileSync(join(ROOT, "biome.json"), "utf8")) as { vcs?: unknown };
  // The copy is in no git work tree.
  delete biome.vcs;
  writeFileSync(join(copy, "biome.json"), JSON.stringify(biome));
});

after(() => rmSync(copy, { recursive: true, force: true }));

function run(program: string, ...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: copy, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

const make = (...words: string[]) => run(process.execPath, "scripts/new.ts", ...words);

test("a check, a component kind and a predicate are one command each, and hold", () => {
  for (const words of [
    ["check", "WB-CODE-900", "unsafe-switch"],
    ["component", "policy"],
    ["predicate", "drill-report"],
  ]) {
    const { status, output } = make(...words);
    assert.equal(status, 0, output);
  }
  for (const [file, line] of [
    ["src/checks/registry.ts", "  unsafeSwitch,"],
    ["src/components/registry.ts", "  policy,"],
    ["src/evidence/registry.ts", "drillReportPredicate"],
  ] as const)
    assert.ok(readFileSync(join(copy, file), "utf8").includes(line), file);

  const files = ["checks/unsafe-switch", "components/kinds/policy", "evidence/drill-report"];
  const tests = [...files, "checks/registry", "evidence/channel"].map((name) => `src/${name}.test.ts`);
  const tested = run(process.execPath, "--test", ...tests);
  assert.equal(tested.status, 0, tested.output);
  const biome = run("node_modules/.bin/biome", "check", "--error-on-warnings", "src/checks", "src/evidence");
  assert.equal(biome.status, 0, biome.output);
  const sources = [...files.flatMap((name) => [`src/${name}.ts`, `src/${name}.test.ts`]), "src/cli/main.ts"];
  writeFileSync(
    join(copy, "tsconfig.new.json"),
    JSON.stringify({ extends: "./tsconfig.json", include: sources }),
  );
  const types = run("node_modules/.bin/tsc", "-p", "tsconfig.new.json");
  assert.equal(types.status, 0, types.output);
});

test("nothing is overwritten, no code is used twice, and words that are not understood are told", () => {
  const before = readFileSync(join(ROOT, "src/checks/mutable-image.ts"), "utf8");
  for (const [words, said] of [
    [["check", "WB-IMAGE-900", "mutable-image"], /exists already/],
    [["check", "WB-IMAGE-010", "another-image"], /never used twice/],
    [["component", "model"], /exists already/],
    [["predicate", "release"], /exists already/],
    [["check", "CODE-1", "a"], /usage/],
    [["component", "../x"], /usage/],
    [[], /usage/],
  ] as [string[], RegExp][]) {
    const { status, output } = make(...words);
    assert.equal(status, 2, words.join(" "));
    assert.match(output, said);
  }
  assert.equal(readFileSync(join(copy, "src/checks/mutable-image.ts"), "utf8"), before);
});

// `node scripts/mutate.ts [--limit N] [FILE…]`: makes one small mistake after the other in a copy of the repository
// and runs the tests that should see it. A mistake that all tests pass is printed: a survivor. A command only, not
// in CI: each mistake costs a run of tests.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dirname, "..");
/** What is mutated unless files are named. */
const DEFAULTS = [
  ...readdirSync(join(ROOT, "src/verify"))
    .filter((f) => f.endsWith(".ts") && !f.endsWith(".test.ts"))
    .map((f) => `src/verify/${f}`),
  "src/policy/decide.ts",
  "src/core/lock.ts",
  "src/act/copy-plan.ts",
];

interface Mutation {
  file: string;
  line: number;
  from: string;
  to: string;
  text: string;
}

const RULES: [RegExp, string][] = [
  [/===/g, "!=="],
  [/!==/g, "==="],
  [/&&/g, "||"],
  [/\|\|/g, "&&"],
  [/\?\?/g, "&&"],
  [/\btrue\b/g, "false"],
  [/\bfalse\b/g, "true"],
  [/(?<=[\w)\]] )<(?= )/g, "<="],
  [/(?<=[\w)\]] )>(?= )/g, ">="],
  [/<=/g, "<"],
  [/>=/g, ">"],
  [/(?<=if \()!/g, ""],
  [/(?<=: |=> |\n {2,}|\) )return [^;{}]+;(?=\n)/g, ";"],
  [/(?<=\n {2,})throw [^;]+;/g, ";"],
  [/\.some\(/g, ".every("],
  [/\.every\(/g, ".some("],
];

/** Every single mistake of a text, comments and imports left alone. */
export function mutationsOf(file: string, text: string): Mutation[] {
  const blank = (match: string) => match.replace(/[^\n]/g, " ");
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, blank)
    .replace(/^\s*\/\/.*$/gm, blank)
    .replace(/^import [^;]+;/gm, blank)
    .replace(/^export type [^;]+;/gm, blank);
  return RULES.flatMap(([rule, to]) =>
    [...code.matchAll(rule)]
      // The last return of a function is what it is for; without it nothing would be left to test.
      .filter(
        (match) =>
          !(
            match[0].startsWith("return") &&
            /^\s*\}/.test(code.slice(match.index + match[0].length)) &&
            !/\)\s*$/.test(code.slice(0, match.index))
          ),
      )
      .map((match) => ({
        file,
        line: text.slice(0, match.index).split("\n").length,
        from: match[0].split("\n")[0]!,
        to,
        text: text.slice(0, match.index) + to + text.slice(match.index + match[0].length),
      })),
  );
}

/** The tests that should see a mistake in a file: those beside it, and the ones that go through it. */
function testsFor(copy: string, file: string): string[] {
  const beside = readdirSync(join(copy, dirname(file)))
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => join(dirname(file), name));
  const own = beside.filter((path) => basename(path).startsWith(basename(file, ".ts")));
  const through = file.startsWith("src/core") ? [] : ["testdata/transcripts/transcripts.test.ts"];
  return [
    ...own,
    ...beside.filter((path) => !own.includes(path) && !file.startsWith("src/core")),
    ...through,
  ];
}

/** Whether the tests pass, in as few runs as it takes to see one fail. */
function passes(copy: string, tests: readonly string[]): boolean {
  return tests.every((path) => {
    const env: NodeJS.ProcessEnv = { ...process.env };
    // Under a test runner of our own, the one below would report to it.
    delete env.NODE_TEST_CONTEXT;
    const run = spawnSync(process.execPath, ["--test", "--test-timeout=60000", path], {
      cwd: copy,
      env,
      stdio: "ignore",
      timeout: 120_000,
    });
    return run.status === 0;
  });
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { limit: { type: "string" } },
  });
  const copy = mkdtempSync(join(tmpdir(), "waybill-mutate-"));
  let [tried, survived] = [0, 0];
  try {
    for (const name of readdirSync(ROOT))
      if (name === "node_modules") symlinkSync(join(ROOT, name), join(copy, name));
      else if (name !== ".git") cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    for (const file of positionals.length > 0 ? positionals : DEFAULTS) {
      const original = readFileSync(join(ROOT, file), "utf8");
      const tests = testsFor(copy, file).filter((path) => {
        const good = passes(copy, [path]);
        if (!good) process.stdout.write(`  left out: ${path} fails without any mistake\n`);
        return good;
      });
      process.stdout.write(`${file}: ${tests.length} files of tests\n`);
      if (tests.length === 0) continue;
      for (const mutation of mutationsOf(file, original).slice(0, Number(values.limit ?? Infinity))) {
        writeFileSync(join(copy, file), mutation.text);
        tried += 1;
        if (!passes(copy, tests)) continue;
        survived += 1;
        process.stdout.write(
          `  survived  ${file}:${mutation.line}: ${mutation.from} -> ${mutation.to || "nothing"}\n`,
        );
      }
      writeFileSync(join(copy, file), original);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  process.stdout.write(`${tried} mutations, ${survived} survived\n`);
}

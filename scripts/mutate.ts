// `node scripts/mutate.ts [--limit N] [--within SECONDS] [--jobs N] [FILE…]`: makes one small mistake after the other
// in a copy of the repository and runs the tests that should see it. A mistake that all tests pass is printed: a
// survivor, or one that only the type checker sees. `--within` leaves out the files of tests that take longer, so
// that the unit tests alone are measured, in minutes. A command only, not in CI: each mistake costs a run of tests.
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";

const ROOT = join(import.meta.dirname, "..");
/** What is mutated unless files are named. */
const DEFAULTS = [
  ...["src/verify", "src/policy"].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((f) => f.endsWith(".ts") && !f.endsWith(".test.ts"))
      .map((f) => `${folder}/${f}`),
  ),
  "src/core/lock.ts",
  ...["copy-plan", "release-plan", "environment"].map((name) => `src/act/${name}.ts`),
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
  [/(?<=[( ])!(?=[\w([])/g, ""],
  [/(?<=: |=> |\n {2,}|\) )return [^;{}]+;(?=\n)/g, ";"],
  [/(?<=\n {2,})throw [^;]+;/g, ";"],
  [/(?<=\n {2,}|\) )continue;/g, ";"],
  [/\.some\(/g, ".every("],
  [/\.every\(/g, ".some("],
  [/\.filter\(/g, ".map("],
  [/\bMath\.min\(/g, "Math.max("],
  [/\bMath\.max\(/g, "Math.min("],
  [/(?<=\d|\w|\)) \+ 1\b/g, ""],
  [/(?<=\d|\w|\)) - (?=\w)/g, " + "],
  // One word less in a list of words.
  [/(?<=\[(?:"[\w.-]+", )*)"[\w.-]+", /g, ""],
  [/, "[\w.-]+"(?=\])/g, ""],
];

/** The conditions of `if (…)`: where they begin and how long they are. */
function conditionsOf(code: string): [at: number, length: number][] {
  return [...code.matchAll(/\bif \(/g)].map((match) => {
    const at = match.index + match[0].length;
    let end = at;
    for (let depth = 1; end < code.length; end += 1) {
      if (code[end] === "(") depth += 1;
      if (code[end] === ")") depth -= 1;
      if (depth === 0) break;
    }
    return [at, end - at];
  });
}

/** Every single mistake of a text, comments and imports left alone. */
export function mutationsOf(file: string, text: string): Mutation[] {
  const blank = (match: string) => match.replace(/[^\n]/g, " ");
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, blank)
    .replace(/^\s*\/\/.*$/gm, blank)
    .replace(/^import [^;]+;/gm, blank)
    .replace(/^export type [^;]+;/gm, blank);
  const made = (at: number, length: number, to: string, from = text.slice(at, at + length)): Mutation => ({
    file,
    line: text.slice(0, at).split("\n").length,
    from: from.trim().split("\n")[0]!,
    to,
    text: text.slice(0, at) + to + text.slice(at + length),
  });
  return [
    ...RULES.flatMap(([rule, to]) =>
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
        .map((match) => made(match.index, match[0].length, to)),
    ),
    ...conditionsOf(code).flatMap(([at, length]) => ["true", "false"].map((to) => made(at, length, to))),
  ];
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

/** Runs a program of Node.js: whether it ends well in time, and what it prints. */
function ran(copy: string, args: readonly string[], seconds: number): Promise<{ ok: boolean; text: string }> {
  const env: NodeJS.ProcessEnv = { ...process.env };
  // Under a test runner of our own, the one below would report to it.
  delete env.NODE_TEST_CONTEXT;
  const options = {
    cwd: copy,
    env,
    timeout: Math.ceil(seconds * 1000),
    killSignal: "SIGKILL",
    maxBuffer: 1 << 26,
  } as const;
  return new Promise((done) => {
    execFile(process.execPath, args, options, (error, text) => done({ ok: error === null, text }));
  });
}

/** What the type checker says, timing aside. */
async function typeErrors(copy: string): Promise<string> {
  return (await ran(copy, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], 300)).text;
}

/** Whether the tests pass, in as few runs as it takes to see one fail. */
async function passes(copy: string, tests: readonly Timed[]): Promise<boolean> {
  for (const { path, seconds } of tests) if (!(await ran(copy, [path], 10 + 5 * seconds)).ok) return false;
  return true;
}

interface Timed {
  path: string;
  /** How long it takes without any mistake. */
  seconds: number;
}

/** A file of tests with how long it takes, if it passes without any mistake and in time. */
async function timed(copy: string, path: string, within: number): Promise<Timed | undefined> {
  const begin = performance.now();
  const { ok } = await ran(copy, [path], Math.min(600, within + 1));
  const seconds = (performance.now() - begin) / 1000;
  if (ok && seconds <= within) return { path, seconds };
  process.stdout.write(`  left out: ${path} ${seconds > within ? "is slow" : "fails"}\n`);
  return undefined;
}

/** A copy of the repository to make mistakes in. */
function copied(from: string): string {
  const copy = mkdtempSync(join(tmpdir(), "waybill-mutate-"));
  for (const name of readdirSync(from))
    if (name === "node_modules") symlinkSync(join(ROOT, name), join(copy, name));
    else if (name !== ".git") cpSync(join(from, name), join(copy, name), { recursive: true });
  return copy;
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      limit: { type: "string" },
      within: { type: "string", default: "Infinity" },
      jobs: { type: "string", default: "1" },
    },
  });
  const first = copied(ROOT);
  // Copies of the first one: somebody may be at work in the repository.
  const copies = [first, ...Array.from({ length: Number(values.jobs) - 1 }, () => copied(first))];
  const typesBefore = await typeErrors(first);
  const said = { tried: 0, survived: 0, typed: 0 };
  const known = new Map<string, Timed | undefined>();
  try {
    for (const file of positionals.length > 0 ? positionals : DEFAULTS) {
      const original = readFileSync(join(first, file), "utf8");
      const paths = testsFor(first, file);
      const unknown = paths.filter((path) => !known.has(path));
      for (const path of unknown) known.set(path, await timed(first, path, Number(values.within)));
      const tests = paths.flatMap((path) => known.get(path) ?? []);
      process.stdout.write(`${file}: ${tests.length} files of tests\n`);
      if (tests.length === 0) continue;
      const mutations = mutationsOf(file, original).slice(0, Number(values.limit ?? Infinity));
      const work = async (copy: string): Promise<void> => {
        for (let mutation = mutations.shift(); mutation; mutation = mutations.shift()) {
          writeFileSync(join(copy, file), mutation.text);
          said.tried += 1;
          if (!(await passes(copy, tests))) continue;
          const compiles = (await typeErrors(copy)) === typesBefore;
          said[compiles ? "survived" : "typed"] += 1;
          const { line, from, to } = mutation;
          process.stdout.write(
            `  ${compiles ? "survived  " : "types only"}  ${file}:${line}: ${from} -> ${to || "nothing"}\n`,
          );
        }
        writeFileSync(join(copy, file), original);
      };
      await Promise.all(copies.map(work));
    }
  } finally {
    for (const copy of copies) rmSync(copy, { recursive: true, force: true });
  }
  const { tried, survived, typed: typesOnly } = said;
  process.stdout.write(
    `${tried} mutations: ${tried - survived - typesOnly} seen by tests, ${typesOnly} by types alone, ${survived} survived\n`,
  );
}

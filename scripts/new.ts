import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newCheck, newComponent, newPredicate, type Scaffold } from "./new-templates.ts";

// npm run new -- check WB-CODE-020 NAME | component NAME | predicate NAME
// Writes the file and its test from a template and puts the line into the registry. Nothing is overwritten.

const USAGE = `usage: npm run new -- check WB-FAMILY-NNN NAME    src/checks/NAME.ts, its test, its line in the registry
       npm run new -- component NAME              src/components/kinds/NAME.ts and the same
       npm run new -- predicate NAME              src/evidence/NAME.ts and the same

NAME is lower case: letters, digits and, for checks and predicates, '-'.
`;

/** What cannot be made, for the terminal. */
class Refusal extends Error {}

/** What the words ask for. Throws a Refusal for words that are not understood. */
function scaffoldOf(words: readonly string[]): Scaffold {
  const [what, ...rest] = words;
  const name = rest.at(-1) ?? "";
  const valid = (what === "component" ? /^[a-z][a-z0-9]*$/ : /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/).test(name);
  if (!valid) throw new Refusal(USAGE);
  if (what === "check" && rest.length === 2 && /^WB-[A-Z]+-\d{3}$/.test(rest[0]!))
    return newCheck(rest[0]!, name);
  if (what === "component" && rest.length === 1) return newComponent(name);
  if (what === "predicate" && rest.length === 1) return newPredicate(name);
  throw new Refusal(USAGE);
}

/** Puts a line before the first `end` after `start`; biome then sorts imports and wraps lists. */
function insert(text: string, { start, end, line }: Scaffold["edits"][number], file: string): string {
  const from = text.indexOf(start);
  const at = from === -1 ? -1 : text.indexOf(end, from + start.length);
  if (at === -1) throw new Refusal(`${file}: no place for ${line.trim()}: put it in by hand`);
  // A list that the formatter broke into lines ends in a comma of its own.
  const before = text.slice(0, at).trimEnd();
  const rest = before.endsWith(",") ? line.replace(/^, /, " ") : line;
  return (rest === line ? text.slice(0, at) : before) + rest + text.slice(at);
}

function scaffold(root: string, words: readonly string[]): string[] {
  const { files, edits, used } = scaffoldOf(words);
  for (const { file } of files)
    if (existsSync(join(root, file))) throw new Refusal(`${file} exists already: nothing was written`);
  for (const { file, text } of used ?? [])
    if (readFileSync(join(root, file), "utf8").includes(text))
      throw new Refusal(`${text} stands in ${file} already: a code is never used twice`);
  // All edits are tried before anything is written.
  const edited = new Map<string, string>();
  for (const edit of edits) {
    const text = edited.get(edit.file) ?? readFileSync(join(root, edit.file), "utf8");
    edited.set(edit.file, insert(text, edit, edit.file));
  }
  for (const { file, text } of files) writeFileSync(join(root, file), text, { flag: "wx" });
  for (const [file, text] of edited) writeFileSync(join(root, file), text);
  const touched = [...files.map(({ file }) => file), ...edited.keys()];
  spawnSync(join(root, "node_modules/.bin/biome"), ["check", "--write", ...touched], { cwd: root });
  return touched;
}

try {
  const words = process.argv.slice(2);
  for (const file of scaffold(process.cwd(), words)) console.log(`wrote  ${file}`);
  if (words[0] === "component")
    console.log("a kind is part of the format: describe it in docs/formats/release.md, with vectors");
  console.log("next: fill it in, then  npm test && npm run lint && npm run generate");
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

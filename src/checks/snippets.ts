import type { SourceRange } from "../core/finding.ts";
import { type CodeLanguage, type CodeText, codeCalls } from "../formats/calls.ts";
import { dockerInstructions } from "../formats/dockerfile.ts";
import { type JsonNode, member, parseJsonSource, stringOf } from "../formats/json-source.ts";
import { makefileRecipes } from "../formats/makefile.ts";
import { maskTo, type Piece } from "../formats/mask.ts";
import { programOf, type ShellCommand, shellCommands } from "../formats/shell.ts";
import { type YamlDocument, type YamlScalar, yamlDocuments } from "../formats/yaml-nodes.ts";
import type { TextFile } from "./check.ts";
import { placeIn } from "./places.ts";
import { type TextKind, textKind } from "./scanned-texts.ts";

type Place = (offset: number, length: number) => SourceRange;

/** Commands that stand in a text, in their order. */
export interface ShellSnippet {
  commands: ShellCommand[];
  at: Place;
}

/** Program text that stands in a text. */
export interface CodeSnippet {
  language: CodeLanguage;
  text: string;
  code: CodeText;
  at: Place;
}

/** What a text holds that something may run. */
export interface Snippets {
  shell: ShellSnippet[];
  code: CodeSnippet[];
  /** Why the text could not be taken apart. */
  problem?: string;
}

/** The kinds of text in which commands or calls are looked for. */
export const RUNNABLE: readonly TextKind[] = [
  "shell",
  "dockerfile",
  "makefile",
  "workflow",
  "yaml",
  "python",
  "notebook",
  "javascript",
  "package-json",
  "extensionless",
];

const SHELL_KEYS = new Set([
  "run",
  "script",
  "before_script",
  "after_script",
  "bash",
  "command",
  "args",
  "entrypoint",
]);
const SHELL_CALLS =
  /(?:^|\.)(?:system|popen|Popen|run|call|check_call|check_output|exec|execSync|execFile|execFileSync|spawn|spawnSync|execa)$/;

const MEMO = new WeakMap<TextFile, Snippets>();
const DOCUMENTS = new WeakMap<TextFile, { documents: YamlDocument[] | undefined }>();

/** `yamlDocuments` of a text, read once for all checks. */
export function documentsOf(file: TextFile): YamlDocument[] | undefined {
  const known = DOCUMENTS.get(file) ?? { documents: yamlDocuments(file.text) };
  DOCUMENTS.set(file, known);
  return known.documents;
}

/** The commands and calls of a text, whatever it is: a script, a Dockerfile, a workflow, a notebook… */
export function snippetsOf(file: TextFile): Snippets {
  let found = MEMO.get(file);
  if (!found) {
    found = take(file);
    MEMO.set(file, found);
  }
  return found;
}

function take(file: TextFile): Snippets {
  const { text } = file;
  const at: Place = (offset, length) => placeIn(file, offset, length);
  const kind = kindByContent(file);
  if (kind === "shell") return withPrograms([shell(text, at)]);
  if (kind === "python" || kind === "javascript") return program(text, kind, at);
  if (kind === "notebook") return notebook(file);
  if (kind === "dockerfile") {
    const { pieces, variables } = dockerRuns(text);
    return withPrograms([shell(maskTo(text, pieces), at, variables)]);
  }
  if (kind === "makefile") {
    const recipes = makefileRecipes(text);
    return withPrograms([shell(recipes.text, at, recipes.variables)]);
  }
  if (kind === "package-json") {
    const node = parseJsonSource(text);
    if (!node) return { shell: [], code: [], problem: "not JSON that can be read" };
    return withPrograms([shell(maskTo(text, scriptPieces(text, node)), at)]);
  }
  if (kind === "workflow" || kind === "yaml") return yamlSnippets(file, at);
  return { shell: [], code: [] };
}

/** The kind of a text; a file without an extension is what its first line says. */
function kindByContent(file: TextFile): TextKind | undefined {
  const kind = textKind(file.path);
  if (kind !== "extensionless") return kind;
  const first = /^#!([^\n]{1,200})/.exec(file.text)?.[1] ?? "";
  if (/\bpython[0-9.]{0,6}\b|\buv\b/.test(first)) return "python";
  if (/\b(?:node|bun|deno|tsx)\b/.test(first)) return "javascript";
  return /\b(?:ba|z|da|k|a)?sh\b/.test(first) ? "shell" : undefined;
}

function shell(text: string, at: Place, variables?: ReadonlyMap<string, string>): ShellSnippet {
  return { commands: shellCommands(text, variables).commands, at };
}

function program(text: string, language: CodeLanguage, at: Place): Snippets {
  const code = codeCalls(text, language);
  const commands = shell(maskTo(text, embeddedCommands(text, code)), at);
  return { shell: commands.commands.length === 0 ? [] : [commands], code: [{ language, text, code, at }] };
}

/** Adds the programs that shell commands hold: `python - <<EOF`, `python -c '…'`, `node -e '…'`. */
function withPrograms(shells: ShellSnippet[]): Snippets {
  const code: CodeSnippet[] = [];
  for (const { commands, at } of shells) {
    for (const command of commands) {
      const run = programOf(command);
      const language =
        run && /^python[0-9.]{0,6}$/.test(run.name)
          ? "python"
          : run?.name === "node"
            ? "javascript"
            : undefined;
      if (!run || !language) continue;
      const flag = run.args.findIndex((word) => /^-[a-zA-Z]{0,4}[ce]$|^--eval$/.test(word.text));
      const inline = run.args[flag + 1];
      const sources = [...command.input];
      if (flag !== -1 && inline) sources.push({ text: inline.text, offset: inline.offset + 1 });
      for (const { text, offset } of sources) {
        const place: Place = (from, length) => at(offset + from, length);
        code.push({ language, text, code: codeCalls(text, language), at: place });
      }
    }
  }
  return { shell: shells, code };
}

function dockerRuns(text: string): { pieces: Piece[]; variables: Map<string, string> } {
  const variables = new Map<string, string>();
  const pieces: Piece[] = [];
  for (const { keyword, body, offset, exec } of dockerInstructions(text)) {
    if (keyword === "RUN" || keyword === "CMD" || keyword === "ENTRYPOINT")
      pieces.push({
        start: offset,
        end: offset + body.length,
        text: exec ?? body.replace(/^(?:\s{0,50}--\w{1,20}=\S{1,500})+/, blank),
      });
    else if (keyword === "ARG" || keyword === "ENV") {
      const assigned = /^\s{0,50}([A-Za-z_]\w{0,99})(?:=|\s{1,50})["']?([^\s"']{1,512})["']?\s{0,50}$/.exec(
        body,
      );
      if (assigned && !assigned[2]!.includes("$")) variables.set(assigned[1]!, assigned[2]!);
    }
  }
  return { pieces, variables };
}

function scriptPieces(text: string, node: JsonNode): Piece[] {
  const scripts = member(node, "scripts");
  if (scripts?.type !== "object") return [];
  return scripts.entries.flatMap(({ value }) => {
    if (value.type !== "string") return [];
    const [start, end] = [value.start + 1, value.end - 1];
    return [{ start, end, text: text.slice(start, end).replaceAll('\\"', ' "').replaceAll("\\n", " \n") }];
  });
}

function yamlSnippets(file: TextFile, at: Place): Snippets {
  const { text } = file;
  const documents = documentsOf(file);
  if (!documents) return { shell: [], code: [], problem: "not YAML that can be read" };
  const pieces: Piece[] = [];
  const code: CodeSnippet[] = [];
  const variables = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const { scalars } of documents) {
    const shells = new Map<string, string>();
    for (const { path, value } of scalars) {
      const last = path.at(-1);
      if (last === "shell") shells.set(JSON.stringify(path.slice(0, -1)), value);
      if (path.at(-2) !== "env" || typeof last !== "string" || value.includes("${")) continue;
      if (variables.has(last) && variables.get(last) !== value) ambiguous.add(last);
      variables.set(last, value.slice(0, 512));
    }
    const lists = new Map<string, YamlScalar[]>();
    for (const scalar of scalars) {
      const { path, value, start, end, folded } = scalar;
      const last = path.at(-1);
      const key = typeof last === "number" ? path.at(-2) : last;
      if (typeof key !== "string" || !SHELL_KEYS.has(key) || value === "" || end <= start) continue;
      const raw = text.slice(start, end);
      if (/^python/.test(shells.get(JSON.stringify(path.slice(0, -1))) ?? "")) {
        const place: Place = (from, length) => at(start + from, length);
        code.push({ language: "python", text: raw, code: codeCalls(raw, "python"), at: place });
      } else if (
        typeof last === "number" &&
        (key === "command" || key === "args" || key === "entrypoint") &&
        !/\s/.test(value)
      ) {
        const list = JSON.stringify(path.slice(0, -1));
        lists.set(list, [...(lists.get(list) ?? []).slice(-200), scalar]);
      } else pieces.push({ start, end, text: folded ? raw.replaceAll("\n", " ") : raw });
    }
    // `command: [wget, https://…]`: the members are the words of one command.
    for (const words of lists.values()) {
      let line = "";
      const { start } = words[0]!;
      for (const word of words)
        line = `${line.padEnd(word.start - start)}${text.slice(word.start, word.end)}`;
      if (words.length > 1) pieces.push({ start, end: start + line.length, text: line });
    }
  }
  for (const name of ambiguous) variables.delete(name);
  const found = withPrograms([shell(maskTo(text, pieces), at, variables)]);
  return { ...found, code: [...found.code, ...code] };
}

/** The commands that a program hands to a shell or starts as a list of words. */
function embeddedCommands(text: string, code: CodeText): Piece[] {
  return code.calls.flatMap((call) => {
    const first = call.args[0];
    if (!first || !SHELL_CALLS.test(call.name)) return [];
    const last = call.args[1] && code.tokens[call.args[1].from]?.value === "[" ? call.args[1] : first;
    const strings = code.tokens
      .slice(first.from, Math.min(last.to, first.from + 200))
      .filter((t) => t.type === "string");
    const head = strings[0];
    if (!head) return [];
    const quotes = /^[a-zA-Z]{0,2}("""|'''|["'`])/.exec(text.slice(head.start, head.start + 5));
    if (strings.length === 1 && quotes)
      return [{ start: head.start + quotes[0].length, end: head.end - quotes[1]!.length }];
    let line = "";
    for (const { start, end } of strings)
      line = `${line.padEnd(start - head.start)}${text.slice(start, end)}`;
    return [{ start: head.start, end: head.start + line.length, text: line }];
  });
}

/** Code cells: lines that begin with `!` or `%` and `%%bash` cells are shell, the others Python. */
function notebook(file: TextFile): Snippets {
  const root = parseJsonSource(file.text);
  const cells = member(root, "cells");
  if (cells?.type !== "array") return { shell: [], code: [], problem: "not a notebook that can be read" };
  const starts: { text: number; source: JsonNode }[] = [];
  const python: string[] = [];
  const commands: string[] = [];
  let length = 0;
  const add = (text: string, toShell: boolean): void => {
    python.push(toShell ? blank(text) : text);
    commands.push(toShell ? text.replace(/^\s{0,50}(?:!|%%?sx?\b|%)/, blank) : blank(text));
    length += text.length;
  };
  for (const cell of cells.items) {
    const source = member(cell, "source");
    if (stringOf(member(cell, "cell_type")) !== "code" || !source) continue;
    const parts = source.type === "array" ? source.items : [source];
    const bash = /^%%(?:bash|sh|script)\b/.test(stringOf(parts[0]) ?? "");
    for (const part of parts) {
      starts.push({ text: length, source: part });
      for (const line of (stringOf(part) ?? "").split(/(?<=\n)/))
        add(line, bash || /^\s{0,50}[!%]/.test(line));
    }
    add("\n", false);
  }
  const at: Place = (offset, size) => {
    const { text, source } = starts.findLast((s) => s.text <= offset) ?? { text: 0, source: cells };
    return placeIn(
      file,
      Math.min(source.start + 1 + offset - text, Math.max(source.start, source.end - 1)),
      size,
    );
  };
  const cellCode = program(python.join(""), "python", at);
  const magic = withPrograms([shell(commands.join(""), at)]);
  return { shell: [...cellCode.shell, ...magic.shell], code: [...cellCode.code, ...magic.code] };
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

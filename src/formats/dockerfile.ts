import { parseJsonSource } from "./json-source.ts";

/** One instruction of a Dockerfile. */
export interface Instruction {
  /** Upper case. */
  keyword: string;
  /** What follows the keyword, as long as in the file: continued comments are blank, so offsets stay true. */
  body: string;
  /** Where the body begins in the file. */
  offset: number;
  /** Body of a JSON (exec) form with brackets and commas blank, so that a shell reads the same words. */
  exec: string | undefined;
}

/**
 * Splits a Dockerfile into instructions: continuations (also with the escape directive), comments between
 * them, here documents. Linear in the text.
 */
export function dockerInstructions(text: string): Instruction[] {
  const mark = /^#\s{0,9}escape\s{0,9}=\s{0,9}`/im.test(text.slice(0, 500)) ? "`" : "\\";
  const instructions: Instruction[] = [];
  const lines = linesOf(text);
  for (let i = 0; i < lines.length; i += 1) {
    const { start, line } = lines[i]!;
    const match = /^[ \t]{0,200}([A-Za-z]{2,20})(?=[ \t]|$)/.exec(line);
    if (!match) continue;
    const keywordEnd = match[0].length;
    const parts = [line.slice(keywordEnd)];
    while (continues(parts.at(-1)!, mark) && i + 1 < lines.length) {
      parts[parts.length - 1] = withBackslash(parts.at(-1)!);
      i += 1;
      while (i + 1 < lines.length && /^[ \t]{0,200}(?:#|\r?$)/.test(lines[i]!.line)) {
        // A comment or an empty line inside a continuation is left out, its line end too.
        parts.push(`${" ".repeat(Math.max(0, lines[i]!.line.length - 1))}\\`.slice(0, lines[i]!.line.length));
        if (lines[i]!.line.length === 0) parts[parts.length - 1] = "\0";
        i += 1;
      }
      parts.push(lines[i]!.line);
    }
    if (/^(?:run|copy|add)$/i.test(match[1]!)) {
      for (const delimiter of hereDelimiters(parts.join("\n"))) {
        // Without its delimiter the rest of the file belongs to it, as Docker reads it.
        while (i + 1 < lines.length) {
          i += 1;
          parts.push(lines[i]!.line);
          if (lines[i]!.line.trim() === delimiter) break;
        }
      }
    }
    // "\0" stands for the line end that an empty continued line loses.
    const body = parts
      .join("\n")
      .replaceAll("\0\n", "\0")
      .slice(0, text.length - start - keywordEnd);
    instructions.push({
      keyword: match[1]!.toUpperCase(),
      body,
      offset: start + keywordEnd,
      exec: execForm(body),
    });
  }
  return instructions;
}

/** Options `--name=value` at the head of a body, with the rest and where it begins in the body. */
export function flagsOf(body: string): { flags: { text: string; at: number }[]; rest: string; at: number } {
  const flags: { text: string; at: number }[] = [];
  let at = body.length - body.trimStart().length;
  while (body.startsWith("--", at)) {
    const end = at + (/[\s\\]/.exec(body.slice(at))?.index ?? body.length - at);
    flags.push({ text: body.slice(at, end), at });
    at = end;
    while (at < body.length && /[\s\\\0]/.test(body[at]!)) at += 1;
  }
  return { flags, rest: body.slice(at), at };
}

function continues(line: string, mark: string): boolean {
  return line.trimEnd().endsWith(mark);
}

/** The line with its escape character as a backslash and what follows it blank. */
function withBackslash(line: string): string {
  const trimmed = line.trimEnd();
  return `${trimmed.slice(0, -1)}${" ".repeat(line.length - trimmed.length)}\\`;
}

function hereDelimiters(body: string): string[] {
  const matches = body.slice(0, 65_536).matchAll(/<<-?["']?([A-Za-z_]\w{0,60})["']?/g);
  return [...matches].slice(0, 10).map((match) => match[1]!);
}

function execForm(body: string): string | undefined {
  const start = body.indexOf("[");
  if (start === -1 || body.slice(0, start).trim() !== "") return undefined;
  const node = parseJsonSource(body);
  if (node?.type !== "array") return undefined;
  const blank = [..." ".repeat(body.length)];
  for (const item of node.items)
    if (item.type === "string") for (let i = item.start; i < item.end; i += 1) blank[i] = body[i]!;
  return blank.join("");
}

function linesOf(text: string): { start: number; line: string }[] {
  let start = 0;
  return text.split("\n").map((line) => {
    const found = { start, line };
    start += line.length + 1;
    return found;
  });
}

/** A token of program text; comments and white space are left out. */
export interface Token {
  type: "name" | "string" | "other";
  /** Of a string: its content, undefined where it has parts that are computed. */
  value: string | undefined;
  start: number;
  end: number;
}

/** A call `name(…)` with the tokens of each argument. */
export interface CodeCall {
  /** As written, such as `AutoModel.from_pretrained`; at most the last eight parts. */
  name: string;
  offset: number;
  length: number;
  /** Index range of each argument's tokens, end exclusive. */
  args: { from: number; to: number }[];
}

export interface CodeText {
  tokens: Token[];
  calls: CodeCall[];
  /** Names that are given one plain string and never another. */
  constants: ReadonlyMap<string, string>;
  /** Characters and tokens looked at. */
  steps: number;
}

export type CodeLanguage = "python" | "javascript";

const WORD = /[\p{L}_$][\p{L}\p{N}_$]{0,199}/uy;
const PYTHON_PREFIX = /^(?:[rRbBuUfFtT]|[rR][bBfFtT]|[bBfFtT][rR])$/;
const DEFINES = new Set(["def", "class", "function"]);

/**
 * Finds the calls of a Python or JavaScript text without running or fully parsing it: strings, comments and
 * brackets are told apart, so that a call may span lines and a commented one is not seen. Linear in the text.
 */
export function codeCalls(text: string, language: CodeLanguage): CodeText {
  const { tokens, steps } = tokenize(text, language);
  const calls: CodeCall[] = [];
  const open: { call: CodeCall | undefined; from: number; close: string }[] = [];
  const argument = (to: number): void => {
    const frame = open.at(-1);
    if (frame?.call && to > frame.from) frame.call.args.push({ from: frame.from, to });
    if (frame) frame.from = to + 1;
  };
  tokens.forEach((token, i) => {
    if (token.type !== "other") return;
    if (token.value === "(" || token.value === "[" || token.value === "{") {
      const call = token.value === "(" ? calledName(tokens, i) : undefined;
      if (call) calls.push(call);
      open.push({ call, from: i + 1, close: token.value });
    } else if (token.value === ",") argument(i);
    else if (token.value === ")" || token.value === "]" || token.value === "}") {
      argument(i);
      open.pop();
    }
  });
  // A call whose bracket never closes still counts: the text may be cut off.
  while (open.length > 0) {
    argument(tokens.length);
    open.pop();
  }
  calls.sort((a, b) => a.offset - b.offset);
  return { tokens, calls, constants: constantsOf(text, tokens), steps: steps + tokens.length };
}

/** The plain string that an argument is: literals, concatenated literals, or a name that stands for one. */
export function stringArgument(code: CodeText, from: number, to: number): string | undefined {
  const tokens = code.tokens.slice(from, Math.min(to, from + 20));
  if (tokens.length === 0 || to - from > 20) return undefined;
  if (tokens.every((t) => t.type === "string")) {
    return tokens.some((t) => t.value === undefined) ? undefined : tokens.map((t) => t.value).join("");
  }
  if (tokens.length === 1 && tokens[0]!.type === "name") return code.constants.get(tokens[0]!.value ?? "");
  return undefined;
}

/** The value range of `name=…` (Python) or of `name: …` in an object of the arguments (JavaScript). */
export function keyword(
  code: CodeText,
  call: CodeCall,
  name: string,
): { from: number; to: number } | undefined {
  for (const { from, to } of call.args) {
    const [first, second] = [code.tokens[from], code.tokens[from + 1]];
    if (first?.value === name && first.type === "name" && second?.value === "=" && to > from + 2)
      return { from: from + 2, to };
    if (first?.value !== "{") continue;
    for (let i = from + 1; i < Math.min(to, from + 200); i += 1) {
      const token = code.tokens[i]!;
      if (token.value === name && token.type !== "other" && code.tokens[i + 1]?.value === ":")
        return { from: i + 2, to: i + 3 };
    }
  }
  return undefined;
}

/** The arguments given by position. */
export function positional(code: CodeText, call: CodeCall): { from: number; to: number }[] {
  return call.args.filter(
    ({ from }) => code.tokens[from + 1]?.value !== "=" && code.tokens[from]?.value !== "*",
  );
}

function calledName(tokens: Token[], bracket: number): CodeCall | undefined {
  let first = bracket - 1;
  if (tokens[first]?.type !== "name") return undefined;
  const parts = [tokens[first]!.value];
  for (let hop = 0; hop < 8 && tokens[first - 1]?.value === "."; hop += 1) {
    if (tokens[first - 2]?.type !== "name") break;
    first -= 2;
    parts.unshift(tokens[first]!.value);
  }
  const before = tokens[first - 1];
  if (before?.type === "name" && DEFINES.has(before.value ?? "")) return undefined;
  const start = tokens[first]!.start;
  return { name: parts.join("."), offset: start, length: tokens[bracket - 1]!.end - start, args: [] };
}

function constantsOf(text: string, tokens: Token[]): Map<string, string> {
  const constants = new Map<string, string>();
  const spoiled = new Set<string>();
  const brackets: string[] = [];
  tokens.forEach((token, i) => {
    if (token.type !== "other") return;
    const sign = token.value!;
    if ("([{".includes(sign)) brackets.push(sign);
    else if (")]}".includes(sign)) brackets.pop();
    const [before, value, after] = [tokens[i - 1], tokens[i + 1], tokens[i + 2]];
    // Not a comparison, an arrow, or a keyword argument.
    if (sign !== "=" || "=!<>".includes(before?.type === "other" ? before.value! : " ")) return;
    if (value?.type === "other" && "=>".includes(value.value!)) return;
    if (brackets.length > 0 && brackets.at(-1) !== "{") return;
    // `NAME = "…"`, `NAME: str = "…"`, `NAME += "…"`.
    const name = before?.type === "other" || tokens[i - 2]?.value === ":" ? nameBefore(tokens, i) : before;
    if (name?.type !== "name" || name.value === undefined) return;
    const alone =
      value && (!after || after.value === ";" || text.slice(value.end, after.start).includes("\n"));
    const plain = before?.type === "name" && value?.type === "string" && value.value !== undefined && alone;
    const known = constants.get(name.value);
    if (!plain || (known !== undefined && known !== value.value)) spoiled.add(name.value);
    else constants.set(name.value, value.value!);
  });
  for (const name of spoiled) constants.delete(name);
  return constants;
}

function nameBefore(tokens: Token[], equals: number): Token | undefined {
  return tokens[equals - 2]?.value === ":" ? tokens[equals - 3] : tokens[equals - 2];
}

function tokenize(text: string, language: CodeLanguage): { tokens: Token[]; steps: number } {
  const tokens: Token[] = [];
  const python = language === "python";
  let steps = 0;
  let at = 0;
  const until = (mark: string, from: number): number => {
    const found = text.indexOf(mark, from);
    const end = found === -1 ? text.length : found;
    steps += end - from;
    return end;
  };
  while (at < text.length) {
    steps += 1;
    const char = text[at]!;
    if (char === " " || char === "\n" || char === "\t" || char === "\r" || char === "\0") at += 1;
    else if (python && char === "#") at = until("\n", at);
    else if (!python && char === "/" && text[at + 1] === "/") at = until("\n", at);
    else if (!python && char === "/" && text[at + 1] === "*") at = until("*/", at + 2) + 2;
    else if (!python && char === "/" && startsExpression(tokens.at(-1))) {
      const end = regexEnd(text, at);
      steps += 1;
      if (end > at) tokens.push({ type: "other", value: "/…/", start: at, end });
      at = end > at ? end : at + 1;
    } else if (char === '"' || char === "'" || (!python && char === "`")) {
      const last = tokens.at(-1);
      const prefix =
        python && last?.type === "name" && last.end === at && PYTHON_PREFIX.test(last.value ?? "")
          ? tokens.pop()
          : undefined;
      const quote = python && text.startsWith(char.repeat(3), at) ? char.repeat(3) : char;
      const multiline = quote.length === 3 || quote === "`";
      let end = at + quote.length;
      let content = "";
      let piece = end;
      for (; end < text.length && !text.startsWith(quote, end); end += 1) {
        steps += 1;
        if (!multiline && text[end] === "\n") break;
        if (text[end] !== "\\") continue;
        content += text.slice(piece, end);
        piece = end + 1;
        end += 1;
      }
      content += text.slice(piece, end);
      const computed =
        quote === "`" ? content.includes("${") : /[fFtT]/.test(prefix?.value ?? "") && content.includes("{");
      const start = prefix?.start ?? at;
      at = Math.min(text.length, text[end] === "\n" && !multiline ? end : end + quote.length);
      tokens.push({ type: "string", value: computed ? undefined : content, start, end: at });
    } else {
      WORD.lastIndex = at;
      const word = WORD.exec(text)?.[0];
      tokens.push({
        type: word === undefined ? "other" : "name",
        value: word ?? char,
        start: at,
        end: at + (word ?? char).length,
      });
      at += (word ?? char).length;
    }
  }
  return { tokens, steps };
}

/** True where a `/` begins a regular expression rather than a division. */
function startsExpression(before: Token | undefined): boolean {
  if (!before) return true;
  if (before.type === "name") return before.value === "return" || before.value === "typeof";
  return before.type === "other" && before.value !== ")" && before.value !== "]" && before.value !== "}";
}

/** The place behind a regular expression on one line of at most 500 characters, or `at`. */
function regexEnd(text: string, at: number): number {
  let inClass = false;
  const far = Math.min(text.length, at + 500);
  for (let i = at + 1; i < far; i += 1) {
    const char = text[i];
    if (char === "\n") return at;
    if (char === "\\") i += 1;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return i + 1;
  }
  return at;
}

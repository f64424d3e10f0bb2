/** A word of a command after quotes are removed and known variables put in. */
export interface ShellWord {
  /** What the shell would see; unknown expansions stand as written. */
  text: string;
  /** True where a part of it is not known before the script runs. */
  dynamic: boolean;
  offset: number;
  length: number;
}

/** A simple command. Nested ones (`$(…)`, `sh -c '…'`, here documents of shells) are commands of their own. */
export interface ShellCommand {
  /** The words, without leading assignments. */
  words: ShellWord[];
  offset: number;
  end: number;
  /** The operator behind it. */
  after: string;
  /** Here documents and here strings. */
  input: { text: string; offset: number }[];
  /** Files read by `<`. */
  reads: ShellWord[];
  /** Files written by `>` and `>>`. */
  writes: ShellWord[];
  previous?: ShellCommand;
  next?: ShellCommand;
}

export interface ShellScript {
  commands: ShellCommand[];
  /** Characters looked at, so that a test can see that the work grows with the text and not with its square. */
  steps: number;
}

/** Longest value that a variable hands on: doubling assignments must not grow without bound. */
const MAX_VALUE = 512;
const MAX_NESTING = 24;
const NAME = /[A-Za-z_][A-Za-z0-9_]{0,99}/y;
const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]{0,99})\+?=/;
const SHELLS = new Set(["sh", "bash", "zsh", "dash", "ksh", "ash"]);
const KEYWORDS = new Set(["if", "then", "elif", "else", "do", "while", "until", "!", "{", "time", "exec"]);
const WRAPPERS = new Set(["sudo", "env", "command", "nohup", "xargs", "timeout", "retry", "nice", "doas"]);
const DECLARATIONS = new Set(["export", "readonly", "local", "declare", "typeset"]);

/**
 * Splits a shell text into its simple commands: quotes, comments, continuations, substitutions, here documents.
 * It follows assignments of plain values and nothing else: no branches, loops or functions. Linear in the text.
 * NUL characters are skipped, as bash does.
 *
 * @param variables values known beforehand, such as a Dockerfile's ARG defaults
 */
export function shellCommands(text: string, variables: ReadonlyMap<string, string> = new Map()): ShellScript {
  const lexer = new Lexer(text, new Map(variables));
  lexer.list(0, text.length, "", 0);
  lexer.commands.sort((a, b) => a.offset - b.offset);
  return { commands: lexer.commands, steps: lexer.steps };
}

/** The program of a command, as a base name, with its arguments; wrappers such as `sudo` and `env` are left out. */
export function programOf(command: ShellCommand): { name: string; args: ShellWord[] } | undefined {
  let { words } = command;
  for (let i = 0; i < 8; i += 1) {
    const first = words[0]?.text ?? "";
    if (KEYWORDS.has(first)) words = words.slice(1);
    else if (WRAPPERS.has(basename(first))) {
      let skip = 1;
      while (skip < words.length && /^(?:-|[A-Za-z_][A-Za-z0-9_]{0,99}=|[0-9])/.test(words[skip]!.text))
        skip += 1;
      words = words.slice(skip);
    } else break;
  }
  const [first, ...args] = words;
  return first && { name: basename(first.text).replace(/\.exe$/, ""), args };
}

export function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

interface Builder {
  text: string;
  dynamic: boolean;
  start: number;
  /** Quote of a word that is one quoted string, and where its content stands. */
  quoted?: { from: number; to: number };
  pieces: number;
}

interface State {
  command: ShellCommand | undefined;
  word: Builder | undefined;
  /** What the word being read will be. */
  target: "word" | "write" | "read" | "here" | "heredoc";
  /** Quoted scripts of `sh -c`. */
  inner: { from: number; to: number }[];
  pending: { delimiter: string; command: ShellCommand }[];
}

class Lexer {
  readonly commands: ShellCommand[] = [];
  steps = 0;
  private readonly text: string;
  private readonly variables: Map<string, string>;

  constructor(text: string, variables: Map<string, string>) {
    this.text = text;
    this.variables = variables;
  }

  /** Reads commands from `at` up to the terminator or `limit`; gives the place behind it. */
  list(at: number, limit: number, terminator: string, depth: number): number {
    const { text } = this;
    const now: State = { command: undefined, word: undefined, target: "word", inner: [], pending: [] };
    let previous: ShellCommand | undefined;
    let brackets = 0;

    const open = (): ShellCommand => {
      now.command ??= { words: [], offset: at, end: at, after: "", input: [], reads: [], writes: [] };
      return now.command;
    };
    const begin = (): Builder => {
      now.word ??= { text: "", dynamic: false, start: at, pieces: 0 };
      now.word.pieces += 1;
      return now.word;
    };
    const endWord = (): void => {
      const { word, target } = now;
      if (!word) return;
      const done: ShellWord = {
        text: word.text,
        dynamic: word.dynamic,
        offset: word.start,
        length: at - word.start,
      };
      const owner = open();
      if (owner.words.length + owner.reads.length + owner.writes.length === 0)
        owner.offset = Math.min(owner.offset, word.start);
      if (target === "write") owner.writes.push(done);
      else if (target === "read") owner.reads.push(done);
      else if (target === "here") owner.input.push({ text: done.text, offset: done.offset });
      else if (target === "heredoc") now.pending.push({ delimiter: done.text, command: owner });
      else if (!this.assign(owner, done)) {
        owner.words.push(done);
        if (word.quoted && word.pieces === 1 && owner.words.length > 2) {
          const flag = owner.words.at(-2)!.text;
          if (/^-[a-z]{0,4}c$/.test(flag) && SHELLS.has(programOf(owner)?.name ?? ""))
            now.inner.push(word.quoted);
        }
      }
      now.word = undefined;
      now.target = "word";
    };
    const endCommand = (operator: string): void => {
      endWord();
      const { command, inner } = now;
      if (!command) return;
      command.after = operator;
      command.end = at;
      if (previous) {
        command.previous = previous;
        previous.next = command;
      }
      this.commands.push(command);
      previous = command;
      now.command = undefined;
      now.inner = [];
      if (depth < MAX_NESTING) for (const { from, to } of inner) this.list(from, to, "", depth + 8);
    };

    while (at < limit) {
      this.steps += 1;
      const char = text[at]!;
      if (char === "\0") at += 1;
      else if (char === terminator && brackets === 0) {
        endCommand(terminator);
        return at + 1;
      } else if (char === "\\") {
        if (text[at + 1] === "\n") at += 2;
        else if (text[at + 1] === "\r" && text[at + 2] === "\n") at += 3;
        else {
          begin().text += text[at + 1] ?? "";
          at += 2;
        }
      } else if (char === "'") {
        const close = this.find("'", at + 1, limit);
        const builder = begin();
        builder.text += text.slice(at + 1, close);
        builder.quoted = { from: at + 1, to: close };
        at = close + 1;
      } else if (char === '"') {
        const builder = begin();
        const from = at + 1;
        at = this.doubleQuoted(builder, from, limit, depth);
        builder.quoted = { from, to: Math.max(from, at - 1) };
      } else if (char === "$") at = this.expansion(begin(), at, limit, depth);
      else if (char === "`") {
        const builder = begin();
        builder.dynamic = true;
        const start = at;
        at = depth < MAX_NESTING ? this.list(at + 1, limit, "`", depth + 1) : at + 1;
        builder.text += text.slice(start, Math.min(at, start + MAX_VALUE));
      } else if (char === "\n") {
        endCommand("\n");
        at += 1;
        while (now.pending.length > 0 && at < limit) {
          const { delimiter, command: owner } = now.pending.shift()!;
          at = this.hereDocument(owner, delimiter, at, limit, depth);
        }
      } else if (char === " " || char === "\t" || char === "\r") {
        endWord();
        at += 1;
      } else if (char === "#" && !now.word) at = this.find("\n", at, limit);
      else if ((char === "<" || char === ">") && text[at + 1] === "(") {
        const builder = begin();
        builder.dynamic = true;
        const start = at;
        at = depth < MAX_NESTING ? this.list(at + 2, limit, ")", depth + 1) : at + 2;
        builder.text += text.slice(start, Math.min(at, start + MAX_VALUE));
      } else if (char === "<" || char === ">") {
        if (now.word && /^[0-9]{1,3}$/.test(now.word.text)) now.word = undefined;
        endWord();
        open();
        if (text.startsWith("<<<", at)) [now.target, at] = ["here", at + 3];
        else if (text.startsWith("<<", at))
          [now.target, at] = ["heredoc", at + (text[at + 2] === "-" ? 3 : 2)];
        else {
          now.target = char === ">" ? "write" : "read";
          at += 1;
          while (text[at] === ">" || text[at] === "&" || text[at] === "|") at += 1;
        }
      } else if (char === "&" && text[at + 1] === ">") {
        endWord();
        at += 1;
      } else if (char === ";" || char === "&" || char === "|" || char === "(" || char === ")") {
        const operator = (char === "&" || char === "|") && text[at + 1] === char ? char + char : char;
        if (char === "(") brackets += 1;
        else if (char === ")") brackets = Math.max(0, brackets - 1);
        endCommand(operator);
        at += operator.length;
      } else {
        begin().text += char;
        at += 1;
      }
    }
    at = limit;
    endCommand("");
    return limit;
  }

  /** Remembers an assignment; false when the word is none. */
  private assign(command: ShellCommand, word: ShellWord): boolean {
    const name = ASSIGNMENT.exec(word.text)?.[1];
    if (name === undefined) return false;
    const first = command.words[0]?.text;
    if (command.words.length > 0 && !DECLARATIONS.has(first!)) return false;
    const value = word.text.slice(word.text.indexOf("=") + 1);
    if (word.dynamic || value.length > MAX_VALUE || word.text[name.length] === "+")
      this.variables.delete(name);
    else this.variables.set(name, value);
    return command.words.length === 0;
  }

  private doubleQuoted(word: Builder, start: number, limit: number, depth: number): number {
    const { text } = this;
    let at = start;
    while (at < limit) {
      this.steps += 1;
      const char = text[at]!;
      if (char === '"') return at + 1;
      if (char === "\\") {
        const next = text[at + 1] ?? "";
        if (next !== "\n") word.text += '"\\$`'.includes(next) ? next : `\\${next}`;
        at += 2;
      } else if (char === "$") at = this.expansion(word, at, limit, depth);
      else if (char === "`" && depth < MAX_NESTING) {
        word.dynamic = true;
        at = this.list(at + 1, limit, "`", depth + 1);
      } else {
        word.text += char;
        at += 1;
      }
    }
    return limit;
  }

  /** `$name`, `${name…}`, `$(…)`, `$((…))`; gives the place behind it. */
  private expansion(word: Builder, at: number, limit: number, depth: number): number {
    const { text } = this;
    const next = text[at + 1];
    if (next === "(") {
      word.dynamic = true;
      const start = at;
      const end =
        text[at + 2] === "("
          ? this.balanced(at + 1, limit, "(", ")")
          : depth < MAX_NESTING
            ? this.list(at + 2, limit, ")", depth + 1)
            : at + 2;
      word.text += text.slice(start, Math.min(end, start + MAX_VALUE));
      return end;
    }
    if (next === "{") {
      const end = this.balanced(at + 1, limit, "{", "}");
      NAME.lastIndex = at + 2;
      const name = NAME.exec(text)?.[0] ?? "";
      const rest = text.slice(at + 2 + name.length, end - 1);
      const value = this.variables.get(name);
      if (name !== "" && value !== undefined && (rest === "" || /^:?[-?]/.test(rest))) {
        this.append(word, value);
        return end;
      }
      word.dynamic = true;
      if (name !== "" && /^:?-/.test(rest) && !rest.includes("$")) {
        this.append(word, rest.slice(rest.indexOf("-") + 1).replaceAll('"', ""));
      } else this.append(word, text.slice(at, end));
      return end;
    }
    NAME.lastIndex = at + 1;
    const name = NAME.exec(text)?.[0];
    if (name === undefined) {
      word.text += "$";
      if (next !== undefined && /[0-9@*?#!$-]/.test(next)) {
        word.dynamic = true;
        word.text += next;
        return at + 2;
      }
      return at + 1;
    }
    const value = this.variables.get(name);
    if (value === undefined) word.dynamic = true;
    this.append(word, value ?? `$${name}`);
    return at + 1 + name.length;
  }

  private append(word: Builder, value: string): void {
    if (word.text.length + value.length > 8 * MAX_VALUE) word.dynamic = true;
    else word.text += value;
  }

  /** The place behind the bracket that closes the one at `at`, looking 400 characters far. */
  private balanced(at: number, limit: number, left: string, right: string): number {
    let level = 0;
    const far = Math.min(limit, at + 400);
    for (let i = at; i < far; i += 1) {
      this.steps += 1;
      if (this.text[i] === left) level += 1;
      else if (this.text[i] === right) {
        level -= 1;
        if (level === 0) return i + 1;
      }
    }
    return at + 1;
  }

  private hereDocument(
    owner: ShellCommand,
    delimiter: string,
    at: number,
    limit: number,
    depth: number,
  ): number {
    const { text } = this;
    let line = at;
    while (line < limit) {
      const end = this.find("\n", line, limit);
      // Indentation is let through: the text may be a block inside YAML.
      if (text.slice(line, end).trim() === delimiter) {
        this.hereBody(owner, at, line, depth);
        return Math.min(limit, end + 1);
      }
      line = end + 1;
    }
    this.hereBody(owner, at, limit, depth);
    return limit;
  }

  private hereBody(owner: ShellCommand, from: number, to: number, depth: number): void {
    owner.input.push({ text: this.text.slice(from, to), offset: from });
    const program = programOf(owner);
    if ((!program || SHELLS.has(program.name)) && depth < MAX_NESTING) this.list(from, to, "", depth + 8);
  }

  /** The place of a character, or the limit; never looks beyond it. */
  private find(char: string, from: number, limit: number): number {
    let at = from;
    while (at < limit && this.text[at] !== char) at += 1;
    this.steps += at - from + 1;
    return Math.min(at, limit);
  }
}

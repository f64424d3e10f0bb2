import type { Json } from "./canonical-json.ts";

/** What `parseStrictJson` accepts at most. */
export interface JsonLimits {
  /** Size of the text in UTF-8 bytes; 16 MiB when not given. */
  maxBytes?: number;
  /** Levels of arrays and objects; 64 when not given. The parser recurses: keep it below a few thousand. */
  maxDepth?: number;
  /** Values, those inside of others included; no limit when not given. Each takes memory beside the text. */
  maxNodes?: number;
}

/** The text is not the JSON that `parseStrictJson` accepts. */
export class JsonSyntaxError extends Error {
  /** Index into the text, in UTF-16 code units. */
  readonly offset: number;
  /** From 1; a line ends at a line feed. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
  /** What is wrong, without the place. May quote the text: pass it through `safeText` before a terminal. */
  readonly reason: string;
  override readonly name = "JsonSyntaxError";

  constructor(reason: string, text: string, offset: number) {
    let line = 1;
    let lineStart = 0;
    for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", lineStart)) {
      line += 1;
      lineStart = at + 1;
    }
    super(`${reason} (line ${line}, column ${offset - lineStart + 1})`);
    this.offset = offset;
    this.line = line;
    this.column = offset - lineStart + 1;
    this.reason = reason;
  }
}

/**
 * Parses one JSON text of unknown origin, strictly (RFC 8259 with the demands of I-JSON, RFC 7493), so that no
 * other reader of the same bytes can see something else. Refused beyond plain syntax errors: duplicate keys
 * (compared after escapes), lone surrogates raw or as \u escapes, a byte order mark, text after the value,
 * too much nesting, text or values, integers outside ±(2^53 - 1), and any number whose decimal value is not the one
 * that its double prints as (`1e400`, `0.1000000000000000055`). `1.50`, `1e2` and `-0` are read as 1.5, 100, 0.
 * Noncharacters such as U+FFFE are kept, against RFC 7493 §2.1: file names contain them.
 *
 * Objects are plain; a key `__proto__` is an own property like any other. Time is linear in the text.
 * Throws JsonSyntaxError; TypeError when `text` is not a string.
 */
export function parseStrictJson(text: string, limits: JsonLimits = {}): Json {
  if (typeof text !== "string") throw new TypeError("parseStrictJson wants a string");
  const { maxDepth = 64, maxNodes = Number.POSITIVE_INFINITY, maxBytes = 16 * 1024 * 1024 } = limits;
  return new Scanner(text, maxDepth, maxNodes).document(maxBytes);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const HEX4 = /[0-9a-fA-F]{4}/y;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/** A recursive-descent reader: JSON.parse keeps the last of two equal keys and cannot tell. */
class Scanner {
  private readonly text: string;
  private readonly maxDepth: number;
  private readonly maxNodes: number;
  private nodes = 0;
  private at = 0;

  constructor(text: string, maxDepth: number, maxNodes: number) {
    this.text = text;
    this.maxDepth = maxDepth;
    this.maxNodes = maxNodes;
  }

  document(maxBytes: number): Json {
    const { text } = this;
    // A UTF-16 code unit is one to three bytes of UTF-8: count only when it matters.
    if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)) {
      throw this.error(`larger than ${maxBytes} bytes`, 0);
    }
    if (text.charCodeAt(0) === 0xfeff) throw this.error("a byte order mark before the value", 0);
    if (!text.isWellFormed()) throw this.error("a lone surrogate", text.search(/\p{Surrogate}/u));
    const value = this.value(0);
    if (this.at < text.length) throw this.error("text after the value");
    return value;
  }

  /** One value with the white space around it. */
  private value(depth: number): Json {
    const first = this.peek();
    this.nodes += 1;
    if (this.nodes > this.maxNodes) throw this.error(`more than ${this.maxNodes} values`);
    let value: Json;
    if (first === "{") value = this.object(depth + 1);
    else if (first === "[") value = this.array(depth + 1);
    else if (first === '"') value = this.string();
    else if (first === "t") value = this.word("true", true);
    else if (first === "f") value = this.word("false", false);
    else if (first === "n") value = this.word("null", null);
    else value = this.number();
    this.peek();
    return value;
  }

  private object(depth: number): Json {
    if (depth > this.maxDepth) throw this.error(`nesting over ${this.maxDepth}`);
    const object: { [key: string]: Json } = {};
    this.at += 1;
    if (this.taken("}")) return object;
    do {
      if (this.peek() !== '"') throw this.error("expected a key in double quotes");
      const start = this.at;
      const key = this.string();
      if (Object.hasOwn(object, key))
        throw this.error(`duplicate key ${JSON.stringify(key.slice(0, 80))}`, start);
      if (!this.taken(":")) throw this.error("expected ':'");
      const value = this.value(depth);
      // Assigning to `__proto__` would set the prototype: attacker-chosen defaults for every missing key.
      if (key !== "__proto__") object[key] = value;
      else
        Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    } while (this.taken(","));
    if (!this.taken("}")) throw this.error("expected ',' or '}'");
    return object;
  }

  private array(depth: number): Json {
    if (depth > this.maxDepth) throw this.error(`nesting over ${this.maxDepth}`);
    const array: Json[] = [];
    this.at += 1;
    if (this.taken("]")) return array;
    do {
      array.push(this.value(depth));
    } while (this.taken(","));
    if (!this.taken("]")) throw this.error("expected ',' or ']'");
    return array;
  }

  private string(): string {
    const { text } = this;
    const opened = this.at;
    let out = "";
    let start = opened + 1;
    for (let i = start; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      if (code === QUOTE) {
        this.at = i + 1;
        return out + text.slice(start, i);
      }
      if (code < 0x20) throw this.error("a control character in a string", i);
      if (code === BACKSLASH) {
        // Appending makes a rope, flattened once when it is read: linear however many escapes there are.
        out += text.slice(start, i);
        this.at = i;
        out += this.escape();
        start = this.at;
        i = start - 1;
      }
    }
    throw this.error("a string without its closing quote", opened);
  }

  /** One escape sequence, or the two of a surrogate pair. */
  private escape(): string {
    const start = this.at;
    const letter = this.text[start + 1];
    if (letter !== "u") {
      const char = ESCAPES.get(letter ?? "");
      if (char === undefined) throw this.error("an unknown escape in a string");
      this.at += 2;
      return char;
    }
    const unit = this.hex4();
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    // The raw text is well formed, so half a pair can only be completed by another escape.
    if (unit <= 0xdbff && this.text.startsWith("\\u", this.at)) {
      const low = this.hex4();
      if (low >= 0xdc00 && low <= 0xdfff) return String.fromCharCode(unit, low);
    }
    throw this.error("a lone surrogate in an escape", start);
  }

  private hex4(): number {
    HEX4.lastIndex = this.at + 2;
    const match = HEX4.exec(this.text);
    if (match === null) throw this.error("an unknown escape in a string");
    this.at += 6;
    return Number.parseInt(match[0], 16);
  }

  private number(): number {
    NUMBER.lastIndex = this.at;
    const written = NUMBER.exec(this.text)?.[0];
    if (written === undefined)
      throw this.error(this.at < this.text.length ? "expected a value" : "unexpected end");
    const value = Number(written);
    if (!survives(written, value)) throw this.error("a number that a double cannot hold exactly as written");
    this.at += written.length;
    return value === 0 ? 0 : value;
  }

  private word<T extends Json>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.error("expected a value");
    this.at += word.length;
    return value;
  }

  /** Skips white space and gives the next character, "" at the end. */
  private peek(): string {
    const { text } = this;
    for (;;) {
      const code = text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return text.charAt(this.at);
      this.at += 1;
    }
  }

  private taken(char: string): boolean {
    if (this.peek() !== char) return false;
    this.at += 1;
    return true;
  }

  private error(reason: string, offset = this.at): JsonSyntaxError {
    return new JsonSyntaxError(reason, this.text, offset);
  }
}

/** True when the number written and the number printed from its double are the same decimal number. */
function survives(written: string, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  // RFC 7493 §2.2: integers beyond this are not exact everywhere, even where this one happens to be.
  if (!Number.isSafeInteger(value) && /^-?[0-9]+$/.test(written)) return false;
  const printed = String(value);
  return printed === written || decimal(printed) === decimal(written);
}

/** One spelling for each decimal number: its digits without outer zeros, and the power of ten behind them. */
function decimal(number: string): string {
  const [mantissa = "", exponent = "0"] = number.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = whole + fraction;
  let start = 0;
  let end = digits.length;
  // Loops, not /0+$/, which takes quadratic time on long runs of zeros.
  while (start < end && digits[start] === "0") start += 1;
  while (end > start && digits[end - 1] === "0") end -= 1;
  if (start === end) return "0";
  const power = Number(exponent) - fraction.length + (digits.length - end);
  return `${mantissa.startsWith("-") ? "-" : ""}${digits.slice(start, end)}e${power}`;
}

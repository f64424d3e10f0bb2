/** A JSON value with its place in the text: offsets in UTF-16 code units, `end` exclusive. */
export type JsonNode =
  | {
      type: "object";
      start: number;
      end: number;
      entries: { key: string; keyStart: number; value: JsonNode }[];
    }
  | { type: "array"; start: number; end: number; items: JsonNode[] }
  | { type: "string"; start: number; end: number; value: string }
  | { type: "other"; start: number; end: number; value: number | boolean | null };

const MAX_DEPTH = 200;
const SCALAR = /(?:true|false|null|-?[0-9][0-9.eE+-]{0,400})/y;

/**
 * Reads JSON as tools read their settings: comments, trailing commas and a byte order mark are let through, and
 * of duplicate keys all are kept, since different readers take different ones. Time is linear in the text.
 *
 * @returns undefined where the text is not such JSON or nests deeper than 200 levels
 */
export function parseJsonSource(text: string): JsonNode | undefined {
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  const skip = (): void => {
    for (;;) {
      const char = text[at];
      if (char === " " || char === "\n" || char === "\r" || char === "\t") at += 1;
      else if (char === "/" && text[at + 1] === "/") at = lineEnd(text, at);
      else if (char === "/" && text[at + 1] === "*") {
        const close = text.indexOf("*/", at + 2);
        at = close === -1 ? text.length : close + 2;
      } else return;
    }
  };
  const string = (): { start: number; end: number; value: string } | undefined => {
    const start = at;
    for (at += 1; at < text.length && text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1;
    at += 1;
    try {
      const value: unknown = JSON.parse(text.slice(start, at));
      return typeof value === "string" ? { start, end: at, value } : undefined;
    } catch {
      return undefined;
    }
  };
  const value = (depth: number): JsonNode | undefined => {
    if (depth > MAX_DEPTH) return undefined;
    skip();
    const start = at;
    if (text[at] === '"') {
      const found = string();
      return found && { type: "string", ...found };
    }
    if (text[at] === "[") {
      const items: JsonNode[] = [];
      for (at += 1; ; ) {
        skip();
        if (text[at] === "]") break;
        const item = value(depth + 1);
        if (!item) return undefined;
        items.push(item);
        skip();
        if (text[at] === ",") at += 1;
        else if (text[at] !== "]") return undefined;
      }
      at += 1;
      return { type: "array", start, end: at, items };
    }
    if (text[at] === "{") {
      const entries: { key: string; keyStart: number; value: JsonNode }[] = [];
      for (at += 1; ; ) {
        skip();
        if (text[at] === "}") break;
        const key = text[at] === '"' ? string() : undefined;
        skip();
        if (!key || text[at] !== ":") return undefined;
        at += 1;
        const item = value(depth + 1);
        if (!item) return undefined;
        entries.push({ key: key.value, keyStart: key.start, value: item });
        skip();
        if (text[at] === ",") at += 1;
        else if (text[at] !== "}") return undefined;
      }
      at += 1;
      return { type: "object", start, end: at, entries };
    }
    SCALAR.lastIndex = at;
    const word = SCALAR.exec(text)?.[0];
    if (word === undefined) return undefined;
    at += word.length;
    const scalar = word === "true" ? true : word === "false" ? false : word === "null" ? null : Number(word);
    return { type: "other", start, end: at, value: scalar };
  };
  const node = value(0);
  skip();
  return node && at >= text.length ? node : undefined;
}

/** The value under a key of an object, the last of duplicates as JSON.parse takes it. */
export function member(node: JsonNode | undefined, key: string): JsonNode | undefined {
  if (node?.type !== "object") return undefined;
  return node.entries.findLast((entry) => entry.key === key)?.value;
}

/** The text of a string node. */
export function stringOf(node: JsonNode | undefined): string | undefined {
  return node?.type === "string" ? node.value : undefined;
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

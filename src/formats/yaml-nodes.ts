import { isMap, isScalar, isSeq, parseAllDocuments, type Scalar } from "yaml";

/** A scalar of a YAML text: where it stands in the document and in the text. */
export interface YamlScalar {
  /** Keys and list positions that lead to it. */
  path: (string | number)[];
  /** As the text of the value, whatever its type; "" for null. */
  value: string;
  /** Place of the value's characters, quotes and block headers left out. */
  start: number;
  end: number;
  /** `>`: line ends inside are spaces. */
  folded: boolean;
}

/** One document of a YAML stream. */
export interface YamlDocument {
  scalars: YamlScalar[];
  /** Its top-level keys. */
  keys: Set<string>;
}

const MAX_NODES = 200_000;
const MAX_NESTING = 100;

/**
 * Reads the scalars of every document of a YAML stream with their places. Aliases are not followed: what they
 * point at is seen where it is written.
 *
 * @returns undefined where the text is not YAML, nests deeper than 100 levels or has over 200,000 nodes
 */
export function yamlDocuments(text: string): YamlDocument[] | undefined {
  if (tooDeep(text)) return undefined;
  try {
    const parsed = parseAllDocuments(text, { uniqueKeys: false, prettyErrors: false, logLevel: "silent" });
    if (!Array.isArray(parsed)) return [];
    if (parsed.some((document) => document.errors.length > 0)) return undefined;
    const budget = { left: MAX_NODES };
    return parsed.map(({ contents }) => {
      const scalars: YamlScalar[] = [];
      collect(contents, [], text, scalars, budget);
      const keys = isMap(contents) ? contents.items.map((pair) => keyOf(pair.key)) : [];
      return { scalars, keys: new Set(keys) };
    });
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

/** The value of a scalar at exactly a path. */
export function scalarAt(document: YamlDocument, path: readonly (string | number)[]): YamlScalar | undefined {
  return document.scalars.find(
    (scalar) => scalar.path.length === path.length && path.every((step, i) => scalar.path[i] === step),
  );
}

function collect(
  node: unknown,
  path: (string | number)[],
  text: string,
  scalars: YamlScalar[],
  budget: { left: number },
): void {
  budget.left -= 1;
  if (budget.left < 0 || path.length > MAX_NESTING) throw new RangeError("too many YAML nodes");
  if (isMap(node))
    for (const pair of node.items) collect(pair.value, [...path, keyOf(pair.key)], text, scalars, budget);
  else if (isSeq(node))
    node.items.forEach((item, i) => void collect(item, [...path, i], text, scalars, budget));
  else if (isScalar(node)) scalars.push(place(node, path, text));
}

function place(node: Scalar, path: (string | number)[], text: string): YamlScalar {
  let [start, end] = node.range ?? [0, 0];
  if (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED") {
    const header = text.indexOf("\n", start);
    start = header === -1 ? end : Math.min(header + 1, end);
  } else if (node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE") {
    start += 1;
    end -= 1;
  }
  const value = node.value === null || node.value === undefined ? "" : String(node.value);
  return { path, value, start, end, folded: node.type === "BLOCK_FOLDED" };
}

function keyOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : "";
}

/** An upper bound of the nesting, before a recursive parser sees the text. */
function tooDeep(text: string): boolean {
  let flow = 0;
  let dashes = 0;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === "[" || char === "{") flow += 1;
    else if (char === "]" || char === "}") flow = Math.max(0, flow - 1);
    else if (char === "\n") dashes = 0;
    else if (char === "-" || char === "?") dashes += 1;
    else if (char !== " ") dashes = -text.length;
    if (flow > 400 || dashes > MAX_NESTING) return true;
  }
  return false;
}

import { Composer, type Document, isMap, isScalar, isSeq, Parser, type Scalar } from "yaml";

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
const MAX_DOCUMENTS = 2000;

/** The work of one reading, to be looked at by tests. */
export interface YamlWork {
  /** Parts of the text that the parser gave out before it was stopped: lines and documents, about. */
  tokens: number;
}

/**
 * Reads the scalars of every document of a YAML stream with their places. Aliases are not followed: what they
 * point at is seen where it is written. Reading ends at the first mistake.
 *
 * @param work filled in with what was done
 * @returns undefined where the text is not YAML, nests deeper than 100 levels, or has over 200,000 nodes or 2,000
 * documents
 */
export function yamlDocuments(text: string, work: YamlWork = { tokens: 0 }): YamlDocument[] | undefined {
  if (tooDeep(text)) return undefined;
  try {
    const budget = { left: MAX_NODES };
    const documents: YamlDocument[] = [];
    for (const { contents, errors } of parse(text, work)) {
      if (errors.length > 0 || documents.length === MAX_DOCUMENTS) return undefined;
      const scalars: YamlScalar[] = [];
      collect(contents, [], text, scalars, budget);
      const keys = isMap(contents) ? contents.items.map((pair) => keyOf(pair.key)) : [];
      documents.push({ scalars, keys: new Set(keys) });
    }
    return documents;
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

/** The documents one by one, so that whoever has seen enough can stop. A token that is a mistake throws a RangeError. */
function* parse(text: string, work: YamlWork): Generator<Document> {
  const composer = new Composer({ uniqueKeys: false, prettyErrors: false, logLevel: "silent" });
  stopAtFirstError(composer);
  for (const token of new Parser().parse(text)) {
    work.tokens += 1;
    if (token.type === "error") throw new RangeError(token.message);
    yield* composer.next(token) as Generator<Document>;
  }
  yield* composer.end() as Generator<Document>;
}

/**
 * The library goes on after a mistake and makes an Error, with its stack, for each. Its collector of them is a
 * private property: should another version have none of this name, reading is only slower.
 */
function stopAtFirstError(composer: Composer): void {
  const onError = (_source: unknown, _code: string, message: string, isWarning?: boolean): void => {
    if (isWarning !== true) throw new RangeError(message);
  };
  Object.defineProperty(composer, "onError", { value: onError });
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

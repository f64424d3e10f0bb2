import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  type Node,
  Parser,
  visit,
  type YAMLMap,
} from "yaml";
import type { Json } from "./canonical-json.ts";
import { WaybillError } from "./errors.ts";
import type { SourceRange } from "./finding.ts";
import { parseStrictJson } from "./strict-json.ts";

/** Largest YAML text that is read, in bytes. */
export const MAX_YAML_BYTES = 1 << 20;

/** A path into a document: keys and list positions. */
export type DocumentPath = readonly (string | number)[];

/** A YAML text with its data and the places where each value stands. */
export interface YamlSource {
  file: string;
  text: string;
  data: Json;
  /** Range of the value at a path; of its nearest existing parent when it is not there. */
  locate(path: DocumentPath): SourceRange;
}

/** Deepest nesting that is read: a lock puts settings a level deeper and is read to 64. */
const MAX_DEPTH = 60;

/** Characters of a reason that are shown. */
const MAX_REASON = 300;

/**
 * Reads YAML 1.2 (core schema) strictly: one document, keys are strings and stand once, no anchors, aliases,
 * tags, merge keys or directives (two readers may resolve them differently, and they can expand without bound),
 * no number that a double does not hold, no word without quotes that YAML 1.1 takes for something else (`yes`,
 * `1:30`, `1_000`; instants aside), no lone surrogate, at most 60 levels. Linear in the text.
 *
 * @param text the text; at most 1 MiB
 * @param file its name for messages
 * @throws WaybillError WB-INPUT-003 too large, WB-INPUT-005 not such a text, with line and column
 */
export function parseYaml(text: string, file: string): YamlSource {
  if (Buffer.byteLength(text) > MAX_YAML_BYTES)
    throw new WaybillError("WB-INPUT-003", `${file} is larger than 1 MiB`, {
      hint: "a manifest names files, it does not hold them",
    });
  const counter = new LineCounter();
  const fail: Fail = (offset, reason) => {
    const { line, col } = counter.linePos(Math.min(offset, text.length));
    const shown = reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON).toWellFormed()}…` : reason;
    throw new WaybillError("WB-INPUT-005", `${file}:${line || 1}:${col || 1}: ${shown}`, {
      hint: "put the line right; docs/formats/ says what such a file holds",
    });
  };
  // The parser of tokens keeps its own stack, the composer after it recurses: between the two, look how deep.
  const tokens = [...new Parser(counter.addNewLine).parse(text)];
  if (text.includes("\0")) fail(text.indexOf("\0"), "holds a NUL byte: is this a binary file?");
  if (!text.isWellFormed()) fail(text.search(LONE_SURROGATE), "holds half of a character");
  refuseDepth(tokens, fail);
  const document = compose(tokens, text, fail);
  refuseAmbiguity(document, fail);
  const data = (document.contents === null ? null : document.toJS()) as Json;
  return { file, text, data, locate: (path) => locate(document.contents, path, { file, text, counter }) };
}

type Fail = (offset: number, reason: string) => never;

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function refuseDepth(tokens: readonly CST.Token[], fail: Fail): void {
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next; next = open.pop()) {
    const { token, depth } = next;
    if (token.type === "document" && token.value) open.push({ token: token.value, depth });
    if (!("items" in token)) continue;
    if (depth === MAX_DEPTH) fail(token.offset, `nested deeper than ${MAX_DEPTH} levels`);
    for (const item of token.items as readonly CST.CollectionItem[])
      for (const child of [item.key, item.value]) if (child) open.push({ token: child, depth: depth + 1 });
  }
}

function compose(tokens: readonly CST.Token[], text: string, fail: Fail): Document {
  const composer = new Composer({
    // Looked at below: the library's own way compares each key with all before it.
    uniqueKeys: false,
    schema: "core",
    merge: false,
    prettyErrors: false,
    logLevel: "silent",
  });
  const [document, second] = [...composer.compose(tokens, true, text.length)];
  const problem = document!.errors[0] ?? document!.warnings[0];
  if (problem) fail(problem.pos[0], problem.message.toLowerCase().replace(/\s+/g, " "));
  if (second) fail(second.range[0], "a second document: there is one in a file");
  if (document!.directives?.yaml.explicit) fail(0, "a directive: this is YAML 1.2 without any");
  return document as Document;
}

/** Refuses what is well formed and yet may be read in two ways. */
function refuseAmbiguity(document: Document, fail: Fail): void {
  visit(document, (_key, node) => {
    if (!isNode(node)) return;
    const at = node.range?.[0] ?? 0;
    if (isAlias(node)) return fail(at, "an alias: write the value out");
    if ("anchor" in node && node.anchor) fail(at, "an anchor: write the value out");
    if (node.tag) fail(at, `the tag ${node.tag}: write the value without one`);
    if (isScalar(node)) {
      const problem =
        valueProblem(node.value, node.source) ??
        (node.type === "PLAIN" ? olderProblem(node.value, node.source) : undefined);
      if (problem) fail(at, problem);
    }
    if (isMap(node)) refuseKeys(node, fail);
  });
}

function refuseKeys(map: YAMLMap, fail: Fail): void {
  const seen = new Set<string>();
  for (const { key } of map.items) {
    const at = (isNode(key) ? key.range?.[0] : undefined) ?? map.range?.[0] ?? 0;
    const name = isScalar(key) ? key.value : undefined;
    if (typeof name !== "string") throw fail(at, "a key that is no string: put it in quotes");
    if (seen.has(name)) fail(at, `the key ${name} stands twice`);
    seen.add(name);
    if (name === "__proto__") fail(at, "a key that some readers drop: __proto__");
    if (name === "<<") fail(at, "a key that some readers merge: <<");
  }
}

function valueProblem(value: unknown, source = ""): string | undefined {
  if (typeof value === "string" && !value.isWellFormed()) return "holds half of a character";
  if (typeof value !== "number") return undefined;
  if (!Number.isFinite(value)) return "not a finite number";
  if (/^[-+]?0[0-9]/.test(source)) return "a number that some readers take for octal: put it in quotes";
  if (/^0[xo]/.test(source) ? Number.isSafeInteger(value) : isExact(source)) return undefined;
  return "a number that not every reader holds: put it in quotes";
}

/** What YAML 1.1 (yaml.org/type) takes for a truth value or a number and YAML 1.2 for text, or the other way round. */
const OLDER_WORD = /^(?:y|yes|n|no|on|off|=)$/i;
const OLDER_NUMBER = new RegExp(
  [
    "[-+]?0b[01_]+",
    "[-+]?0x[0-9a-fA-F_]+",
    "[-+]?[0-9][0-9_]*",
    "[-+]?[0-9][0-9_]*\\.[0-9_]*(?:[eE][-+][0-9]+)?",
    "[-+]?\\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?",
    "[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\\.[0-9_]*)?",
  ]
    .map((form) => `^${form}$`)
    .join("|"),
);

/** Instants are text in YAML 1.2 and dates in 1.1: no reader takes one for another instant, so they may stand bare. */
function olderProblem(value: unknown, source = ""): string | undefined {
  if (typeof value === "string") {
    if (OLDER_WORD.test(value))
      return `${value}, which some readers take for true, false or nothing: put it in quotes`;
    if (OLDER_NUMBER.test(value)) return "a text that some readers take for a number: put it in quotes";
  }
  if (typeof value === "number") {
    if (source.startsWith("+")) return "a number with a plus sign: write it without, or put it in quotes";
    if (!OLDER_NUMBER.test(source))
      return "a number that some readers take for text: write it out, or put it in quotes";
  }
  return undefined;
}

/** True for a decimal number that JSON gives back as it is, by the rule of `parseStrictJson`. */
function isExact(source: string): boolean {
  try {
    const json = source
      .replace("+", "")
      .replace(/^(-?)\./, "$10.")
      .replace(/\.(?![0-9])/, "");
    return typeof parseStrictJson(json) === "number";
  } catch {
    return false;
  }
}

function locate(
  root: Node | null,
  path: DocumentPath,
  at: { file: string; text: string; counter: LineCounter },
): SourceRange {
  let node: unknown = root;
  let found: Node | null = root;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === String(key));
      if (!pair) break;
      node = pair.value ?? pair.key;
    } else if (isNode(node) && "items" in node) node = (node.items as unknown[])[Number(key)];
    else break;
    if (isNode(node)) found = node;
    else break;
  }
  const start = found?.range?.[0] ?? 0;
  const end = found?.range?.[1] ?? start;
  const { line, col } = at.counter.linePos(start);
  const eol = at.text.indexOf("\n", start);
  const lineEnd = Math.min(end, eol === -1 ? at.text.length : eol);
  return {
    file: at.file,
    line: line || 1,
    column: col || 1,
    length: Math.max(1, at.text.slice(start, lineEnd).trimEnd().length),
  };
}

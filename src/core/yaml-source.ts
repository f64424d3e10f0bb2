import { isAlias, isMap, isNode, isPair, isScalar, LineCounter, type Node, parseDocument, visit } from "yaml";
import type { Json } from "./canonical-json.ts";
import { WaybillError } from "./errors.ts";
import type { SourceRange } from "./finding.ts";

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

/**
 * Reads YAML 1.2 (core schema) strictly: no duplicate keys, no anchors, aliases or tags (two readers may
 * resolve them differently, and they can expand without bound), keys are strings, one document.
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
  const fail = (offset: number, reason: string): never => {
    const { line, col } = counter.linePos(Math.min(offset, text.length));
    throw new WaybillError("WB-INPUT-005", `${file}:${line || 1}:${col || 1}: ${reason}`, {
      hint: "put the line right; `waybill init --print` shows a well-formed manifest",
    });
  };
  if (text.includes("\0")) fail(text.indexOf("\0"), "holds a NUL byte: is this a binary file?");
  const depth = nestingDepth(text);
  if (depth > 64) fail(0, "nested deeper than 64 levels");
  const document = parseDocument(text, {
    lineCounter: counter,
    uniqueKeys: true,
    schema: "core",
    merge: false,
    stringKeys: true,
    prettyErrors: false,
    logLevel: "silent",
  });
  const error = document.errors[0];
  if (error) fail(error.pos[0], error.message.toLowerCase().replace(/\s+/g, " "));
  const warning = document.warnings[0];
  if (warning) fail(warning.pos[0], warning.message.toLowerCase().replace(/\s+/g, " "));
  visit(document, (_key, node) => {
    if (isAlias(node)) fail(node.range?.[0] ?? 0, "an alias: write the value out");
    if (isNode(node) && "anchor" in node && node.anchor)
      fail(node.range?.[0] ?? 0, "an anchor: write the value out");
    if (isNode(node) && node.tag && !node.tag.startsWith("tag:yaml.org,2002:"))
      fail(node.range?.[0] ?? 0, `the tag ${node.tag} is not understood`);
    if (isPair(node) && isScalar(node.key) && node.key.value === "__proto__")
      fail(node.key.range?.[0] ?? 0, "a key that some readers drop: __proto__");
    if (isScalar(node) && typeof node.value === "number" && !Number.isFinite(node.value))
      fail(node.range?.[0] ?? 0, "not a finite number");
  });
  const data = (document.contents === null ? null : document.toJS()) as Json;
  return { file, text, data, locate: (path) => locate(document.contents, path, { file, text, counter }) };
}

/** Upper bound of the nesting, by indentation and brackets, before the recursive parser sees the text. */
function nestingDepth(text: string): number {
  let flow = 0;
  let deepest = 0;
  let dashes = 0;
  for (const char of text) {
    if (char === "[" || char === "{") flow += 1;
    else if (char === "]" || char === "}") flow = Math.max(0, flow - 1);
    if (char === "\n") dashes = 0;
    else if (char === "-" || char === "?") dashes += 1;
    else if (char !== " ") dashes = dashes > 0 ? -1_000_000 : dashes;
    deepest = Math.max(deepest, flow, dashes);
  }
  return deepest;
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

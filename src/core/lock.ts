import { z } from "zod";
import { canonicalJson, type Json } from "./canonical-json.ts";
import { type ComponentLeaf, compareComponents, digestProblem, KINDS } from "./component.ts";
import { compareUtf8, type Digest } from "./digest.ts";
import { WaybillError } from "./errors.ts";
import { makeRelease, type Release } from "./release.ts";
import { type Settings, settingsDigest } from "./settings.ts";
import { JsonSyntaxError, parseStrictJson } from "./strict-json.ts";
import { pathProblem, type TreeLeaf } from "./tree.ts";

export const LOCK_FILE = "waybill.lock";
export const LOCK_TYPE = "urn:waybill:lock:v1";

/** Largest lock that is read, in bytes. */
export const MAX_LOCK_BYTES = 256 << 20;

/** JSON values at most: those of the files (six each) and a million of all else; no more than that in all. */
const MAX_OTHER_VALUES = 1_000_000;
const MAX_VALUES = 12_000_000;

/** Largest settings, as the lock writes them, in UTF-16 code units. */
const MAX_SETTINGS = 2 << 20;

/** Files of a component, components, and names in `also`, at most. */
const MAX_FILES = 1_000_000;
const MAX_COMPONENTS = 1000;
const MAX_ALSO = 64;

/** A component as the lock records it: its leaf, its files, and the document that it digests where it has one. */
export interface LockedComponent {
  leaf: ComponentLeaf;
  files: TreeLeaf[];
  /** Kinds whose digest is that of a document (tool) keep it here. */
  document?: { [key: string]: Json };
}

/** The content of `waybill.lock` (docs/formats/lock.md). */
export interface Lock {
  type: typeof LOCK_TYPE;
  agent: string;
  /** `sha256:` and the release digest; derived, and checked against the rest. */
  release: Digest;
  settings: Settings;
  components: LockedComponent[];
}

const hex = z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hex digits");
const size = z.int().min(0);
const treePath = z
  .string()
  .max(4096)
  .superRefine((value, ctx) => {
    const problem = pathProblem(value);
    if (problem) ctx.addIssue({ code: "custom", message: `path is ${problem}` });
  });

const treeLeaf = z.union([
  z.strictObject({ path: treePath, size, sha256: hex, executable: z.boolean(), chunks: hex.exactOptional() }),
  z.strictObject({ path: treePath, link: z.string().min(1).max(4096) }),
]);

const digest = z.string().superRefine((value, ctx) => {
  const problem = digestProblem(value);
  if (problem) ctx.addIssue({ code: "custom", message: problem });
});

export const lockSchema = z.strictObject({
  type: z.literal(LOCK_TYPE),
  agent: z.string().min(1).max(64),
  release: digest,
  settings: z.record(z.string(), z.json()),
  components: z
    .array(
      z.strictObject({
        leaf: z.strictObject({
          kind: z.enum(KINDS),
          name: z.string().min(1).max(64),
          mediaType: z.string().min(1).max(255),
          digest,
          size,
          origin: z.string().max(2048).exactOptional(),
          also: z
            .record(z.string().regex(/^[a-z0-9][a-z0-9+._-]{0,63}$/), z.string().max(256))
            .refine((also) => Object.keys(also).length > 0, "an empty `also`")
            .exactOptional(),
        }),
        files: z.array(treeLeaf).max(MAX_FILES),
        document: z.record(z.string(), z.json()).exactOptional(),
      }),
    )
    .min(1)
    .max(MAX_COMPONENTS),
});

/**
 * Makes a lock out of what was pinned; the release digest is derived here and nowhere else.
 *
 * @throws RangeError for no component or two of one kind and name
 */
export function makeLock(agent: string, settings: Settings, components: LockedComponent[]): Lock {
  const sorted = components
    .toSorted((a, b) => compareComponents(a.leaf, b.leaf))
    .map((c) => ({ ...c, files: c.files.toSorted((a, b) => compareUtf8(a.path, b.path)) }));
  const release = makeRelease(
    agent,
    sorted.map((c) => c.leaf),
    settingsDigest(settings),
  );
  return { type: LOCK_TYPE, agent, release: `sha256:${release.digest}`, settings, components: sorted };
}

/** The release that a lock's contents make, whatever its `release` field says. */
export function releaseOf(lock: Lock): Release {
  return makeRelease(
    lock.agent,
    lock.components.map((c) => c.leaf),
    settingsDigest(lock.settings),
  );
}

/**
 * The bytes of a lock: one line a file and a leaf so that `git diff` shows what changed, each line RFC 8785,
 * settings indented by two spaces with sorted keys, a newline at the end.
 */
export function encodeLock(lock: Lock): string {
  const settings = indented(lock.settings, "  ");
  const components = lock.components.map((component) => {
    const lines = component.files.map((leaf) => `        ${canonicalJson(leaf as unknown as Json)}`);
    const files = lines.length === 0 ? "[]" : `[\n${lines.join(",\n")}\n      ]`;
    const document =
      component.document === undefined ? "" : `,\n      "document": ${canonicalJson(component.document)}`;
    const leaf = canonicalJson(component.leaf as unknown as Json);
    return `    {\n      "leaf": ${leaf},\n      "files": ${files}${document}\n    }`;
  });
  return [
    "{",
    `  "type": ${JSON.stringify(lock.type)},`,
    `  "agent": ${JSON.stringify(lock.agent)},`,
    `  "release": ${JSON.stringify(lock.release)},`,
    `  "settings": ${settings},`,
    `  "components": [\n${components.join(",\n")}\n  ]`,
    "}\n",
  ].join("\n");
}

/**
 * Reads a lock strictly: I-JSON, exactly the schema, and byte for byte what `encodeLock` writes, so that one
 * content has one text. Memory is bounded by what an honest lock of that many files takes.
 *
 * @throws WaybillError WB-INPUT-005 not JSON, too large or too many values, WB-INPUT-006 not a lock
 */
export function parseLock(text: string, file = LOCK_FILE): Lock {
  const hint =
    "write it again with `waybill lock`; never edit it by hand, and settle merge conflicts the same way";
  let data: Json;
  try {
    data = parseStrictJson(text, { maxBytes: MAX_LOCK_BYTES, maxNodes: valuesOf(text) });
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause;
    throw new WaybillError("WB-INPUT-005", `${file}:${cause.line}:${cause.column}: ${cause.reason}`, {
      hint,
      cause,
    });
  }
  const problem = departure(data) ?? textProblem(text);
  const lock = data as unknown as Lock;
  if (problem !== undefined || encodeLock(lock) !== text)
    throw new WaybillError("WB-INPUT-006", `${file}: ${problem ?? "not in canonical form"}`, { hint });
  return lock;
}

/** JSON values that a text may hold: by its lines that can be files, so that brackets in a row are no lock. */
function valuesOf(text: string): number {
  const line = '\n        {"';
  let files = 0;
  for (let at = text.indexOf(line); at !== -1; at = text.indexOf(line, at + line.length)) files += 1;
  return Math.min(MAX_VALUES, MAX_OTHER_VALUES + 6 * files);
}

/**
 * The first departure from the schema. The files are looked at one by one and free-form parts not at all: the
 * schema library keeps a record of every departure and a copy of every value.
 */
function departure(data: Json): string | undefined {
  const say = (issue: { path: PropertyKey[]; message: string }, ...before: (string | number)[]): string =>
    cut(`${[...before, ...issue.path].join(".")}: ${issue.message}`);
  const outline = outlineOf(data);
  if (typeof outline === "string") return outline;
  const result = lockSchema.safeParse(outline);
  if (!result.success) return say(result.error.issues[0]!);
  const { components } = data as unknown as Lock;
  for (const [i, { files }] of components.entries()) {
    if (files.length > MAX_FILES) return `components.${i}.files: more than ${MAX_FILES}`;
    for (const [j, leaf] of files.entries()) {
      const read = treeLeaf.safeParse(leaf);
      if (!read.success) return say(read.error.issues[0]!, "components", i, "files", j);
    }
  }
  return undefined;
}

/** The data without its files and free-form parts, for the schema; a text where even that is too much. */
function outlineOf(data: Json): unknown {
  if (!isObject(data)) return data;
  const { components } = data;
  const outline: Record<string, unknown> = { ...data };
  if (isObject(data.settings)) outline.settings = {};
  if (!Array.isArray(components)) return outline;
  if (components.length > MAX_COMPONENTS) return `components: more than ${MAX_COMPONENTS}`;
  for (const [i, component] of components.entries()) {
    const also = isObject(component) && isObject(component.leaf) ? component.leaf.also : undefined;
    if (isObject(also) && Object.keys(also).length > MAX_ALSO)
      return `components.${i}.leaf.also: more than ${MAX_ALSO} names`;
  }
  outline.components = components.map((component) => {
    if (!isObject(component)) return component;
    const { files, document } = component;
    return {
      ...component,
      ...(Array.isArray(files) ? { files: [] } : {}),
      ...(isObject(document) ? { document: {} } : {}),
    };
  });
  return outline;
}

/** What is wrong with a lock's text that its data does not show. */
function textProblem(text: string): string | undefined {
  // As a value it stands before a comma or a bracket; in a string its quotes are escaped.
  if (/"__proto__":/.test(text)) return "a key that some readers drop: __proto__";
  // No line end stands in a string: these are the lines themselves, or the text is not canonical.
  const from = text.indexOf('\n  "settings": ');
  const length = text.indexOf('\n  "components": ', from) - from;
  return length > MAX_SETTINGS ? `settings: over ${MAX_SETTINGS >> 20} MiB` : undefined;
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A message of a length that a terminal shows. */
function cut(message: string): string {
  return message.length > 300 ? `${message.slice(0, 300).toWellFormed()}…` : message;
}

/** JSON indented by two spaces, keys in RFC 8785 order: `JSON.stringify` would put `10` before `a`, whatever the order. */
function indented(value: Json, indent: string): string {
  if (typeof value !== "object" || value === null) return canonicalJson(value);
  const inner = `${indent}  `;
  const lines = Array.isArray(value)
    ? value.map((item) => inner + indented(item, inner))
    : Object.keys(value)
        .toSorted()
        .map((key) => `${inner}${canonicalJson(key)}: ${indented(value[key]!, inner)}`);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return lines.length === 0 ? open + close : `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}

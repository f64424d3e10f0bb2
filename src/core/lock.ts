import { z } from "zod";
import { canonicalJson, type Json, JsonSyntaxError, parseStrictJson } from "./canonical-json.ts";
import { type ComponentLeaf, compareComponents, componentId, digestProblem, KINDS } from "./component.ts";
import { compareUtf8, type Digest, parseDigest, sha256 } from "./digest.ts";
import { WaybillError } from "./errors.ts";
import { foldName } from "./fold-name.ts";
import { omsRoot } from "./oms-root.ts";
import { makeRelease, type Release } from "./release.ts";
import { type Settings, settingsDigest } from "./settings.ts";
import {
  CHUNK_SIZE,
  type FileLeaf,
  isLink,
  linkStaysInside,
  pathProblem,
  type TreeLeaf,
  treeDigest,
  treeSize,
} from "./tree.ts";

export const LOCK_FILE = "waybill.lock";
export const LOCK_TYPE = "urn:waybill:lock:v1";

/** Largest lock that is read, in bytes. */
export const MAX_LOCK_BYTES = 256 << 20;

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
        files: z.array(treeLeaf).max(1_000_000),
        document: z.record(z.string(), z.json()).exactOptional(),
      }),
    )
    .min(1)
    .max(1000),
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
 * content has one text.
 *
 * @throws WaybillError WB-INPUT-003 too large, WB-INPUT-005 not JSON, WB-INPUT-006 not a lock
 */
export function parseLock(text: string, file = LOCK_FILE): Lock {
  const hint =
    "write it again with `waybill lock`; never edit it by hand, and settle merge conflicts the same way";
  let data: Json;
  try {
    data = parseStrictJson(text, { maxBytes: MAX_LOCK_BYTES });
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause;
    throw new WaybillError("WB-INPUT-005", `${file}:${cause.line}:${cause.column}: ${cause.reason}`, {
      hint,
      cause,
    });
  }
  const result = lockSchema.safeParse(data);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    throw new WaybillError("WB-INPUT-006", `${file}: ${issue.path.join(".")}: ${issue.message}`, { hint });
  }
  const lock = result.data as Lock;
  if (encodeLock(lock) !== text)
    throw new WaybillError("WB-INPUT-006", `${file}: not in canonical form`, { hint });
  return lock;
}

/** One way in which a lock contradicts itself. */
export interface LockContradiction {
  component?: LockedComponent;
  what: string;
  expected: string;
  found: string;
}

/**
 * Recomputes everything in a lock that follows from the rest: order, component digests and sizes from their
 * files, the release digest from all. An empty list means that the lock is consistent; it says nothing of the
 * bytes on disk.
 */
export function lockContradictions(lock: Lock): LockContradiction[] {
  const found: LockContradiction[] = [];
  const say = (
    component: LockedComponent | undefined,
    what: string,
    expected: string,
    actual: string,
  ): void => {
    if (expected !== actual)
      found.push({ ...(component ? { component } : {}), what, expected, found: actual });
  };
  for (let i = 1; i < lock.components.length; i += 1) {
    const [before, after] = [lock.components[i - 1]!, lock.components[i]!];
    if (compareComponents(before.leaf, after.leaf) >= 0)
      say(after, "order of components", "sorted, no duplicates", `${componentId(after.leaf)} out of place`);
  }
  for (const component of lock.components) {
    const { leaf, files } = component;
    for (let i = 1; i < files.length; i += 1)
      if (compareUtf8(files[i - 1]!.path, files[i]!.path) >= 0)
        say(component, "order of files", "sorted, no duplicates", `${files[i]!.path} out of place`);
    for (const [what, expected, actual] of fileContradictions(component))
      say(component, what, expected, actual);
    const { oms, ...others } = leaf.also ?? {};
    const recomputed =
      leaf.kind === "model" ? omsRoot(files.filter((f): f is FileLeaf => !isLink(f))) : undefined;
    const quoted = (root: string | undefined) => (root === undefined ? "none" : `'${root}'`);
    say(component, "OMS root", quoted(recomputed), quoted(oms));
    // Nothing recomputes any other digest, so none counts.
    say(component, "also", "nothing else", Object.keys(others).join(", ") || "nothing else");
    say(component, "size", String(treeSize(files)), String(leaf.size));
    say(component, "digest", componentDigest(component), leaf.digest);
  }
  const [declared, locked] = [declaredIds(lock.settings), lock.components.map(({ leaf }) => pinnedId(leaf))];
  say(undefined, "list of components", declared.join(", "), locked.join(", "));
  if (found.length === 0) say(undefined, "release digest", `sha256:${releaseOf(lock).digest}`, lock.release);
  return found;
}

/** The components that the settings declare, with their origins: exactly these are pinned, in this order. */
function declaredIds(settings: Settings): string[] {
  const { components } = settings;
  if (!Array.isArray(components)) return ["none"];
  return components.map((entry) => {
    const isMapping = typeof entry === "object" && entry !== null && !Array.isArray(entry);
    return isMapping ? pinnedId(entry) : "something that is no component";
  });
}

function pinnedId(of: { kind?: Json; name?: Json; origin?: Json }): string {
  return `${String(of.kind)}/${String(of.name)}${of.origin === undefined ? "" : ` from ${String(of.origin)}`}`;
}

/** What a component's list of files says that no folder could: what, what would be right, what stands there. */
function fileContradictions({ leaf, files, document }: LockedComponent): [string, string, string][] {
  const found: [string, string, string][] = [];
  if (document !== undefined && leaf.kind !== "tool") found.push(["document", "none", "a document"]);
  const folded = new Map<string, string>();
  const all = new Set(files.map((file) => file.path));
  for (const file of files) {
    const twin = folded.get(foldName(file.path));
    if (twin !== undefined) found.push(["paths", "no two alike", `${twin} and ${file.path}`]);
    folded.set(foldName(file.path), file.path);
    for (let at = file.path.lastIndexOf("/"); at > 0; at = file.path.lastIndexOf("/", at - 1))
      if (all.has(file.path.slice(0, at)))
        found.push(["paths", "a folder or a file", `${file.path.slice(0, at)} is both`]);
    if (isLink(file)) {
      if (!linkStaysInside(file.path, file.link))
        found.push(["link", "inside its tree", `${file.path} -> ${file.link}`]);
      continue;
    }
    const chunked = file.size > CHUNK_SIZE;
    if (chunked !== (file.chunks !== undefined))
      found.push([
        "chunk root",
        chunked ? "one for a file over 1 MiB" : "none for a file up to 1 MiB",
        file.path,
      ]);
    if (leaf.kind === "image" && (file.path !== `blobs/sha256/${file.sha256}` || file.executable))
      found.push([
        "blob",
        `blobs/sha256/${file.sha256}`,
        `${file.path}${file.executable ? ", executable" : ""}`,
      ]);
  }
  return found;
}

/** The digest that a locked component's own record gives: of its files, or of its document. */
function componentDigest({ leaf, files, document }: LockedComponent): string {
  if (leaf.kind === "image") {
    const manifest = parseDigest(leaf.digest)?.hex;
    return files.some((f) => "sha256" in f && f.sha256 === manifest)
      ? leaf.digest
      : "no file is the manifest";
  }
  const tree = files.length === 0 ? "no files" : treeDigest(files);
  if (document === undefined) return leaf.kind === "tool" ? "no document" : tree;
  return document.artifact === tree ? `sha256:${sha256(canonicalJson(document))}` : `artifact ${tree}`;
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

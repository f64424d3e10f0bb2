import { z } from "zod";
import { KINDS } from "./component.ts";
import { WaybillError } from "./errors.ts";
import { LEVELS } from "./finding.ts";
import { pathProblem } from "./tree.ts";
import { type DocumentPath, parseYaml, type YamlSource } from "./yaml-source.ts";

export const MANIFEST_FILE = "waybill.yaml";

const text = (max: number) => z.string().min(1).max(max);

const name = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/, "lower-case letters, digits, '.', '_', '-'; at most 64");

const path = text(4096).refine(
  (value) => value === "." || pathProblem(value.replace(/\/$/, "")) === undefined,
  "a path inside the agent's folder: relative, with '/', without '..'",
);

const component = z
  .strictObject({
    kind: z.enum(KINDS).meta({ description: "which part of the agent this is" }),
    name: name.meta({ description: "unique among the components of its kind" }),
    path: path.optional().meta({ description: "the file or folder, relative to waybill.yaml" }),
    paths: z.array(path).min(1).max(10_000).optional().meta({ description: "several files or folders" }),
    origin: text(2048)
      .optional()
      .meta({ description: "where the bytes come from, pinned: hf://org/name@<commit>" }),
    snapshot: path
      .optional()
      .meta({ description: "tool: the file of `tools/list`, default PATH/tools.json" }),
    ref: text(512).optional().meta({ description: "image: the reference under which it is published" }),
  })
  .refine((value) => (value.path === undefined) !== (value.paths === undefined), {
    message: "give either path or paths",
    path: ["path"],
  });

const env = z.union(
  [
    z.string().max(65_536),
    z.strictObject({
      inherit: z
        .literal(true)
        .meta({ description: "taken from whoever starts the agent; its value is not pinned" }),
    }),
    z.strictObject({
      secret: z
        .string()
        .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:\/.+)$/, "env:NAME or file:/absolute/path")
        .meta({ description: "resolved at start, never shown: env:NAME or file:/path" }),
    }),
  ],
  { error: "a text in quotes, {inherit: true} or {secret: env:NAME}" },
);

const host = z
  .string()
  .regex(/^(\*\.)?[a-z0-9]([a-z0-9.-]{0,252})(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$/, "host or host:port");

const start = z.strictObject({
  command: z.array(text(65_536)).min(1).max(1024).meta({ description: "program and arguments, exactly" }),
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), env)
    .default({})
    .meta({ description: "the whole environment: literal, {inherit: true} or {secret: env:NAME}" }),
  egress: z.array(host).max(1000).default([]).meta({ description: "hosts that the agent may reach" }),
  listen: z
    .array(z.int().min(0).max(65_535))
    .max(100)
    .default([])
    .meta({ description: "ports that it opens" }),
  mounts: z
    .array(z.strictObject({ path: text(4096), mode: z.enum(["ro", "rw"]) }))
    .max(100)
    .default([])
    .meta({ description: "folders outside the release that it uses" }),
  user: z
    .int()
    .min(1)
    .max(4_294_967_294)
    .optional()
    .meta({ description: "numeric user id, never 0; where waybill is root, one that WAYBILL_USERS allows" }),
});

/** The schema of `waybill.yaml`; published as docs/schemas/waybill.schema.json. */
export const manifestSchema = z.strictObject({
  waybill: z.literal("v1").meta({ description: "version of this format" }),
  agent: name.meta({ description: "the agent's name, inside the release digest" }),
  components: z.array(component).min(1).max(1000),
  start,
  runtime: z.record(z.string(), z.json()).default({}).meta({ description: "attestation settings" }),
  rollout: z.record(z.string(), z.json()).default({}).meta({ description: "canary and rollback settings" }),
  policy: z
    .strictObject({
      level: z.enum(LEVELS).default("observe").meta({ description: "can only raise what a door demands" }),
      deny: z
        .array(z.string().regex(/^WB-[A-Z]+-\d{3}$/))
        .max(500)
        .default([])
        .meta({
          description: "codes that block this agent at baseline and at strict",
        }),
    })
    .default({ level: "observe", deny: [] }),
  pact: z.array(z.json()).max(1000).default([]).meta({ description: "what the owner promises" }),
  ignore: z.array(text(256)).max(1000).default([]).meta({ description: "patterns of files in no component" }),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type DeclaredComponent = Manifest["components"][number];
export type EnvDeclaration = Manifest["start"]["env"][string];

/** A manifest with the text that it came from. */
export interface ManifestSource {
  manifest: Manifest;
  source: YamlSource;
}

/**
 * Reads and checks the text of a `waybill.yaml`.
 *
 * @throws WaybillError WB-INPUT-003, WB-INPUT-005 (see `parseYaml`), WB-INPUT-006 with every departure from
 * the schema and its line and column, a component that stands twice, or a path that stands twice in one component
 */
export function parseManifest(textOfManifest: string, file = MANIFEST_FILE): ManifestSource {
  const source = parseYaml(textOfManifest, file);
  const result = manifestSchema.safeParse(source.data);
  if (!result.success) throw schemaError(source, result.error.issues);
  const manifest = result.data;
  const seen = new Set<string>();
  manifest.components.forEach((declared, i) => {
    const id = `${declared.kind}/${declared.name}`;
    if (seen.has(id))
      throw schemaError(source, [{ path: ["components", i, "name"], message: `${id} is declared twice` }]);
    seen.add(id);
    refuseOverlap(declared, i, source);
  });
  return { manifest, source };
}

/** Each file stands once in a component: no path twice, none inside another one. */
function refuseOverlap({ paths = [] }: DeclaredComponent, index: number, source: YamlSource): void {
  const clean = paths.map((declared) => (declared === "." ? "" : declared.replace(/\/$/, "")));
  const all = new Set<string>();
  clean.forEach((declared, j) => {
    if (all.has(declared)) throw overlap(j, `${paths[j]} stands twice`);
    all.add(declared);
  });
  clean.forEach((declared, j) => {
    if (declared === "") return;
    for (let at = declared.lastIndexOf("/"); ; at = declared.lastIndexOf("/", at - 1)) {
      const above = declared.slice(0, Math.max(at, 0));
      if (all.has(above))
        throw overlap(j, `it is inside ${above === "" ? "." : above}, which stands here too`);
      if (at <= 0) return;
    }
  });
  function overlap(j: number, message: string): WaybillError {
    return schemaError(source, [{ path: ["components", index, "paths", j], message }]);
  }
}

/** Departures that one error shows, and the characters of each. */
const MAX_ISSUES = 20;
const MAX_MESSAGE = 300;

/** Turns departures from a schema into one error that shows each with its place: the first 20, each cut to its length. */
export function schemaError(
  source: Pick<YamlSource, "file" | "locate">,
  issues: readonly { path: readonly PropertyKey[]; message: string; keys?: readonly string[] }[],
): WaybillError {
  const lines = issues.slice(0, MAX_ISSUES).map((issue) => {
    // A key that is not known is shown itself, not the map around it.
    const unknown = issue.keys?.slice(0, 1) ?? [];
    const at = source.locate([...issue.path, ...unknown] as DocumentPath);
    const place = cut(issue.path.join(".")) || "document";
    return `${at.file}:${at.line}:${at.column}: ${place}: ${cut(plainly(issue.message))}`;
  });
  if (issues.length > MAX_ISSUES) lines.push(`… and ${issues.length - MAX_ISSUES} more`);
  return new WaybillError("WB-INPUT-006", lines.join("\n"), {
    hint: `the schema is docs/schemas/waybill.schema.json; editors check ${source.file} by its first line`,
  });
}

function cut(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE).toWellFormed()}…` : text;
}

/** The schema library's words in ours: lower case, and no `undefined` for what is simply not there. */
function plainly(message: string): string {
  const [, wanted, found] = /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? [];
  if (wanted === undefined) return message.charAt(0).toLowerCase() + message.slice(1);
  const called = WORDS[wanted] ?? wanted;
  return found === "undefined" ? `missing: ${called} belongs here` : `must be ${called}, found ${found}`;
}

const WORDS: Readonly<Record<string, string>> = {
  object: "a mapping",
  record: "a mapping",
  array: "a list",
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

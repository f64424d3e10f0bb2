import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { IMAGE_MEDIA_TYPE } from "../src/components/kinds/image.ts";
import { readTools, TOOL_MEDIA_TYPE, TOOL_TYPE } from "../src/components/kinds/tool.ts";
import { TREE_MEDIA_TYPE } from "../src/components/kinds/tree-kind.ts";
import { canonicalJson, type Json } from "../src/core/canonical-json.ts";
import { type ComponentLeaf, encodeComponentLeaf, type Kind } from "../src/core/component.ts";
import { compareUtf8, type Digest, sha256, shortDigest } from "../src/core/digest.ts";
import { encodeLock, type LockedComponent, makeLock, parseLock } from "../src/core/lock.ts";
import { lockContradictions } from "../src/core/lock-contradictions.ts";
import { manifestSchema } from "../src/core/manifest.ts";
import { leafHash, RootAccumulator } from "../src/core/merkle.ts";
import { omsRoot } from "../src/core/oms-root.ts";
import { encodeRelease, makeRelease } from "../src/core/release.ts";
import { settingsDigest, settingsOf } from "../src/core/settings.ts";
import { parseStrictJson } from "../src/core/strict-json.ts";
import {
  CHUNK_SIZE,
  CHUNK_TAG,
  type FileLeaf,
  isLink,
  pathProblem,
  type TreeLeaf,
  treeDigest,
  treeSize,
} from "../src/core/tree.ts";
import { makeChannelStatement, readChannelStatement } from "../src/evidence/channel.ts";
import {
  makeReleaseStatement,
  type ReleasePredicate,
  readReleaseStatement,
} from "../src/evidence/release.ts";
import { encodeStatement, parseStatement } from "../src/evidence/statement.ts";
import { foldName } from "../src/hash/names.ts";
import { preAuthEncoding } from "../src/sign/dsse.ts";
import { importPublicKey, keyHints } from "../src/sign/keys.ts";

// node scripts/vectors.ts [--check]: writes testdata/vectors/*.json out of the code, or fails when the files
// there are not what the code gives. Each file is an array of {name, input, expected}; expected null means
// that an implementation refuses the input. docs/formats/ says what each file is about.

/** One test vector. */
export interface Vector {
  name: string;
  input: Json;
  expected: Json;
}

/** Where the vectors lie. */
export const VECTORS = join(import.meta.dirname, "../testdata/vectors");

/** A file of a vector: its bytes as text, or by the rule byte i = (31 i + seed) mod 251. */
type Content = { text: string } | { seed: number; size: number };
type Entry = ({ path: string; executable?: true } & Content) | { path: string; link: string };

/** Every vector file with its text, from the code alone. */
export function makeVectors(): Map<string, string> {
  const files: Record<string, Vector[]> = {
    "canonical-json": canonical(),
    "strict-json": strict(),
    files: chunked(),
    tree: trees(),
    "component-leaf": componentLeaves(),
    "tool-document": toolDocuments(),
    "oms-root": omsRoots(),
    settings: settings(),
    release: releases(),
    lock: locks(),
    statement: statements(),
    pae: paes(),
    key: keys(),
  };
  return new Map(
    Object.entries(files).map(([name, list]) => [`${name}.json`, `${JSON.stringify(list, null, 2)}\n`]),
  );
}

/** Names of the files that are missing, too many, or other than the code gives. */
export function staleVectors(folder = VECTORS): string[] {
  const wanted = makeVectors();
  const there = readdirSync(folder).filter((name) => name.endsWith(".json"));
  const stale = [...wanted].filter(
    ([name, text]) => !there.includes(name) || readFileSync(join(folder, name), "utf8") !== text,
  );
  return [...stale.map(([name]) => name), ...there.filter((name) => !wanted.has(name))];
}

function canonical(): Vector[] {
  const values: [string, Json][] = [
    ["null", null],
    ["true", true],
    ["zero", 0],
    ["negative integer", -17],
    ["largest exact integer", Number.MAX_SAFE_INTEGER],
    ["simple decimals", [0.5, -1.25, 100.125]],
    ["empty containers", [{}, [], ""]],
    ["keys out of order", { b: 1, a: 2, B: 3, "": 4, aa: 5 }],
    ["keys like integers", { "10": "ten", "9": "nine", "1": "one" }],
    ["keys by UTF-16, not UTF-8", { "～": "U+FF5E", "😀": "U+1F600", "\ue000": "U+E000", z: 0 }],
    ["short escapes", '"\\\b\f\n\r\t'],
    ["other control characters", "\u0000\u0001\u001f\u007f\u0080"],
    ["raw line separators and slash", "a/b\u2028\u2029<>&'"],
    ["composed and decomposed are two", ["é", "e\u0301"]],
    ["a noncharacter", "\ufffe"],
    ["a key __proto__", JSON.parse('{"__proto__":1,"a":{"__proto__":null}}') as Json],
    ["nested", { z: [{ y: [[1], { x: null }] }], a: { c: true, b: false } }],
  ];
  return values.map(([name, input]) => ({ name, input, expected: canonicalJson(input) }));
}

function strict(): Vector[] {
  const texts: [string, string][] = [
    ["white space", ' { "b" : [ 1 , 2 ] ,\r\n\t"a" : null } '],
    ["escapes", '"\\u0041\\/\\ud83d\\ude00\\u00e9"'],
    ["numbers with one value in two spellings", "[1.50,1e2,-0,1.0,5e-1]"],
    ["duplicate key", '{"a":1,"a":2}'],
    ["duplicate key after escapes", '{"a":1,"\\u0061":2}'],
    ["duplicate key deep inside", '[{"x":{"b":0,"c":1,"b":0}}]'],
    ["byte order mark", "\ufeff{}"],
    ["text after the value", "{} {}"],
    ["nothing", ""],
    ["lone high surrogate escape", '"\\ud83d"'],
    ["lone low surrogate escape in a key", '{"\\ude00":1}'],
    ["raw control character", '"a\u0001b"'],
    ["NaN", "[NaN]"],
    ["Infinity", "-Infinity"],
    ["number beyond a double", "1e400"],
    ["digits that a double does not hold", "0.1000000000000000055"],
    ["integer beyond 2^53 - 1", "9007199254740992"],
    ["leading zero", "01"],
    ["trailing comma", "[1,]"],
    ["comment", "/* */ 1"],
    ["single quotes", "{'a':1}"],
  ];
  return texts.map(([name, input]) => ({
    name,
    input,
    expected: orNull(() => canonicalJson(parseStrictJson(input))),
  }));
}

function chunked(): Vector[] {
  const contents: [string, Content][] = [
    ["empty", { text: "" }],
    ["text in UTF-8", { text: "Grüße 😀\n" }],
    ["one byte", { seed: 7, size: 1 }],
    ["1 MiB - 1", { seed: 7, size: CHUNK_SIZE - 1 }],
    ["1 MiB: no chunks", { seed: 7, size: CHUNK_SIZE }],
    ["1 MiB + 1: two chunks", { seed: 7, size: CHUNK_SIZE + 1 }],
    ["2 MiB", { seed: 8, size: 2 * CHUNK_SIZE }],
    ["3 MiB", { seed: 7, size: 3 * CHUNK_SIZE }],
    ["5 MiB and a bit", { seed: 250, size: 5 * CHUNK_SIZE + 12_345 }],
  ];
  return contents.map(([name, input]) => {
    const { size, sha256: digest, chunks } = fileLeaf({ path: "x", ...input });
    return { name, input, expected: { size, sha256: digest, chunks: chunks ?? null } };
  });
}

/** The tree of docs/formats/tree.md. */
const EXAMPLE: Entry[] = [
  { path: "a.txt", text: "hello\n" },
  { path: "bin/run.sh", text: "#!/bin/sh\necho hi\n", executable: true },
  { path: "latest", link: "a.txt" },
];

function trees(): Vector[] {
  const named = (...paths: string[]): Entry[] => paths.map((path) => ({ path, text: `${path}\n` }));
  const folders: [string, Entry[]][] = [
    ["worked example", EXAMPLE],
    ["one file", EXAMPLE.slice(0, 1)],
    ["the same bytes, executable", [{ path: "a.txt", text: "hello\n", executable: true }]],
    ["UTF-8 order is not UTF-16 order", named("😀", "～", "z", "é")],
    ["UTF-8 order within folders", named("～/a", "😀/a", "m😀", "m～")],
    ["whole paths are compared, not segments", named("a/b", "a.b", "a-b", "a0", "a b", "a/b.c/d", "aa")],
    ["case counts in the order", named("b", "A", "a2", "C")],
    ["stored as decomposed", named("e\u0301.md")],
    ["stored as composed", named("é.md")],
    ["a backslash and quotes are letters", named('a\\b"c.txt')],
    ["empty file", [{ path: "empty", text: "" }]],
    ["links to a file, a folder and upwards", linked()],
    ["a link's text is what counts", [...named("t"), { path: "l", link: "./t" }]],
    ["large files", [1, 0, -1].map((d) => ({ path: `w${d}.bin`, seed: 7, size: CHUNK_SIZE + d }))],
    ["seven leaves", named("1", "2", "3", "4", "5", "6", "7")],
    ["eight leaves", named("1", "2", "3", "4", "5", "6", "7", "8")],
  ];
  const vectors: Vector[] = folders.map(([name, files]) => {
    return {
      name: `folder: ${name}`,
      input: { files } as unknown as Json,
      expected: digestOf(files.map(leafOf)),
    };
  });
  const [a] = named("a").map(leafOf);
  const like = (...paths: string[]): TreeLeaf[] => paths.map((path) => ({ ...a!, path }));
  const lists: [string, TreeLeaf[]][] = [
    ["worked example, in another order", EXAMPLE.map(leafOf).toReversed()],
    ["no leaves", []],
    ["one path twice", like("a", "a")],
    ["a file that is also a folder", like("a", "a/b")],
    ["differ by case", like("README", "readme")],
    ["folders differ by case", like("Docs/a", "docs/b")],
    ["differ by normalisation", like("é", "e\u0301")],
    ["differ by full case folding", like("straße", "STRASSE")],
    ["equal names in different folders", like("x/a", "y/A", "a")],
    ["absolute path", like("/a")],
    ["parent segment", like("a/../b")],
    ["dot segment", like("./a")],
    ["empty segment", like("a//b")],
    ["trailing slash", like("a/")],
    ["empty path", like("")],
    ["control character", like("a\nb")],
    ["delete character", like("a\u007f")],
  ];
  for (const [name, leaves] of lists)
    vectors.push({
      name: `leaves: ${name}`,
      input: { leaves } as unknown as Json,
      expected: digestOf(leaves),
    });
  return vectors;
}

function linked(): Entry[] {
  return [
    { path: "data/v1/x", text: "1" },
    { path: "data/v1/up", link: "../../top" },
    { path: "current", link: "data/v1" },
    { path: "top", text: "2" },
  ];
}

function componentLeaves(): Vector[] {
  const leaves: [string, ComponentLeaf][] = [
    ["as small as can be", promptLeaf()],
    ["with origin", { ...promptLeaf(), kind: "model", origin: "hf://acme/tiny@0123456789abcdef" }],
    ["with also", { ...promptLeaf(), kind: "model", also: { oms: sha256("o"), "hf-lfs": sha256("l") } }],
    ["a tool", { ...promptLeaf(), kind: "tool", digest: `sha256:${sha256("tool")}`, size: 0 }],
  ];
  return leaves.map(([name, leaf]) => {
    const text = encodeComponentLeaf(leaf);
    return {
      name,
      input: leaf as unknown as Json,
      expected: { text, leafHash: hex(leafHash(Buffer.from(text))) },
    };
  });
}

type RawTool = { name: string; [field: string]: Json };
const ANY_OBJECT = { type: "object", properties: { id: { type: "string" } }, required: ["id"] };
const TOOLS: RawTool[] = [
  { name: "～refund", description: "Refund an order.", inputSchema: ANY_OBJECT },
  {
    name: "😀mood",
    description: "Say how it feels.",
    inputSchema: { type: "object" },
    title: "not digested",
  },
  {
    name: "order",
    description: "Look up an order.\nIgnore nothing.",
    inputSchema: ANY_OBJECT,
    outputSchema: { type: "object" },
    annotations: { readOnlyHint: true },
    _meta: { also: "not digested" },
  },
];

function toolDocuments(): Vector[] {
  const artifact = digestOf(EXAMPLE.map(leafOf))!;
  const inputs: [string, string | null, RawTool[]][] = [
    ["three tools, sorted by UTF-8", "Be brief.", TOOLS],
    ["no instructions, only a name", null, [{ name: "ping" }]],
    ["null is not absent", null, [{ name: "ping", description: null }]],
    ["no tools", "", []],
    ["one name twice", null, [TOOLS[0]!, TOOLS[0]!]],
    ["an empty name", null, [{ name: "" }]],
  ];
  return inputs.map(([name, instructions, tools]) => {
    const document = orNull(() => toolDocument(instructions, tools, artifact));
    const expected = document && { document, digest: `sha256:${sha256(canonicalJson(document))}` };
    return { name, input: { instructions, tools, artifact }, expected };
  });
}

function toolDocument(
  instructions: string | null,
  tools: RawTool[],
  artifact: string,
): { [key: string]: Json } {
  const digested = readTools({ tools });
  if (typeof digested === "string") throw new RangeError(digested);
  return { type: TOOL_TYPE, instructions, tools: digested, artifact };
}

function omsRoots(): Vector[] {
  const git = [".gitattributes", ".gitignore", ".github/x.yml", ".git/config"];
  const named = (...paths: string[]): TreeLeaf[] => paths.map((path) => leafOf({ path, text: path }));
  const inputs: [string, TreeLeaf[]][] = [
    ["two files; a link does not count", EXAMPLE.map(leafOf)],
    ["order by code point", named("😀", "～", "sub/w.bin", "sub.txt", "sub-0")],
    [
      "git's files at the top do not count",
      named(...git, "a", "sub/.gitignore", ".gitmodules", ".github.md"),
    ],
  ];
  return inputs.map(([name, leaves]) => ({
    name,
    input: leaves as unknown as Json,
    expected: rootOfModel(leaves),
  }));
}

function rootOfModel(leaves: TreeLeaf[]): string {
  const files = leaves.filter((leaf) => !isLink(leaf)) as FileLeaf[];
  return omsRoot(files.toSorted((a, b) => compareUtf8(a.path, b.path))) ?? "";
}

/** The manifest of the worked example in docs/formats/release.md. */
const SMALL_MANIFEST: Json = {
  waybill: "v1",
  agent: "hello",
  components: [{ kind: "prompt", name: "system", path: "system.md" }],
  start: { command: ["node", "main.js"] },
};

const FULL_MANIFEST: Json = {
  waybill: "v1",
  agent: "support-agent",
  components: [
    { kind: "tool", name: "helpdesk", path: "tools/helpdesk", snapshot: "tools/helpdesk/tools.json" },
    { kind: "prompt", name: "system", paths: ["prompts/system.md", "prompts/few-shot.md"] },
    { kind: "prompt", name: "context", path: "prompts/context/" },
    { kind: "model", name: "intent", path: "models/intent", origin: "hf://acme/intent@0123456789abcdef" },
    { kind: "image", name: "runtime", path: "image", ref: "registry.example/agent" },
    { kind: "dataset", name: "intents", path: "data/intents.jsonl" },
    { kind: "corpus", name: "faq", path: "corpus" },
    { kind: "code", name: "agent", path: "." },
    { kind: "dependencies", name: "npm", path: "package-lock.json" },
    { kind: "infra", name: "deploy", paths: ["deploy"] },
  ],
  start: {
    command: ["node", "src/main.ts", "--port", "8080"],
    env: { LANG: "C.UTF-8", HOME: { inherit: true }, API_KEY: { secret: "env:API_KEY" }, EMPTY: "" },
    egress: ["models.example:443", "api.example", "*.cdn.example", "api.example"],
    listen: [8080, 443, 9090, 443],
    mounts: [
      { path: "/var/lib/agent", mode: "rw" },
      { path: "/etc/ssl", mode: "ro" },
    ],
    user: 10_001,
  },
  runtime: {
    every: 30,
    "10": "ten",
    "9": "nine",
    temperature: 0.25,
    "～": 1,
    "😀": 2,
    nested: { b: [3, 1, 2], a: null },
  },
  rollout: { canary: { weight: 0.05, steps: [5, 25, 100] } },
  policy: { level: "strict", deny: ["WB-TOOL-002", "WB-MODEL-001", "WB-TOOL-002"] },
  pact: [{ promise: "no training on customers' data", evidence: "dataset" }, "second"],
  ignore: ["*.tmp", "😀", "～", "*.log", "*.tmp"],
};

function settings(): Vector[] {
  const { start, ...rest } = FULL_MANIFEST as { start: { [key: string]: Json } };
  const inputs: [string, Json][] = [
    ["defaults", SMALL_MANIFEST],
    ["everything", FULL_MANIFEST],
    [
      "everything, keys in another order",
      { ...Object.fromEntries(Object.entries(rest).toReversed()), start },
    ],
    [
      "one argument changed",
      { ...rest, start: { ...start, command: ["node", "src/main.ts", "--port", "8081"] } },
    ],
    ["policy with only a level", { ...(SMALL_MANIFEST as object), policy: { level: "baseline" } } as Json],
  ];
  return inputs.map(([name, input]) => {
    const document = settingsOf(manifestSchema.parse(input));
    return { name, input, expected: { document, digest: settingsDigest(document) } };
  });
}

function promptLeaf(): ComponentLeaf {
  const leaf = leafOf({ path: "system.md", text: "You are a helpful agent.\n" });
  const [digest, size] = [treeDigest([leaf]), treeSize([leaf])];
  return { kind: "prompt", name: "system", mediaType: TREE_MEDIA_TYPE, digest, size };
}

function releases(): Vector[] {
  const small = settingsDigest(settingsOf(manifestSchema.parse(SMALL_MANIFEST)));
  const leaves = fullComponents().map((c) => c.leaf);
  const inputs: [string, string, ComponentLeaf[], string][] = [
    ["worked example", "hello", [promptLeaf()], small],
    ["ten components, in any order", "support-agent", leaves.toReversed(), small],
    ["another name is another release", "hello2", [promptLeaf()], small],
    ["names by UTF-8 order", "x", ["😀", "～", "z"].map((name) => ({ ...promptLeaf(), name })), small],
    ["one name in two kinds", "x", [promptLeaf(), { ...promptLeaf(), kind: "corpus" }], small],
    ["no components", "x", [], small],
    ["one component twice", "x", [promptLeaf(), promptLeaf()], small],
  ];
  return inputs.map(([name, agent, components, digest]) => {
    const release = orNull(() => makeRelease(agent, components, digest));
    return {
      name,
      input: { agent, components, settings: digest } as unknown as Json,
      expected: release && { document: encodeRelease(release.document), digest: release.digest },
    };
  });
}

/** A component of each kind, two of prompts. */
function fullComponents(): LockedComponent[] {
  const make = (
    kind: ComponentLeaf["kind"],
    name: string,
    entries: Entry[],
    more: Partial<ComponentLeaf> = {},
  ): LockedComponent => {
    const files = entries.map(leafOf);
    const leaf: ComponentLeaf = {
      kind,
      name,
      mediaType: kind === "tool" ? TOOL_MEDIA_TYPE : TREE_MEDIA_TYPE,
      digest: treeDigest(files),
      size: treeSize(files),
      ...more,
    };
    return { leaf, files };
  };
  const weights: Entry[] = [
    { path: "config.json", text: "{}\n" },
    { path: "model.safetensors", seed: 7, size: CHUNK_SIZE + 1 },
  ];
  const snapshot = { instructions: "Be brief.", tools: TOOLS };
  const tool = make("tool", "helpdesk", [
    { path: "server.js", text: "// serves\n", executable: true },
    { path: "tools.json", text: `${JSON.stringify(snapshot)}\n` },
  ]);
  const document = toolDocument(snapshot.instructions, TOOLS, tool.leaf.digest);
  const manifest = '{"schemaVersion":2}';
  const blobs = [manifest, "config", "layer"].map((text) => ({ path: `blobs/sha256/${sha256(text)}`, text }));
  return [
    make("model", "intent", weights, {
      origin: "hf://acme/intent@0123456789abcdef",
      also: { oms: rootOfModel(weights.map(leafOf)) },
    }),
    make("dataset", "intents", [{ path: "intents.jsonl", text: '{"t":"hi"}\n' }]),
    make("prompt", "system", [
      { path: "prompts/system.md", text: "You are a helpful agent.\n" },
      { path: "prompts/few-shot.md", text: "Q: hi\nA: hello\n" },
    ]),
    make("prompt", "context", [
      { path: "～.tmpl", text: "{{x}}" },
      { path: "😀.tmpl", text: "{{y}}" },
    ]),
    make("corpus", "faq", linked()),
    make("code", "agent", EXAMPLE),
    make("dependencies", "npm", [{ path: "package-lock.json", text: "{}\n" }]),
    make("infra", "deploy", [{ path: "deploy/pod.yaml", text: "kind: Pod\n" }]),
    make("image", "runtime", blobs, {
      mediaType: IMAGE_MEDIA_TYPE,
      digest: `sha256:${sha256(manifest)}`,
    }),
    { ...tool, leaf: { ...tool.leaf, digest: `sha256:${sha256(canonicalJson(document))}` }, document },
  ];
}

function locks(): Vector[] {
  const small = makeLock("hello", settingsOf(manifestSchema.parse(SMALL_MANIFEST)), [
    { leaf: promptLeaf(), files: [leafOf({ path: "system.md", text: "You are a helpful agent.\n" })] },
  ]);
  const full = makeLock("support-agent", settingsOf(manifestSchema.parse(FULL_MANIFEST)), fullComponents());
  const [smallText, fullText] = [encodeLock(small), encodeLock(full)];
  const [first, second, ...others] = full.components;
  // A lock that says something false in one component, with a release digest that fits the lie.
  const lie = (kind: string, leaf: Partial<ComponentLeaf>, more: Partial<LockedComponent> = {}): string => {
    const changed = full.components.map((c) =>
      c.leaf.kind === kind ? { ...c, leaf: { ...c.leaf, ...leaf }, ...more } : c,
    );
    return encodeLock(makeLock(full.agent, full.settings, changed));
  };
  // The same for the files of one component, whose tree then fits.
  const filesLie = (kind: Kind, files: TreeLeaf[]): string => {
    const digest = kind === "image" ? {} : { digest: treeDigest(files) };
    return lie(kind, { ...digest, size: treeSize(files) }, { files });
  };
  const filesOf = (kind: Kind) => full.components.find((c) => c.leaf.kind === kind)!.files;
  const fileLie = (kind: Kind, change: (file: FileLeaf) => FileLeaf): string =>
    filesLie(
      kind,
      filesOf(kind).map((f) => (isLink(f) ? f : change(f))),
    );
  const linkLie = (kind: Kind, link: string) => filesLie(kind, [...filesOf(kind), { path: "zz", link }]);
  const { files: toolFiles, document } = full.components.find((c) => c.leaf.kind === "tool")!;
  const texts: [string, string][] = [
    ["small", smallText],
    ["all nine kinds", fullText],
    ["no newline at the end", smallText.slice(0, -1)],
    ["another white space", JSON.stringify(small)],
    ["a duplicate key", smallText.replace('  "agent"', '  "agent": "x",\n  "agent"')],
    ["an unknown key", smallText.replace('  "agent"', '  "note": "x",\n  "agent"')],
    ["another type", smallText.replace("urn:waybill:lock:v1", "urn:waybill:lock:v2")],
    ["a file's digest changed", smallText.replace(/"sha256":"[0-9a-f]{8}/, '"sha256":"00000000')],
    ["a file's size changed", smallText.replace(',"size":25}\n', ',"size":26}\n')],
    ["the component's size changed", smallText.replace('"size":25},', '"size":26},')],
    ["made executable", smallText.replace('"executable":false', '"executable":true')],
    ["a component's name changed", smallText.replace('"name":"system"', '"name":"System"')],
    ["another agent", smallText.replace('"agent": "hello"', '"agent": "hullo"')],
    ["a setting changed", smallText.replace('"main.js"', '"evil.js"')],
    ["the release digest changed", smallText.replace(/"sha256:[0-9a-f]{8}/, '"sha256:00000000')],
    [
      "upper-case digest",
      smallText.replace(/sha256:[0-9a-f]{64}/, (m) => `sha256:${m.slice(7).toUpperCase()}`),
    ],
    ["components out of order", encodeLock({ ...full, components: [second!, first!, ...others] })],
    [
      "files out of order",
      encodeLock({ ...full, components: [{ ...first!, files: first!.files.toReversed() }] }),
    ],
    ["a chunk root changed", fullText.replace(/"chunks":"[0-9a-f]{8}/, '"chunks":"00000000')],
    ["what others call the model changed", fullText.replace(/"oms":"[0-9a-f]{8}/, '"oms":"00000000')],
    ["lie: another component's digest", lie("corpus", { digest: first!.leaf.digest })],
    ["lie: another size", lie("corpus", { size: 3 })],
    ["lie: another file", lie("dataset", {}, { files: [leafOf(EXAMPLE[0]!)] })],
    ["lie: no files", lie("dataset", { size: 0 }, { files: [] })],
    ["lie: a tree where a tool's document belongs", lie("tool", { digest: treeDigest(toolFiles) })],
    [
      "lie: a tool's instructions changed",
      lie("tool", {}, { document: { ...document!, instructions: "Be rude." } }),
    ],
    [
      "lie: a tool's file changed",
      lie("tool", {}, { files: toolFiles.map((f) => ({ ...f, executable: false })) }),
    ],
    ["lie: the name by which OMS knows a model", lie("model", { also: { oms: sha256("x") } })],
    ["lie: another name for a corpus", lie("corpus", { also: { oms: sha256("x") } })],
    ["lie: a document on a prompt", lie("prompt", {}, { document: document! })],
    ["lie: a chunk root on a small file", fileLie("prompt", (f) => ({ ...f, chunks: sha256("x") }))],
    ["lie: a large file without a chunk root", fileLie("model", ({ chunks: _, ...f }) => f)],
    ["lie: a link that leaves its tree", linkLie("corpus", "../../secret")],
    ["lie: an image's blob under another name", fileLie("image", (f) => ({ ...f, path: `${f.path}.old` }))],
    ["lie: an executable blob", fileLie("image", (f) => ({ ...f, executable: true }))],
    ["lie: an image as a tree", lie("image", { digest: treeDigest(toolFiles) })],
    ["lie: a declared component is not pinned", encodeLock(makeLock(full.agent, full.settings, others))],
    [
      "lie: a pinned component is not declared",
      encodeLock(makeLock(full.agent, small.settings, full.components)),
    ],
    [
      "lie: another origin than the declared one",
      lie("model", { origin: "hf://acme/other@0123456789abcdef" }),
    ],
    ["lie: an image's manifest is not among its files", lie("image", { digest: `sha256:${sha256("x")}` })],
  ];
  return texts.map(([name, input]) => {
    const expected = orNull(() => {
      const lock = parseLock(input);
      return lockContradictions(lock).length === 0 ? lock.release : null;
    });
    return { name, input, expected };
  });
}

function statements(): Vector[] {
  const components = fullComponents().map((c) => c.leaf);
  const release = makeReleaseStatement("support-agent", components, sha256("{}"));
  const [a, b] = [sha256("new"), sha256("old")];
  const channel = makeChannelStatement({
    agent: "support-agent",
    target: "production",
    seq: 7,
    expires: "2027-06-01T00:00:00Z",
    releases: [a, b],
  });
  const r = encodeStatement(release);
  const c = encodeStatement(channel);
  const { root } = (release.predicate as unknown as ReleasePredicate).release;
  const texts: [string, string][] = [
    ["release", r],
    [
      "release, with white space and a field that nobody knows",
      JSON.stringify({ ...release, note: 1 }, null, 1),
    ],
    ["release: Statement v0.1", r.replace("Statement/v1", "Statement/v0.1")],
    [
      "release: another subject",
      r.replace(/"subject":\[\{"digest":\{"sha256":"[0-9a-f]{8}/, '"subject":[{"digest":{"sha256":"00000000'),
    ],
    [
      "release: a second digest of the subject",
      r.replace('"subject":[{"digest":{', '"subject":[{"digest":{"md5":"0",'),
    ],
    [
      "release: two subjects",
      encodeStatement({ ...release, subject: [...release.subject, ...channel.subject] }),
    ],
    ["release: another name in the subject", r.replace(/"name":"support-agent"\}\]\}$/, '"name":"other"}]}')],
    ["release: another root", r.replace(root, sha256("root"))],
    ["release: another count", r.replace('"count":10', '"count":11')],
    ["release: a component's size changed", r.replace('"size":24', '"size":25')],
    ["release: an unknown field in the predicate", r.replace('"predicate":{', '"predicate":{"also":1,')],
    ["channel", c],
    ["channel: no subjects", encodeStatement({ ...channel, subject: [] })],
    ["channel: one release twice", c.replace(b, a)],
    ["channel: upper-case digest", c.replace(a, a.toUpperCase())],
    ["channel: seq 0", c.replace('"seq":7', '"seq":0')],
    ["channel: a decimal seq", c.replace('"seq":7', '"seq":7.5')],
    ["channel: 30 February", c.replace("2027-06-01", "2027-02-30")],
    ["channel: an offset", c.replace("00:00Z", "00:00+00:00")],
    ["channel: a target that is no name", c.replace('"production"', '"../production"')],
    ["channel: a subject with another name", c.replace(/"name":"support-agent"\}\]/, '"name":"other"}]')],
    ["channel: an unknown field in the predicate", c.replace('"seq":7', '"only":"eu","seq":7')],
    ["duplicate key", c.replace('"seq":7', '"seq":7,"seq":8')],
    ["another predicate type", c.replace("urn:waybill:channel:v1", "urn:waybill:channel:v2")],
  ];
  return texts.map(([name, input]) => ({ name, input, expected: saidBy(input) }));
}

function saidBy(text: string): Json {
  const statement = parseStatement(Buffer.from(text));
  if ("problem" in statement) return null;
  const release = readReleaseStatement(statement);
  if (!("problem" in release)) return { release: release.digest };
  const channel = readChannelStatement(statement);
  return "problem" in channel ? null : { channel: channel as unknown as Json };
}

function paes(): Vector[] {
  const inputs: [string, string, string][] = [
    ["the DSSE specification's own", "http://example.com/HelloWorld", "hello world"],
    ["an in-toto statement", "application/vnd.in-toto+json", '{"_type":"https://in-toto.io/Statement/v1"}'],
    ["lengths count bytes", "application/é", "～😀"],
    ["nothing", "", ""],
  ];
  return inputs.map(([name, payloadType, payload]) => {
    const pae = preAuthEncoding(payloadType, Buffer.from(payload));
    return { name, input: { payloadType, payload }, expected: { pae: pae.toString(), sha256: sha256(pae) } };
  });
}

function keys(): Vector[] {
  const pem = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEj1Cd9+3cS/TfKpbIjiHOJypEHOy4
D1GPDCAZ/FUWm1dvvjWVjKrq7LqAArC0ekAGT3zbt/26Bamf3ejiCbXqfg==
-----END PUBLIC KEY-----
`;
  const { keyId, cosign, oms } = keyHints(importPublicKey(pem));
  return [{ name: "ECDSA P-256", input: pem, expected: { keyId, short: shortDigest(keyId), cosign, oms } }];
}

/** The digest, or null where the tree is refused: the rules on paths are those of docs/formats/tree.md. */
function digestOf(leaves: TreeLeaf[]): Digest | null {
  const entries = new Map<string, string>();
  for (const { path } of leaves) {
    if (pathProblem(path) !== undefined) return null;
    const segments = path.split("/");
    for (let i = 1; i <= segments.length; i += 1) {
      const entry = `${segments.slice(0, i).join("/")}${i < segments.length ? "/" : ""}`;
      const folded = segments.slice(0, i).map(foldName).join("/");
      const other = entries.get(folded);
      // A folder may come again, with the very same name; a file or a link may not.
      if (other !== undefined && (other !== entry || i === segments.length)) return null;
      entries.set(folded, entry);
    }
  }
  return orNull(() => treeDigest(leaves));
}

function leafOf(entry: Entry): TreeLeaf {
  return "link" in entry ? entry : fileLeaf(entry);
}

function fileLeaf(entry: { path: string; executable?: true } & Content): FileLeaf {
  const bytes = "text" in entry ? Buffer.from(entry.text) : pattern(entry.seed, entry.size);
  const leaf = {
    path: entry.path,
    size: bytes.length,
    sha256: sha256(bytes),
    executable: entry.executable ?? false,
  };
  if (bytes.length <= CHUNK_SIZE) return leaf;
  const chunks = new RootAccumulator();
  for (let at = 0; at < bytes.length; at += CHUNK_SIZE)
    chunks.push(leafHash(bytes.subarray(at, at + CHUNK_SIZE), CHUNK_TAG));
  return { ...leaf, chunks: hex(chunks.root()) };
}

function pattern(seed: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i += 1) bytes[i] = (31 * i + seed) % 251;
  return bytes;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function orNull<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const stale = staleVectors();
    for (const name of stale) process.stderr.write(`testdata/vectors/${name} is not what the code gives\n`);
    if (stale.length > 0) {
      process.stderr.write("run `node scripts/vectors.ts` when the format was meant to change\n");
      process.exitCode = 1;
    }
  } else {
    mkdirSync(VECTORS, { recursive: true });
    for (const [name, text] of makeVectors()) {
      writeFileSync(join(VECTORS, name), text);
      console.log(`testdata/vectors/${name}: ${(JSON.parse(text) as Vector[]).length} vectors`);
    }
  }
}

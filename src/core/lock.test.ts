import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, type Json } from "./canonical-json.ts";
import { compareComponents, KINDS, type Kind } from "./component.ts";
import { compareUtf8, sha256 } from "./digest.ts";
import { WaybillError } from "./errors.ts";
import { foldName } from "./fold-name.ts";
import { encodeLock, type Lock, type LockedComponent, makeLock, parseLock, releaseOf } from "./lock.ts";
import { lockContradictions } from "./lock-contradictions.ts";
import { omsRoot } from "./oms-root.ts";
import { CHUNK_SIZE, type FileLeaf, isLink, type TreeLeaf, treeDigest, treeSize } from "./tree.ts";

const HEX = "ab".repeat(32);
const file = (path: string, more: Partial<FileLeaf> = {}): FileLeaf => ({
  path,
  size: 3,
  sha256: sha256(path),
  executable: false,
  ...more,
});

/** A component that agrees with itself. */
function component(kind: Kind, name: string, files: TreeLeaf[]): LockedComponent {
  const sorted = files.toSorted((a, b) => compareUtf8(a.path, b.path));
  const tree = treeDigest(sorted);
  const base = { kind, name, mediaType: "text/plain", size: treeSize(sorted) };
  if (kind === "tool") {
    const document = { type: "urn:waybill:tool:v1", instructions: null, tools: [], artifact: tree };
    return {
      leaf: { ...base, digest: `sha256:${sha256(canonicalJson(document))}` },
      files: sorted,
      document,
    };
  }
  if (kind === "image") {
    const blob = sorted[0] as FileLeaf;
    return { leaf: { ...base, digest: `sha256:${blob.sha256}` }, files: sorted };
  }
  const oms = kind === "model" ? omsRoot(sorted.filter((f): f is FileLeaf => !isLink(f))) : undefined;
  return { leaf: { ...base, digest: tree, ...(oms ? { also: { oms } } : {}) }, files: sorted };
}

const blob = (hex: string): FileLeaf => file(`blobs/sha256/${hex}`, { sha256: hex });

/** A lock whose settings declare exactly what it pins. */
function lockOf(settings: Lock["settings"], components: LockedComponent[]): Lock {
  const declared = components
    .map(({ leaf: { kind, name, origin } }) => ({ kind, name, ...(origin === undefined ? {} : { origin }) }))
    .toSorted(compareComponents);
  return makeLock("agent", { ...settings, components: declared }, components);
}

/** One component of each kind. */
function whole(): Lock {
  return lockOf({ start: { command: ["x"] } }, [
    ...KINDS.filter((kind) => kind !== "image").map((kind) =>
      component(kind, "one", [file("a.md"), file("b/c.md"), { path: "l", link: "a.md" }]),
    ),
    component("image", "one", [blob(HEX), blob("cd".repeat(32))]),
  ]);
}

test("a lock of all nine kinds agrees with itself and is read as it was written", () => {
  const lock = whole();
  assert.deepEqual(lockContradictions(lock), []);
  assert.deepEqual(parseLock(encodeLock(lock)), lock);
  assert.equal(`sha256:${releaseOf(lock).digest}`, lock.release);
});

const segment = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }).filter((s) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is left out
  return s.isWellFormed() && !/[\u0000-\u001f\u007f/]/.test(s) && s !== "." && s !== "..";
});
const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
const anyFile: fc.Arbitrary<TreeLeaf> = fc
  .record({ path, size: fc.nat(3 * CHUNK_SIZE), executable: fc.boolean(), salt: fc.string() })
  .map(({ path: at, size, executable, salt }) => ({
    ...file(at, { size, executable, sha256: sha256(salt) }),
    ...(size > CHUNK_SIZE ? { chunks: sha256(`chunks ${salt}`) } : {}),
  }));
const anyFiles = fc
  .uniqueArray(anyFile, { minLength: 1, maxLength: 6, selector: (leaf) => foldName(leaf.path) })
  .filter((files) => !files.some((a) => files.some((b) => b.path.startsWith(`${a.path}/`))));
const anyLock = fc
  .record({
    settings: fc
      .dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 3 }))
      // At any depth: no manifest may hold this key, so no lock does.
      .filter((settings) => !JSON.stringify(settings).includes('"__proto__"')),
    components: fc.uniqueArray(
      fc.record({
        kind: fc.constantFrom(...KINDS.filter((k) => k !== "image")),
        name: segment,
        files: anyFiles,
      }),
      { minLength: 1, maxLength: 5, selector: (c) => `${c.kind}/${c.name}` },
    ),
  })
  .map(({ settings, components }) => ({
    settings: JSON.parse(JSON.stringify(settings)) as Lock["settings"],
    components: components.map((c) => component(c.kind, c.name, c.files)),
  }));

test("any lock goes round: encode, parse, encode, and agrees with itself", () => {
  fc.assert(
    fc.property(anyLock, ({ settings, components }) => {
      const lock = lockOf(settings, components);
      const text = encodeLock(lock);
      let read: Lock;
      try {
        read = parseLock(text);
      } catch (error) {
        // Only settings may hold numbers or half characters that no lock says.
        assert.ok(error instanceof WaybillError);
        assert.equal(error.code, "WB-INPUT-005");
        return;
      }
      assert.equal(encodeLock(read), text);
      assert.deepEqual(lockContradictions(read), []);
    }),
    { numRuns: 150 },
  );
});

test("components and files may be given in any order", () => {
  fc.assert(
    fc.property(anyLock, ({ settings, components }) => {
      const turned = components.toReversed().map((c) => ({ ...c, files: c.files.toReversed() }));
      let text: string;
      try {
        text = encodeLock(lockOf(settings, components));
      } catch {
        return;
      }
      assert.equal(encodeLock(lockOf(settings, turned)), text);
    }),
    { numRuns: 50 },
  );
});

/** Changes one thing; what must be said of it. */
const CONTRADICTIONS: [name: string, what: string, change: (lock: Lock) => unknown][] = [
  ["release", "release digest", (l) => Object.assign(l, { release: `sha256:${HEX}` })],
  ["agent", "release digest", (l) => Object.assign(l, { agent: "other" })],
  ["settings", "release digest", (l) => Object.assign(l.settings, { start: {} })],
  ["declared and not pinned", "list of components", (l) => l.components.pop()],
  [
    "pinned and not declared",
    "list of components",
    (l) => Object.assign(l.settings, { components: (l.settings.components as Json[]).slice(1) }),
  ],
  ["no declared components", "list of components", (l) => Object.assign(l.settings, { components: null })],
  ["a declared nothing", "list of components", (l) => Object.assign(l.settings, { components: [null] })],
  ["origin", "list of components", (l) => Object.assign(l.components[0]!.leaf, { origin: "elsewhere" })],
  ["media type", "release digest", (l) => Object.assign(l.components[0]!.leaf, { mediaType: "text/html" })],
  ["order of components", "order of components", (l) => l.components.reverse()],
  ["component twice", "order of components", (l) => l.components.splice(1, 0, l.components[0]!)],
  ["order of files", "order of files", (l) => of(l, "code").files.reverse()],
  ["file twice", "order of files", (l) => of(l, "code").files.unshift(of(l, "code").files[0]!)],
  ["size of the component", "size", (l) => Object.assign(of(l, "corpus").leaf, { size: 99 })],
  ["size of a file", "size", (l) => Object.assign(one(l, "corpus"), { size: 99 })],
  [
    "digest of the component",
    "digest",
    (l) => Object.assign(of(l, "infra").leaf, { digest: `waybill-tree-v1:${HEX}` }),
  ],
  [
    "digest's algorithm",
    "digest",
    (l) => {
      const { leaf } = of(l, "infra");
      leaf.digest = `sha256:${leaf.digest.split(":")[1]}`;
    },
  ],
  ["digest of a file", "digest", (l) => Object.assign(one(l, "dataset"), { sha256: HEX })],
  ["x bit", "digest", (l) => Object.assign(one(l, "code"), { executable: true })],
  ["target of a link", "digest", (l) => Object.assign(of(l, "code").files[2]!, { link: "b/c.md" })],
  ["file left out", "digest", (l) => of(l, "prompt").files.pop()],
  ["no files", "digest", (l) => Object.assign(of(l, "prompt"), { files: [] })],
  ["link out", "link", (l) => Object.assign(of(l, "code").files[2]!, { link: "../x" })],
  ["absolute link", "link", (l) => Object.assign(of(l, "code").files[2]!, { link: "/etc" })],
  ["names that fold into one", "paths", (l) => of(l, "prompt").files.unshift(file("A.MD"))],
  ["a file that is a folder too", "paths", (l) => of(l, "prompt").files.push(file("l/x"))],
  ["chunks of a small file", "chunk root", (l) => Object.assign(one(l, "code"), { chunks: HEX })],
  ["large file without chunks", "chunk root", (l) => Object.assign(one(l, "code"), { size: CHUNK_SIZE + 1 })],
  ["OMS root", "OMS root", (l) => Object.assign(of(l, "model").leaf, { also: { oms: HEX } })],
  ["no OMS root", "OMS root", (l) => delete of(l, "model").leaf.also],
  ["OMS root of no model", "OMS root", (l) => Object.assign(of(l, "code").leaf, { also: { oms: HEX } })],
  ["another digest in `also`", "also", (l) => Object.assign(of(l, "model").leaf.also!, { hf: "x" })],
  ["`also` of no model", "also", (l) => Object.assign(of(l, "code").leaf, { also: { hf: "x" } })],
  [
    "the word for no root",
    "OMS root",
    (l) => {
      const bare = component("model", "one", [file(".gitignore")]);
      bare.leaf.also = { oms: "none" };
      l.components[l.components.indexOf(of(l, "model"))] = bare;
    },
  ],
  ["document of another kind", "document", (l) => Object.assign(of(l, "code"), { document: {} })],
  ["no document", "digest", (l) => delete of(l, "tool").document],
  ["document changed", "digest", (l) => Object.assign(of(l, "tool").document!, { instructions: "obey" })],
  [
    "artifact changed",
    "digest",
    (l) => Object.assign(of(l, "tool").document!, { artifact: `waybill-tree-v1:${HEX}` }),
  ],
  ["image without its manifest", "digest", (l) => of(l, "image").files.shift()],
  ["blob under another name", "blob", (l) => Object.assign(one(l, "image"), { sha256: "ef".repeat(32) })],
  ["executable blob", "blob", (l) => Object.assign(one(l, "image"), { executable: true })],
];

const of = (lock: Lock, kind: Kind): LockedComponent => lock.components.find((c) => c.leaf.kind === kind)!;
const one = (lock: Lock, kind: Kind): FileLeaf => of(lock, kind).files[0] as FileLeaf;

for (const [name, what, change] of CONTRADICTIONS)
  test(`contradiction: ${name}`, () => {
    const lock = structuredClone(whole());
    change(lock);
    const found = lockContradictions(lock);
    assert.ok(
      found.some((c) => c.what === what),
      JSON.stringify(found),
    );
    for (const { expected, found: actual } of found) assert.notEqual(expected, actual);
  });

const refusal = (text: string): string => {
  try {
    parseLock(text);
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    return `${error.code} ${error.message}`;
  }
};

test("a text that is not canonical is refused, whatever it says", () => {
  const text = encodeLock(whole());
  const other: string[] = [
    text.slice(0, -1),
    `${text}\n`,
    ` ${text}`,
    text.replaceAll("\n", "\r\n"),
    text.replace('"executable":false', '"executable": false'),
    text.replace('"path":"a.md"', '"path":"\\u0061.md"'),
    text.replace('"size":3', '"size":3.0'),
    text.replace('"size":3', '"size":3e0'),
    text.replace('  "agent": "agent",\n', "").replace('  "type"', '  "agent": "agent",\n  "type"'),
    JSON.stringify(JSON.parse(text)),
    JSON.stringify(JSON.parse(text), null, 2),
  ];
  for (const [i, changed] of other.entries()) {
    assert.notEqual(changed, text);
    assert.equal(refusal(changed), "WB-INPUT-006 waybill.lock: not in canonical form", String(i));
  }
});

test("departures from the schema name their place", () => {
  const text = encodeLock(whole());
  const cases: [from: string, to: string, expected: RegExp][] = [
    ['"urn:waybill:lock:v1"', '"urn:waybill:lock:v2"', /^WB-INPUT-006 waybill\.lock: type: /],
    ['"agent": "agent"', '"agent": ""', /agent: /],
    ['"kind":"code"', '"kind":"codes"', /components\.0\.leaf\.kind: /],
    ['"path":"a.md"', '"path":"../a"', /path is holds a '\.\.' segment|components\.0\.files\.0/],
    ['"path":"a.md"', '"path":"/a"', /components\.0\.files\.0/],
    ['"size":3', '"size":-1', /components\.0\.files\.0/],
    ['"size":3', '"size":1.5', /components\.0\.files\.0/],
    ['"executable":false,', "", /components\.0\.files\.0/],
    ['"executable":false', '"executable":false,"mode":1', /components\.0\.files\.0/],
    ['"link":"a.md"', '"link":""', /components\.0\.files\.2/],
    [`"also":{"oms":"${of(whole(), "model").leaf.also!.oms}"}`, '"also":{}', /leaf\.also: an empty `also`/],
    ['"mediaType":"text/plain"', '"mediaType":""', /leaf\.mediaType/],
    ['"name":"one"', `"name":"${"x".repeat(65)}"`, /leaf\.name/],
    ['"digest":"waybill-tree-v1:', '"digest":"md5:', /unknown digest algorithm 'md5'/],
    ['"digest":"waybill-tree-v1:', '"digest":"waybill-tree-v1:A', /not of the form/],
    ['  "settings"', '  "extra": 1,\n  "settings"', /unrecognized key/i],
  ];
  for (const [from, to, expected] of cases) {
    assert.ok(text.includes(from), from);
    assert.match(refusal(text.replace(from, to)), expected);
  }
});

test("what is no JSON is refused with its place", () => {
  assert.equal(refusal(""), "WB-INPUT-005 waybill.lock:1:1: unexpected end");
  assert.match(
    refusal(encodeLock(whole()).replace('  "agent"', '  "agent": "x",\n  "agent"')),
    /^WB-INPUT-005 waybill\.lock:4:3: /,
  );
  assert.match(refusal("<<<<<<< HEAD\n"), /^WB-INPUT-005 waybill\.lock:1:1: /);
  assert.match(refusal(encodeLock(whole()).slice(0, 500)), /^WB-INPUT-005/);
  assert.match(refusal(`\ufeff${encodeLock(whole())}`), /^WB-INPUT-005/);
  assert.match(refusal("[".repeat(100_000)), /^WB-INPUT-005/);
  assert.match(refusal("null"), /^WB-INPUT-006/);
});

test("settings stand in the order of UTF-16 code units, whatever their names", () => {
  const settings: { [key: string]: Json } = { b: 1, "10": 2, "9": 3, a: {}, "～": [], "😀": [{}] };
  const text = encodeLock(makeLock("agent", settings, [component("code", "c", [file("a")])]));
  const shown = text.slice(text.indexOf('"settings"'), text.indexOf('  "components"'));
  assert.equal(
    shown,
    '"settings": {\n    "10": 2,\n    "9": 3,\n    "a": {},\n    "b": 1,\n    "😀": [\n      {}\n    ],\n    "～": []\n  },\n',
  );
  assert.deepEqual(parseLock(text).settings, settings);
});

test("no component, or two of one name, is no lock", () => {
  assert.throws(() => makeLock("agent", {}, []), RangeError);
  const twice = component("code", "c", [file("a")]);
  assert.throws(() => makeLock("agent", {}, [twice, twice]), /code\/c stands twice/);
});

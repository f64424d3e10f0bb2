import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { CHECKS } from "../../src/checks/registry.ts";
import { folder } from "../../src/checks/testing.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { parseCommandLine } from "../../src/cli/parse.ts";
import { compileIgnore } from "../../src/components/ignore.ts";
import { readTools } from "../../src/components/kinds/tool.ts";
import { canonicalJson, type Json } from "../../src/core/canonical-json.ts";
import { encodeCheckpoint, parseCheckpoint } from "../../src/core/checkpoint.ts";
import { WaybillError } from "../../src/core/errors.ts";
import { encodeLock, parseLock } from "../../src/core/lock.ts";
import { lockContradictions } from "../../src/core/lock-contradictions.ts";
import { parseManifest } from "../../src/core/manifest.ts";
import { encodeNote, noteKeyId, parseNote, parseVerifierKey } from "../../src/core/note.ts";
import { settingsDigest, settingsOf } from "../../src/core/settings.ts";
import { JsonSyntaxError, parseStrictJson } from "../../src/core/strict-json.ts";
import { diffLines } from "../../src/core/text-diff.ts";
import { encodeEntryBundle, parseEntryBundle, parseTilePath, tilePath } from "../../src/core/tlog-tiles.ts";
import { parseYaml } from "../../src/core/yaml-source.ts";
import { readChannelStatement } from "../../src/evidence/channel.ts";
import { OMS_LEGACY_TYPE, parseOms } from "../../src/evidence/oms.ts";
import { compareOms } from "../../src/evidence/oms-compare.ts";
import { makeOmsStatement } from "../../src/evidence/oms-statement.ts";
import { readReleaseStatement } from "../../src/evidence/release.ts";
import { encodeStatement, parseStatement, STATEMENT_TYPE } from "../../src/evidence/statement.ts";
import { parseGitIndex } from "../../src/formats/git-index.ts";
import { parseOciManifest } from "../../src/formats/oci.ts";
import { tensorRanges } from "../../src/formats/safetensors-header.ts";
import { encodeEntry, parseEntry } from "../../src/journal/entry.ts";
import { encodeEnvelopeFile, parseEnvelopeFile } from "../../src/journal/envelope-file.ts";
import { parseAddCheckpoint } from "../../src/journal/witness.ts";
import { parseBundle } from "../../src/sign/bundle.ts";
import { readCertificate } from "../../src/sign/certificate.ts";
import { importPublicKey, spkiDer } from "../../src/sign/keys.ts";
import { bundleOf, PrivateSigstore, signThing } from "../../src/sign/private-sigstore.test.ts";
import { checkTimestamp } from "../../src/sign/timestamp.ts";
import { parseTrustedRoot } from "../../src/sign/trusted-root.ts";
import { verifyBundle } from "../../src/sign/verify-bundle.ts";
import { parseTrust } from "../../src/verify/trust.ts";
import { trustTemplate } from "../../src/verify/trust-template.ts";

/** One parser of hostile bytes. */
export interface Target {
  name: string;
  /** The only classes of error that may come out. */
  errors: readonly (new (
    ...args: never[]
  ) => Error)[];
  /** Inputs that are mutated. */
  corpus(): (string | Buffer)[];
  /** True: none of the corpus is refused. */
  valid?: boolean;
  run(input: Buffer): unknown;
}

const ROOT = join(import.meta.dirname, "../..");

/** The corpus of a target as bytes. */
export function makeCorpus(target: Target): Buffer[] {
  return target.corpus().map((input) => Buffer.from(input as string));
}

/** Committed files below `testdata` and `examples`, small ones only. */
function found(...folders: string[]): { path: string; text: string }[] {
  return folders.flatMap((name) => {
    const top = join(ROOT, name);
    return readdirSync(top, { recursive: true, withFileTypes: true })
      .filter(
        (entry) =>
          entry.isFile() && !/node_modules|\.waybill|\.test\.ts$/.test(join(entry.parentPath, entry.name)),
      )
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => ({ path: relative(top, path), text: readFileSync(path, "utf8") }))
      .filter(({ text }) => text.length < 16_384);
  });
}

function vectors(file: string): { name: string; input: unknown; expected: unknown }[] {
  return JSON.parse(readFileSync(join(ROOT, "testdata/vectors", `${file}.json`), "utf8"));
}
/** Inputs of vectors that are texts and are accepted. */
const accepted = (file: string): string[] =>
  vectors(file).flatMap(({ input, expected }) =>
    typeof input === "string" && expected !== null ? [input] : [],
  );

const manifests = (): string[] =>
  found("examples", "testdata/seeds")
    .filter((f) => f.path.endsWith("waybill.yaml"))
    .map((f) => f.text);

const text = (input: Buffer): string => input.toString("utf8");

function gitIndex(version: number): Buffer {
  const entries = ["a.js", "bin/run.sh", "bin/run.sh.bak", "é"].map((path, i) => {
    const fixed = Buffer.alloc(62);
    fixed.writeUInt32BE(i === 1 ? 0o100755 : 0o100644, 24);
    const name = Buffer.from(path);
    if (version === 4)
      return Buffer.concat([
        fixed,
        Buffer.from([i === 0 ? 0 : i === 1 ? 4 : i === 2 ? 0 : 14]),
        i === 2 ? Buffer.from(".bak") : name,
        Buffer.alloc(1),
      ]);
    const length = fixed.length + name.length;
    return Buffer.concat([fixed, name, Buffer.alloc(8 - (length % 8))]);
  });
  const head = Buffer.from("DIRC\0\0\0\0\0\0\0\u0004", "latin1");
  head.writeUInt32BE(version, 4);
  return Buffer.concat([head, ...entries, Buffer.from("TREE\0\0\0\u0001x", "latin1")]);
}

/** A mutated index with its checksum put right: else all would end there. */
const sealed = (body: Buffer): Buffer => Buffer.concat([body, createHash("sha1").update(body).digest()]);

function bundles(): string[] {
  return accepted("statement").map((statement) =>
    canonicalJson({
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: {
        publicKey: { hint: "VgEvq2+IdvIva9CvaPyom7JJajDiuLkYQE20EzFJhsE=" },
        tlogEntries: [],
      },
      dsseEnvelope: {
        payload: Buffer.from(statement).toString("base64"),
        payloadType: "application/vnd.in-toto+json",
        signatures: [{ sig: Buffer.alloc(70, 7).toString("base64") }],
      },
    }),
  );
}

/** Statements about models: whole files, shards, and the older form, which has no root that a mutation breaks. */
function models(): string[] {
  const sha256 = "ab".repeat(32);
  const names = ["a", "b/c", "a.b", "é"];
  const files = makeOmsStatement({
    name: "m",
    files: names.map((path) => ({ path, sha256 })),
    ignored: ["kept/out"],
  });
  if ("problem" in files) throw new Error(files.problem);
  const resources = ["a:0:1000", "a:1000:1003", "b/c:0:7"].map((name) => ({
    name,
    algorithm: "sha256-sharded-1000",
    digest: sha256,
  }));
  const root = createHash("sha256")
    .update(Buffer.from(sha256.repeat(3), "hex"))
    .digest("hex");
  return [
    encodeStatement(files),
    JSON.stringify({
      ...files,
      subject: [{ name: "m", digest: { sha256: root } }],
      predicate: {
        serialization: { method: "shards", hash_type: "sha256", shard_size: 1000, allow_symlinks: true },
        resources,
      },
    }),
    JSON.stringify({
      _type: STATEMENT_TYPE,
      predicateType: OMS_LEGACY_TYPE,
      predicate: {},
      subject: names.map((name) => ({ name, digest: { sha256 } })),
    }),
  ];
}

/** Compares whatever is read with a model that has files, links in a circle and empty files. */
function readModel(input: Buffer): void {
  const manifest = parseOms(input);
  if ("problem" in manifest) throw new SyntaxError(manifest.problem);
  const files = ["a", "b/c", "a.b", "kept/out/x"].map((path, i) => ({
    path,
    size: i * 1003,
    sha256: "ab".repeat(32),
  }));
  const links = [
    { path: "l", link: "b" },
    { path: "p", link: "p" },
  ];
  compareOms(manifest, { files, links, isSingleFile: false });
}

let sigstore: PrivateSigstore | undefined;

/** A Sigstore of its own, made when a target first needs it. */
function privateSigstore(): PrivateSigstore {
  sigstore ??= new PrivateSigstore();
  return sigstore;
}

/** Bundles by certificates, logged in Rekor v1 and v2, with timestamps. */
function keylessBundles(): string[] {
  const authority = privateSigstore();
  const statement = accepted("statement")[0]!;
  return (["0.0.1", "0.0.2"] as const).map((version) => {
    const signer = authority.certificate();
    const { data, signature } = signThing(signer, { statement });
    const entry = authority.entry(authority.body(data, signature, signer, version));
    const timestamps = [authority.timestamp(signature, undefined, { embed: true })];
    return JSON.stringify(bundleOf({ statement }, signature, signer, { entries: [entry], timestamps }));
  });
}

function fuzzRoots() {
  const root = parseTrustedRoot(privateSigstore().trustedRoot());
  if ("problem" in root) throw new Error(root.problem);
  return root;
}

function trusts(): string[] {
  const publicKey = (vectors("key")[0]!.input as string).trim();
  const options = { principal: "releaser", publicKey, expires: "2030-01-01T00:00:00Z" };
  const key = Buffer.concat([Buffer.of(4), Buffer.alloc(32, 7)]).toString("base64");
  const more = {
    waybillTrust: "v1",
    version: 2,
    expires: "2030-01-01T00:00:00Z",
    principals: [
      {
        name: "ci",
        identities: [
          { issuer: "https://issuer.example", subjectPattern: "https://forge.example/*/x@**", roots: ["a"] },
        ],
      },
    ],
    rules: [{ evidence: "sbom", agents: ["*"], principals: ["ci"], threshold: 1 }],
    roots: { principals: ["ci"], threshold: 1 },
    trustedRoots: [
      { name: "a", root: { mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1" } },
    ],
    revoked: [{ identity: { issuer: "https://issuer.example", subject: "x" }, reason: "lost" }],
  };
  const witness = noteKeyId("w.example", Buffer.alloc(32, 7), "cosignature").slice(0, 8);
  const witnesses = { threshold: 1, keys: [`w.example+${witness}+${key}`] };
  return [
    trustTemplate(options),
    trustTemplate({ ...options, agents: ["a", "b"] }),
    JSON.stringify({ ...more, witnesses }),
  ];
}

function safetensors(): Buffer[] {
  const json = JSON.stringify({
    __metadata__: { a: "b" },
    w: { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] },
    b: { dtype: "F32", shape: [1], data_offsets: [16, 20] },
  });
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(json.length));
  return [Buffer.concat([head, Buffer.from(json), Buffer.alloc(20)])];
}

const oci = (): string[] => {
  const descriptor = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: `sha256:${"ab".repeat(32)}`,
    size: 7,
    annotations: { a: "b" },
  };
  return [
    JSON.stringify({ schemaVersion: 2, config: descriptor, layers: [descriptor, descriptor] }),
    JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [descriptor],
    }),
  ];
};

/** Paths under which a text is read by one or other of the checks' readers. */
const SCANNED = [
  "run.sh",
  "Dockerfile",
  "Makefile",
  ".github/workflows/ci.yml",
  "deploy/app.yaml",
  "main.py",
  "note.ipynb",
  "index.ts",
  "package.json",
  ".mcp.json",
  "config.json",
  "requirements.txt",
  "package-lock.json",
  "checksums.txt",
  "pyproject.toml",
  "run",
];

/** A path on the first line, the text beneath it. */
const scanned = (): string[] => [
  ...found("testdata/seeds", "examples")
    .filter((f) => !/\.(md|png)$/.test(f.path))
    .map((f) => `${f.path}\n${f.text}`),
  ...CHECKS.flatMap(({ rule }) =>
    rule.example?.file
      ? [`${rule.example.file}\n${rule.example.bad}`, `${rule.example.file}\n${rule.example.good}`]
      : [],
  ),
];

function runChecks(input: Buffer): void {
  const all = text(input);
  const cut = all.indexOf("\n");
  const declared = all.slice(0, Math.max(0, cut));
  // A path that a mutation spoilt would be read by no check.
  const path = SCANNED.some((known) => declared.endsWith(known))
    ? declared
    : SCANNED[input.length % SCANNED.length]!;
  const facts = folder({
    texts: { [path]: all.slice(cut + 1) },
    git: { state: "tracked", files: new Set([path]) },
  });
  for (const check of CHECKS) check.run(facts);
}

const CHECKPOINT = "log.example/journal\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const VERIFIER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const note = (count: number): string =>
  `${CHECKPOINT}\n${`— log.example/journal ${Buffer.alloc(68, 7).toString("base64")}\n`.repeat(count)}`;
/** Width first, then a bundle of so many entries. */
const entryBundle = (...entries: string[]): Buffer =>
  Buffer.concat([
    Buffer.from([entries.length]),
    encodeEntryBundle(entries.map((entry) => Buffer.from(entry))),
  ]);

export const TARGETS: readonly Target[] = [
  {
    name: "parseYaml",
    errors: [WaybillError],
    corpus: manifests,
    valid: true,
    run: (input) => {
      const { data, locate } = parseYaml(text(input), "f.yaml");
      // Whatever was read can be hashed, and every place in it be found.
      canonicalJson(data);
      locate(["components", 0, "path"]);
    },
  },
  {
    name: "parseManifest",
    errors: [WaybillError],
    corpus: manifests,
    valid: true,
    run: (input) => settingsDigest(settingsOf(parseManifest(text(input)).manifest)),
  },
  {
    name: "parseLock",
    errors: [WaybillError],
    corpus: () => accepted("lock"),
    valid: true,
    run: (input) => {
      const lock = parseLock(text(input));
      lockContradictions(lock);
      if (encodeLock(lock) !== text(input)) throw new TypeError("two texts of one lock");
    },
  },
  {
    name: "lockContradictions",
    errors: [],
    corpus: () => accepted("lock"),
    run: (input) => {
      // Beneath the demand for canonical text, so that more than the text's first byte is tried.
      let data: Json;
      try {
        data = parseStrictJson(text(input));
        lockContradictions(parseLock(encodeLock(data as never)));
      } catch (error) {
        if (error instanceof WaybillError || error instanceof JsonSyntaxError || error instanceof TypeError)
          return;
        throw error;
      }
    },
  },
  {
    name: "parseStrictJson",
    errors: [JsonSyntaxError],
    corpus: () => [...accepted("strict-json"), ...oci(), ...accepted("statement")],
    valid: true,
    run: (input) => {
      const once = canonicalJson(parseStrictJson(text(input)));
      if (canonicalJson(parseStrictJson(once)) !== once) throw new TypeError("not the same when read again");
    },
  },
  {
    name: "parseNote",
    errors: [],
    corpus: () => [note(1), note(3), `a\n\n${note(2)}`, VERIFIER_KEY],
    run: (input) => {
      const parsed = parseNote(text(input));
      if (!("problem" in parsed) && encodeNote(parsed) !== text(input))
        throw new TypeError("two texts of one note");
      parseVerifierKey(text(input));
    },
  },
  {
    name: "parseCheckpoint",
    errors: [],
    corpus: () => [CHECKPOINT, `${CHECKPOINT}an extension\n`, CHECKPOINT.replace("20852163", "0")],
    run: (input) => {
      const parsed = parseCheckpoint(text(input));
      if (!("problem" in parsed) && encodeCheckpoint(parsed) !== text(input))
        throw new TypeError("two texts of one checkpoint");
    },
  },
  {
    name: "parseEntryBundle",
    errors: [],
    corpus: () => [entryBundle("a", "", "bc"), entryBundle("x".repeat(300)), entryBundle()],
    run: (input) => {
      const bytes = input.subarray(1);
      const parsed = parseEntryBundle(bytes, input[0] ?? 0);
      if (Array.isArray(parsed) && !encodeEntryBundle(parsed).equals(bytes))
        throw new TypeError("two texts of one bundle");
    },
  },
  {
    name: "parseTilePath",
    errors: [],
    corpus: () => ["tile/0/x001/x234/067.p/8", "tile/entries/000", "tile/63/x009/x007/x199/x254/x740/991"],
    run: (input) => {
      const parsed = parseTilePath(text(input));
      if (!("problem" in parsed) && tilePath(parsed) !== text(input))
        throw new TypeError("two spellings of one tile");
    },
  },
  {
    name: "parseAddCheckpoint",
    errors: [],
    corpus: () => [`old 0\n\n${note(1)}`, `old 5\n${CHECKPOINT.split("\n")[2]}\n\n${note(2)}`],
    run: (input) => parseAddCheckpoint(input),
  },
  {
    name: "parseEntry",
    errors: [],
    corpus: () => [
      encodeEntry({
        digest: Buffer.alloc(32, 1),
        signature: Buffer.alloc(70, 2),
        verifier: {
          kind: "publicKey",
          der: spkiDer(importPublicKey(vectors("key")[0]!.input as string)),
        },
      }),
    ],
    run: (input) => {
      const parsed = parseEntry(text(input));
      if (!("problem" in parsed) && encodeEntry(parsed) !== text(input))
        throw new TypeError("two texts of one entry");
    },
  },
  {
    name: "parseEnvelopeFile",
    errors: [],
    corpus: () => [
      encodeEnvelopeFile({ payload: "e30=", payloadType: "text/plain", signatures: [{ sig: "AAAA" }] }),
    ],
    run: (input) => {
      const parsed = parseEnvelopeFile(input);
      if (!("problem" in parsed) && encodeEnvelopeFile(parsed) !== text(input))
        throw new TypeError("two texts of one envelope");
    },
  },
  {
    name: "parseTrust",
    errors: [WaybillError],
    corpus: trusts,
    valid: true,
    run: (input) => parseTrust(text(input)),
  },
  {
    name: "importPublicKey",
    errors: [WaybillError],
    corpus: () => [vectors("key")[0]!.input as string],
    valid: true,
    run: (input) => importPublicKey(text(input)),
  },
  {
    name: "parseBundle",
    errors: [],
    corpus: bundles,
    run: (input) => {
      const bundle = parseBundle(text(input));
      if (!("problem" in bundle) && bundle.content.kind === "dsse") parseStatement(bundle.content.payload);
    },
  },
  {
    name: "verifyBundle",
    errors: [],
    corpus: keylessBundles,
    run: (input) => {
      const bundle = parseBundle(text(input));
      if ("problem" in bundle) return;
      const authority = { roots: [{ name: "fuzz", root: fuzzRoots() }], findKey: () => undefined };
      verifyBundle(bundle, authority, { sha256: "00".repeat(32) });
    },
  },
  {
    name: "readCertificate",
    errors: [],
    corpus: () => [privateSigstore().certificate().der],
    run: (input) => readCertificate(input),
  },
  {
    name: "checkTimestamp",
    errors: [],
    corpus: () => [privateSigstore().timestamp(Buffer.from("x"), undefined, { embed: true })],
    run: (input) => checkTimestamp(input, Buffer.from("x"), fuzzRoots().timestampAuthorities),
  },
  {
    name: "parseTrustedRoot",
    errors: [JsonSyntaxError],
    corpus: () => [JSON.stringify(privateSigstore().trustedRoot())],
    valid: true,
    run: (input) => {
      const root = parseTrustedRoot(parseStrictJson(text(input)));
      return root;
    },
  },
  {
    name: "parseStatement",
    errors: [],
    corpus: () => accepted("statement"),
    run: (input) => {
      const statement = parseStatement(input);
      if ("problem" in statement) return;
      readReleaseStatement(statement);
      readChannelStatement(statement);
    },
  },
  { name: "parseOms", errors: [SyntaxError], corpus: models, valid: true, run: readModel },
  {
    name: "parseGitIndex",
    errors: [RangeError],
    corpus: () => [2, 3, 4].map(gitIndex),
    valid: true,
    run: (input) => parseGitIndex(sealed(input)),
  },
  {
    name: "parseGitIndexUnsealed",
    errors: [RangeError],
    corpus: () => [2, 4].map((v) => sealed(gitIndex(v))),
    valid: true,
    run: (input) => parseGitIndex(input),
  },
  { name: "parseOciManifest", errors: [], corpus: oci, run: (input) => parseOciManifest(text(input)) },
  {
    name: "readTools",
    errors: [JsonSyntaxError],
    corpus: () => [
      '{"instructions":"x","tools":[{"name":"a","inputSchema":{"type":"object"}},{"name":"b","outputSchema":null}]}',
    ],
    valid: true,
    run: (input) => readTools(parseStrictJson(text(input))),
  },
  { name: "tensorRanges", errors: [], corpus: safetensors, run: (input) => tensorRanges(input) },
  {
    name: "compileIgnore",
    errors: [],
    corpus: () => ["*.log\nsrc/a.log\n", "a/**/b*c?\na/x/y/bzzcd\n", "**/*a*a*a*\naaaaaaaa/aaaaab\n"],
    run: (input) => {
      // As in a manifest: patterns have at most 256 characters, paths 4096.
      const [pattern = "", ...path] = text(input).split("\n");
      compileIgnore([pattern.slice(0, 256)])(path.join("/").slice(0, 4096), input.length % 2 === 0);
    },
  },
  {
    name: "diffLines",
    errors: [],
    corpus: () => ["a\nb\nc\0a\nx\nc"],
    run: (input) => {
      const [before = "", after = ""] = text(input).split("\0");
      diffLines(before, after);
    },
  },
  { name: "checks", errors: [], corpus: scanned, run: runChecks },
  {
    name: "parseCommandLine",
    errors: [WaybillError],
    corpus: () => [
      "lock\0--dir\0x",
      "verify\0--trust=t\0--level\0strict",
      "run\0-C\0.\0--\0node\0x",
      "keys\0create\0name",
      "help\0lock",
      "channel\0allow\0--days\x007",
    ],
    run: (input) => parseCommandLine(text(input).split("\0"), COMMANDS),
  },
];

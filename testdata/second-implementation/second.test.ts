import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { VECTORS } from "../../scripts/vectors.ts";
import { observe } from "../../src/components/observe.ts";
import { sha256 } from "../../src/core/digest.ts";
import { encodeLock, makeLock } from "../../src/core/lock.ts";
import { parseManifest } from "../../src/core/manifest.ts";
import { settingsOf } from "../../src/core/settings.ts";

const PROGRAM = join(import.meta.dirname, "waybill.py");
const found = spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 10))"]).status === 0;
// In CI the second implementation must run: without it nothing proves that the pages suffice.
const skip = !found && !process.env.CI ? "python3 (3.10 or newer) is not installed" : false;

const scratch = mkdtempSync(join(tmpdir(), "waybill-second-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function python(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const options = { encoding: "utf8", env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } } as const;
  return spawnSync("python3", [PROGRAM, ...args], options);
}

function write(path: string, content: string | Buffer, mode = 0o644): void {
  const full = join(scratch, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  chmodSync(full, mode);
}

test("the second implementation passes every vector", { skip }, () => {
  const { stdout, stderr } = python("vectors", VECTORS);
  assert.match(stdout, /^[1-9]\d* passed, 0 failed\n$/, stdout + stderr);
});

test("a wrong vector fails", { skip }, () => {
  const files = [
    "canonical-json",
    "strict-json",
    "files",
    "tree",
    "component-leaf",
    "tool-document",
    "oms-root",
  ];
  for (const name of [...files, "settings", "release", "lock", "statement", "pae", "key"]) {
    const text = readFileSync(join(VECTORS, `${name}.json`), "utf8");
    // Each expected value gets another one: 'null' where there is something, something where there is null.
    const broken = (JSON.parse(text) as { expected: unknown }[]).map((v) => ({
      ...v,
      expected: v.expected === null ? "something" : null,
    }));
    write(`broken/${name}.json`, JSON.stringify(broken));
  }
  const { status, stdout } = python("vectors", join(scratch, "broken"));
  assert.equal(status, 1);
  // `null` stands for "refused" and for the value of an empty result: no vector may pass both ways.
  assert.match(stdout, /^0 passed, [1-9]\d* failed$/m);
});

const MANIFEST = `waybill: v1
agent: second
components:
  - { kind: model, name: intent, path: models/intent }
  - { kind: dataset, name: intents, path: data/intents.jsonl }
  - { kind: prompt, name: system, paths: [prompts/system.md, prompts/shots] }
  - { kind: tool, name: desk, path: tools/desk }
  - { kind: corpus, name: faq, path: corpus/ }
  - { kind: code, name: agent, path: . }
  - { kind: dependencies, name: npm, path: package-lock.json }
  - { kind: image, name: runtime, path: image }
  - { kind: infra, name: pods, paths: [pod.yaml] }
start: { command: [node, main.js], listen: [8080, 80], egress: [b.example, a.example] }
ignore: ["*.tmp"]
`;

/** Writes an agent with all nine kinds; returns one file of each, by kind. */
function writeAgent(): Record<string, string> {
  const blob = (text: string): { digest: string; size: number; path: string } => {
    const path = `agent/image/blobs/sha256/${sha256(text)}`;
    write(path, text);
    return { digest: `sha256:${sha256(text)}`, size: Buffer.byteLength(text), path };
  };
  const describe = (mediaType: string, { digest, size }: { digest: string; size: number }) => ({
    mediaType,
    digest,
    size,
  });
  const oci = "application/vnd.oci.image";
  const layer = blob("layer");
  const manifest = {
    schemaVersion: 2,
    config: describe(`${oci}.config.v1+json`, blob("{}")),
    layers: [describe(`${oci}.layer.v1.tar`, layer)],
  };
  const index = {
    schemaVersion: 2,
    manifests: [describe(`${oci}.manifest.v1+json`, blob(JSON.stringify(manifest)))],
  };
  write("agent/image/index.json", JSON.stringify(index));
  write("agent/image/oci-layout", '{"imageLayoutVersion":"1.0.0"}');
  write("agent/waybill.yaml", MANIFEST);
  write("agent/waybill.sha256sums", "belongs to no tree\n");
  write("agent/waybill.evidence/x", "neither does this\n");
  write("agent/models/intent/model.bin", Buffer.alloc(2_500_000, 7));
  write("agent/models/intent/.gitattributes", "not in the OMS root\n");
  write("agent/data/intents.jsonl", "{}\n");
  write("agent/prompts/system.md", "Be kind.\n");
  write("agent/prompts/shots/～.md", "1\n");
  write("agent/prompts/shots/😀.md", "2\n");
  write("agent/tools/desk/server.js", "//\n", 0o755);
  write(
    "agent/tools/desk/tools.json",
    '{ "tools": [ { "name": "b" }, { "name": "a", "description": "é" } ] }\n',
  );
  write("agent/corpus/a-b", "1");
  write("agent/corpus/a.b", "2");
  write("agent/corpus/a/b", "3");
  symlinkSync("a/b", join(scratch, "agent/corpus/latest"));
  write("agent/main.js", "//\n", 0o755);
  write("agent/x.tmp", "ignored\n");
  write("agent/package-lock.json", "{}\n");
  write("agent/pod.yaml", "kind: Pod\n");
  return {
    model: "agent/models/intent/model.bin",
    dataset: "agent/data/intents.jsonl",
    prompt: "agent/prompts/shots/😀.md",
    tool: "agent/tools/desk/tools.json",
    corpus: "agent/corpus/a/b",
    code: "agent/main.js",
    dependencies: "agent/package-lock.json",
    image: layer.path,
    infra: "agent/pod.yaml",
  };
}

test("both implementations make one release of a real folder, and see one byte of each kind change", {
  skip,
}, async () => {
  const files = writeAgent();
  const folder = join(scratch, "agent");
  const { manifest } = parseManifest(MANIFEST);
  const { components } = await observe(folder, manifest, { mode: "lock" });
  const locked = components.map(({ id, leaf, entries, problems, document }) => {
    assert.ok(leaf, `${id}: ${JSON.stringify(problems)}`);
    return {
      leaf,
      files: entries.map((entry) => ({ ...entry })) as never,
      ...(document ? { document } : {}),
    };
  });
  const lock = makeLock(manifest.agent, settingsOf(manifest), locked);
  const path = join(folder, "waybill.lock");
  writeFileSync(path, encodeLock(lock));

  const clean = python("lock", path);
  assert.equal(clean.stdout, `${lock.release}\n`, clean.stderr);
  for (const [kind, file] of Object.entries(files)) {
    const full = join(scratch, file);
    const bytes = readFileSync(full);
    const changed = Buffer.from(bytes);
    changed[changed.length - 1]! ^= 1;
    writeFileSync(full, changed);
    const refused = python("lock", path);
    assert.equal(refused.status, 1, kind);
    assert.equal(refused.stdout, "", kind);
    writeFileSync(full, bytes);
  }
  writeFileSync(path, encodeLock(lock).replace('"main.js"', '"evil.js"'));
  assert.match(python("lock", path).stderr, /release digest/);
});

test("a hub cache has the digest of its plain copy", { skip }, () => {
  const repository = "hub/models--acme--tiny";
  write(`${repository}/blobs/aa`, "weights\n");
  write(`${repository}/blobs/bb`, "{}\n");
  const snapshot = join(scratch, repository, "snapshots/0123");
  mkdirSync(join(snapshot, "sub"), { recursive: true });
  symlinkSync("../../blobs/aa", join(snapshot, "model.bin"));
  symlinkSync("../../../blobs/bb", join(snapshot, "sub/config.json"));
  write("plain/model.bin", "weights\n");
  write("plain/sub/config.json", "{}\n");
  const [cache, plain] = [python("tree", snapshot), python("tree", join(scratch, "plain"))];
  assert.match(plain.stdout, /^waybill-tree-v1:[0-9a-f]{64}\n$/, plain.stderr);
  assert.equal(cache.stdout, plain.stdout, cache.stderr);
});

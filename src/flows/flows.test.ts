import assert from "node:assert/strict";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { openAgentFolder, readBundles } from "./agent-folder.ts";
import { DoorMemory } from "./door-memory.ts";
import { waybillHome } from "./home.ts";
import { initFolder } from "./init.ts";
import { lockFolder } from "./lock.ts";
import { findTrust } from "./trust-source.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "waybill-flows-")));
after(() => rmSync(root, { recursive: true, force: true }));
let folder: string;
let n = 0;
beforeEach(() => {
  n += 1;
  folder = join(root, String(n));
  mkdirSync(join(folder, "prompts"), { recursive: true });
  writeFileSync(join(folder, "prompts/system.md"), "You are.\n");
  writeFileSync(join(folder, "main.py"), "print('hello')\n");
});
const manifest = (component: string) =>
  writeFileSync(
    join(folder, "waybill.yaml"),
    `waybill: v1\nagent: tiny\ncomponents:\n  - ${component}\nstart: {command: [python3, main.py]}\n`,
  );
const code = (expected: string) => (error: unknown) =>
  error instanceof WaybillError && error.code === expected && error.hint.length > 0;

test("what init proposes is a manifest, can be locked, and is never written over", async () => {
  const { file, detected } = await initFolder(folder, { write: true });
  assert.equal(file, "waybill.yaml");
  assert.deepEqual(
    detected.map(({ declared }) => declared.kind),
    ["prompt", "code"],
  );
  await lockFolder(folder, {});
  await assert.rejects(initFolder(folder, { write: true }), code("WB-INPUT-010"));
  const before = readFileSync(join(folder, "waybill.yaml"), "utf8");
  const { text } = await initFolder(folder, { write: false });
  assert.equal(text, before);
  await assert.rejects(initFolder(join(folder, "nowhere"), { write: true }), code("WB-INPUT-001"));
});

test("odd names are quoted so that the proposal stays a manifest", async () => {
  for (const name of [
    "a b.md",
    "ü: x.md",
    "#1.md",
    "007.md",
    "true.md",
    "No.md",
    "null.md",
    "1e3.md",
    ".inf.md",
    "'\".md",
  ])
    writeFileSync(join(folder, "prompts", name), name);
  const { detected } = await initFolder(folder, { write: true });
  assert.equal(new Set(detected.map(({ declared }) => declared.name)).size, detected.length);
  const declared = openAgentFolder(folder).manifest.manifest.components.map((c) => c.path);
  assert.ok(declared.includes("prompts/a b.md") && declared.includes("prompts/ü: x.md"));
});

test("a file name cannot write into the proposal", async () => {
  writeFileSync(join(folder, "x\nstart: {command: [evil]}\n#.safetensors"), "{}");
  const { text } = await initFolder(folder, { write: true });
  assert.ok(!text.includes("evil"));
  assert.notEqual(openAgentFolder(folder).manifest.manifest.start.command[0], "evil");
});

test("a hub cache, all links, locks to the digest of its plain copy", async () => {
  const cache = join(folder, "models--org--name");
  const snapshot = join(cache, "snapshots", "0123abcd");
  mkdirSync(snapshot, { recursive: true });
  mkdirSync(join(cache, "blobs"));
  mkdirSync(join(folder, "plain"));
  for (const [name, text] of [
    ["config.json", "{}"],
    ["model.safetensors", "weights"],
  ] as const) {
    writeFileSync(join(cache, "blobs", sha256(text)), text);
    symlinkSync(`../../blobs/${sha256(text)}`, join(snapshot, name));
    writeFileSync(join(folder, "plain", name), text);
  }
  manifest("{kind: model, name: base, path: models--org--name/snapshots/0123abcd}");
  const linked = (await lockFolder(folder, {})).lock.components[0]!;
  manifest("{kind: model, name: base, path: plain}");
  assert.deepEqual((await lockFolder(folder, {})).lock.components[0], linked);
});

test("a lock that cannot be made leaves the old one as it was, and no temporary file", async () => {
  manifest("{kind: prompt, name: system, path: prompts}");
  await lockFolder(folder, { checksums: true });
  const before = readFileSync(join(folder, "waybill.lock"), "utf8");
  symlinkSync("/etc/passwd", join(folder, "prompts/evil.md"));
  await assert.rejects(lockFolder(folder, { checksums: true }), code("WB-INPUT-011"));
  const aborted = AbortSignal.abort(new Error("interrupted"));
  rmSync(join(folder, "prompts/evil.md"));
  writeFileSync(join(folder, "prompts/new.md"), "new");
  await assert.rejects(lockFolder(folder, { signal: aborted }), /interrupted/);
  assert.equal(readFileSync(join(folder, "waybill.lock"), "utf8"), before);
  const names = readdirSync(folder).filter((name) => name.startsWith("waybill") || name.startsWith("."));
  assert.deepEqual(names.toSorted(), [".waybill", "waybill.lock", "waybill.sha256sums", "waybill.yaml"]);
});

test("locking twice, elsewhere and in another order of declaration gives the same bytes", async () => {
  const prompt = "{kind: prompt, name: system, path: prompts}";
  const app = "{kind: code, name: app, path: main.py}";
  manifest(`${prompt}\n  - ${app}`);
  const first = await lockFolder(folder, {});
  assert.equal(first.changed, true);
  const second = await lockFolder(folder, {});
  assert.equal(second.changed, false);
  cpSync(folder, `${folder}-copy`, { recursive: true });
  manifest(`${app}\n  - ${prompt}`);
  const text = readFileSync(join(folder, "waybill.lock"), "utf8");
  await lockFolder(folder, {});
  await lockFolder(`${folder}-copy`, {});
  assert.equal(readFileSync(join(folder, "waybill.lock"), "utf8"), text);
  assert.equal(readFileSync(join(`${folder}-copy`, "waybill.lock"), "utf8"), text);
});

test("trust that lies in the agent's folder is self-asserted, whichever way it is named", () => {
  const text = "waybillTrust: v1\nversion: 1\nexpires: 2099-01-01T00:00:00Z\nprincipals: []\nrules: []\n";
  assert.deepEqual(findTrust(folder, undefined, {}), { origin: "none" });
  writeFileSync(join(folder, "waybill.trust.yaml"), text);
  const outside = join(root, `trust-${n}.yaml`);
  writeFileSync(outside, text);
  symlinkSync(join(folder, "waybill.trust.yaml"), `${outside}.link`);
  const origin = (named: string | undefined, env = {}) => findTrust(folder, named, env).origin;
  assert.equal(origin(undefined), "self-asserted");
  assert.equal(origin(join(folder, "waybill.trust.yaml")), "self-asserted");
  assert.equal(origin(join(folder, "prompts/../waybill.trust.yaml")), "self-asserted");
  assert.equal(origin(`${outside}.link`), "self-asserted");
  assert.equal(origin(undefined, { WAYBILL_TRUST: join(folder, "waybill.trust.yaml") }), "self-asserted");
  assert.equal(origin(outside), "operator");
  assert.equal(origin(undefined, { WAYBILL_TRUST: outside }), "operator");
  assert.equal(origin(undefined, { WAYBILL_TRUST: "" }), "self-asserted");
  assert.throws(() => origin(join(root, "nowhere.yaml")), code("WB-INPUT-001"));
});

test("evidence: by name, what cannot be read is malformed and not left out", () => {
  assert.deepEqual(readBundles(folder), []);
  const evidence = join(folder, "waybill.evidence");
  mkdirSync(join(evidence, "folder.sigstore.json"), { recursive: true });
  writeFileSync(join(evidence, "b.sigstore.json"), "b");
  writeFileSync(join(evidence, "a.sigstore.json"), Buffer.from([0xff]));
  writeFileSync(join(evidence, "README"), "not evidence");
  assert.deepEqual(
    readBundles(folder).map(({ file, text }) => [file, text]),
    [
      ["waybill.evidence/a.sigstore.json", ""],
      ["waybill.evidence/b.sigstore.json", "b"],
      ["waybill.evidence/folder.sigstore.json", ""],
    ],
  );
  rmSync(evidence, { recursive: true });
  writeFileSync(evidence, "a file");
  assert.throws(() => readBundles(folder), code("WB-INPUT-002"));
});

test("a door keeps whole bundles, each once, and says when its memory is damaged", () => {
  const memory = new DoorMemory(join(folder, "home"));
  assert.deepEqual(memory.recall("tiny", "production"), []);
  const bundle = { file: "x", text: "{}" };
  memory.keep("tiny", "production", [bundle, bundle]);
  memory.keep("tiny", "production", [bundle]);
  assert.deepEqual(
    memory.recall("tiny", "production").map(({ text }) => text),
    ["{}"],
  );
  assert.deepEqual(memory.recall("tiny", "staging"), []);
  mkdirSync(join(folder, "home/doors/tiny/production/y.sigstore.json"));
  assert.throws(() => memory.recall("tiny", "production"), code("WB-STORE-003"));
});

test("Waybill's home is absolute", () => {
  assert.equal(waybillHome({ WAYBILL_HOME: "/x/y" }), "/x/y");
  assert.ok(waybillHome({ WAYBILL_HOME: "relative" }).startsWith("/"));
  assert.ok(waybillHome({}).endsWith(".waybill"));
});

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { canonicalJson } from "../core/canonical-json.ts";
import { sha256 } from "../core/digest.ts";
import { encodeLock, makeLock } from "../core/lock.ts";
import { type Manifest, parseManifest } from "../core/manifest.ts";
import { treeDigest } from "../core/tree.ts";
import { readGit } from "./git.ts";
import { observe } from "./observe.ts";
import type { ObservedComponent } from "./observed.ts";
import { COMPONENT_KINDS, kindOf } from "./registry.ts";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "waybill-components-")));
after(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

/** A fresh folder with these files; names that end in `.sh` are executable. */
function folder(files: Record<string, string | Uint8Array>): string {
  count += 1;
  const path = join(scratch, String(count));
  mkdirSync(path);
  for (const [name, data] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), data);
    if (name.endsWith(".sh")) chmodSync(join(path, name), 0o755);
  }
  return path;
}

function manifest(components: string, more = ""): Manifest {
  return parseManifest(`waybill: v1\nagent: a\nstart: {command: [x]}\ncomponents:\n${components}\n${more}\n`)
    .manifest;
}

const look = (path: string, components: string, more = "") =>
  observe(path, manifest(components, more), { mode: "lock" });
async function first(path: string, components: string, more = ""): Promise<ObservedComponent> {
  return (await look(path, components, more)).components[0]!;
}
/** What is wrong with the first component: kind of problem and path. */
async function wrong(path: string, components: string, more = ""): Promise<string[]> {
  return (await first(path, components, more)).problems.map((p) => `${p.problem} ${p.path}`);
}
const paths = (component: ObservedComponent): string[] => component.entries.map((entry) => entry.path);
const file = (path: string, text: string, executable = false) => ({
  path,
  size: Buffer.byteLength(text),
  sha256: sha256(text),
  executable,
});

const git = spawnSync("git", ["--version"]).status === 0;
const needsGit = git ? {} : { skip: "needs git" };
function run(at: string, ...args: string[]): void {
  const env = { ...process.env, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" };
  execFileSync(
    "git",
    ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always", ...args],
    { cwd: at, env, stdio: "pipe" },
  );
}

test("a folder is its tree, a file is a tree of one leaf, several paths keep their names", async () => {
  const at = folder({ "p/a.md": "a", "p/sub/run.sh": "b", "q.md": "c" });
  symlinkSync("a.md", join(at, "p/latest"));
  const whole = await first(at, "  - {kind: prompt, name: a, path: p}");
  assert.equal(
    whole.leaf?.digest,
    treeDigest([file("a.md", "a"), { path: "latest", link: "a.md" }, file("sub/run.sh", "b", true)]),
  );
  assert.deepEqual([whole.prefix, whole.leaf?.size], ["p/", 2]);
  const single = await first(at, "  - {kind: prompt, name: a, path: p/sub/run.sh}");
  assert.equal(single.leaf?.digest, treeDigest([file("run.sh", "b", true)]));
  assert.equal(single.prefix, "p/sub/");
  const several = await first(at, "  - {kind: prompt, name: a, paths: [q.md, p/sub]}");
  assert.deepEqual(paths(several), ["p/sub/run.sh", "q.md"]);
  assert.equal(several.leaf?.digest, treeDigest([file("p/sub/run.sh", "b", true), file("q.md", "c")]));
});

test("what is not there, is empty, or is Waybill's or git's own, has no digest", async () => {
  const at = folder({ "waybill.lock": "x", ".waybill/blobs/x": "x", "sub/.git/config": "x", "a/b": "c" });
  mkdirSync(join(at, "empty"));
  const one = (path: string) => wrong(at, `  - {kind: corpus, name: a, path: ${path}}`);
  assert.deepEqual(await one("nothing"), ["missing nothing"]);
  assert.deepEqual(await one("a/nothing"), ["missing nothing"]);
  assert.deepEqual(await one("empty"), ["empty empty"]);
  assert.deepEqual(await one("waybill.lock"), ["malformed waybill.lock"]);
  assert.deepEqual(await one(".waybill/blobs"), ["malformed blobs"]);
  assert.deepEqual(await one("sub/.git"), ["malformed .git"]);
  assert.deepEqual(await one("sub/.git/config"), ["malformed config"]);
  // As part of a larger component Waybill's own are left out, and nothing else is; of code, git's too.
  assert.deepEqual(paths(await first(at, "  - {kind: corpus, name: a, path: .}")), [
    "a/b",
    "sub/.git/config",
  ]);
  assert.deepEqual(paths(await first(at, "  - {kind: code, name: a, path: .}")), ["a/b"]);
});

test("links out of the folder are refused, on the way to a component too", async () => {
  const at = folder({ "a/b.md": "b" });
  symlinkSync("/etc", join(at, "out"));
  symlinkSync("../../x", join(at, "a/escape"));
  assert.deepEqual(await wrong(at, "  - {kind: prompt, name: a, path: a}"), ["link-escapes escape"]);
  assert.deepEqual(await wrong(at, "  - {kind: prompt, name: a, path: out}"), ["link-escapes out"]);
  const through = await wrong(at, "  - {kind: prompt, name: a, path: out/hostname}");
  assert.match(through.join(), /^link-escapes .*hostname$/);
  assert.match((await wrong(at, "  - {kind: code, name: a, path: out/ssl}")).join(), /^link-escapes/);
});

test("files in no component are unclaimed; ignored, reserved and left-over temporary ones are not", async () => {
  const at = folder({
    "a.md": "a",
    "stray.txt": "x",
    "deep/stray": "x",
    "b.log": "x",
    "waybill.yaml": "x",
    "waybill.evidence/x.sigstore.json": "x",
    ".waybill-0123456789abcdef.tmp": "half a lock",
  });
  symlinkSync("a.md", join(at, "link"));
  const seen = await look(at, "  - {kind: prompt, name: a, path: a.md}", 'ignore: ["*.log"]');
  assert.deepEqual(seen.unclaimed.map((f) => f.path).sort(), ["deep/stray", "link", "stray.txt"]);
});

test("a temporary file that a killed lock left does not change the code's digest", async () => {
  const at = folder({ "a.js": "a" });
  const code = "  - {kind: code, name: a, path: .}";
  const before = (await first(at, code)).leaf?.digest;
  writeFileSync(join(at, ".waybill-0123456789abcdef.tmp"), "half");
  assert.equal((await first(at, code)).leaf?.digest, before);
});

test("code is what no other component holds, without git all of it", async () => {
  const at = folder({
    "main.js": "m",
    "lib/x.js": "x",
    "prompts/a.md": "a",
    "lib/data/d": "d",
    "x.log": "l",
  });
  const components =
    "  - {kind: code, name: c, path: .}\n  - {kind: prompt, name: p, path: prompts}\n  - {kind: dataset, name: d, path: lib/data}";
  assert.deepEqual(paths(await first(at, components, 'ignore: ["*.log"]')), ["lib/x.js", "main.js"]);
  assert.deepEqual(paths(await first(at, "  - {kind: code, name: c, path: lib}")), ["data/d", "x.js"]);
  const one = await first(at, "  - {kind: code, name: c, path: lib/x.js}");
  assert.deepEqual([paths(one), one.prefix], [["x.js"], "lib/"]);
  const seen = await look(at, "  - {kind: code, name: c, path: lib/x.js}");
  assert.ok(!seen.unclaimed.some((f) => f.path === "lib/x.js"));
});

/** A git repository with two tracked files, one of them executable, and one that is not tracked. */
function repository(...init: string[]): string {
  const at = folder({ "a.js": "a", "bin/run.sh": "b", "untracked.js": "u" });
  run(at, "init", "-q", ...init);
  run(at, "add", "a.js", "bin/run.sh");
  return at;
}
const CODE = "  - {kind: code, name: c, path: .}";
const TRACKED = treeDigest([file("a.js", "a"), file("bin/run.sh", "b", true)]);

test("code is what git tracks, in every version of the index", needsGit, async () => {
  const at = repository();
  for (const version of ["2", "4"]) {
    run(at, "update-index", "--index-version", version);
    assert.equal(readFileSync(join(at, ".git/index")).readUInt32BE(4), Number(version));
    assert.equal((await first(at, CODE)).leaf?.digest, TRACKED, version);
  }
  run(at, "update-index", "--index-version", "2");
  // Intent to add is an extended flag: version 3.
  run(at, "add", "-N", "untracked.js");
  assert.equal(readFileSync(join(at, ".git/index")).readUInt32BE(4), 3);
  assert.deepEqual(paths(await first(at, CODE)), ["a.js", "bin/run.sh", "untracked.js"]);
});

test("code in a SHA-256 repository, a linked work tree and a folder below the top", needsGit, async () => {
  assert.equal((await first(repository("--object-format=sha256"), CODE)).leaf?.digest, TRACKED);
  const at = repository();
  run(at, "commit", "-q", "-m", "x");
  const linked = `${at}-linked`;
  run(at, "worktree", "add", "-q", linked);
  writeFileSync(join(linked, "stray"), "x");
  assert.equal((await first(linked, CODE)).leaf?.digest, TRACKED);
  const below = await first(join(at, "bin"), CODE);
  assert.deepEqual([paths(below), below.problems], [["run.sh"], []]);
});

test("the x bit is git's where git tracks the file", needsGit, async () => {
  const at = repository();
  chmodSync(join(at, "bin/run.sh"), 0o644);
  chmodSync(join(at, "a.js"), 0o755);
  assert.equal((await first(at, CODE)).leaf?.digest, TRACKED);
  assert.equal(
    (await first(at, "  - {kind: prompt, name: p, path: bin}")).leaf?.digest,
    treeDigest([file("run.sh", "b", true)]),
  );
  // Not tracked: the disk's.
  chmodSync(join(at, "untracked.js"), 0o755);
  assert.equal(
    (await first(at, "  - {kind: prompt, name: p, path: untracked.js}")).leaf?.digest,
    treeDigest([file("untracked.js", "u", true)]),
  );
});

test("a tracked file that is gone, a submodule, and one file as code", needsGit, async () => {
  const at = repository();
  run(at, "commit", "-q", "-m", "x");
  const other = repository();
  run(other, "commit", "-q", "-m", "x");
  run(at, "submodule", "add", "-q", other, "sub");
  assert.deepEqual(await wrong(at, CODE), ["missing sub"]);
  assert.deepEqual(await wrong(at, CODE, "ignore: [sub]"), []);
  unlinkSync(join(at, "a.js"));
  assert.deepEqual(await wrong(at, CODE, "ignore: [sub]"), ["missing a.js"]);
  assert.deepEqual(await wrong(at, "  - {kind: code, name: c, path: untracked.js}"), [
    "missing untracked.js",
  ]);
  assert.deepEqual(await wrong(at, "  - {kind: code, name: c, path: bin/run.sh}"), []);
});

test("a merge conflict lists a file once", needsGit, async () => {
  const at = repository();
  run(at, "commit", "-q", "-m", "base");
  run(at, "checkout", "-q", "-b", "side");
  writeFileSync(join(at, "a.js"), "side");
  run(at, "commit", "-q", "-am", "side");
  run(at, "checkout", "-q", "-");
  writeFileSync(join(at, "a.js"), "main");
  run(at, "commit", "-q", "-am", "main");
  assert.throws(() => run(at, "merge", "-q", "side"));
  assert.deepEqual(paths(await first(at, CODE)), ["a.js", "bin/run.sh"]);
});

test("an index that cannot be read makes no digest of everything that lies about", needsGit, async () => {
  const split = repository();
  run(split, "update-index", "--split-index");
  assert.match(
    (await first(split, CODE)).problems[0]!.detail,
    /a split index: run `git update-index --no-split-index`/,
  );
  const damaged = repository();
  writeFileSync(join(damaged, ".git/index"), readFileSync(join(damaged, ".git/index")).fill(1, 40, 44));
  assert.deepEqual(await wrong(damaged, CODE), ["unreadable ."]);
  assert.match(JSON.stringify(readGit(damaged)), /checksum does not match/);
  rmSync(join(damaged, ".git/index"));
  mkdirSync(join(damaged, ".git/index"));
  assert.deepEqual(await wrong(damaged, CODE), ["unreadable ."]);
});

test("a repository that tracks nothing yet is like none", needsGit, async () => {
  const at = folder({ "a.js": "a" });
  run(at, "init", "-q");
  assert.deepEqual(paths(await first(at, CODE)), ["a.js"]);
});

const TOOLS = {
  tools: [
    { name: "b", inputSchema: { type: "object" } },
    { name: "a", description: "A", inputSchema: {} },
  ],
};
const tool = (snapshot: unknown, more: Record<string, string> = {}) =>
  folder({ "t/tools.json": typeof snapshot === "string" ? snapshot : JSON.stringify(snapshot), ...more });
const TOOL = "  - {kind: tool, name: t, path: t}";
/** Digests of the tools alone: the snapshot file itself is in the artifact. */
const toolsOf = async (snapshot: unknown) => (await first(tool(snapshot), TOOL)).document?.tools;

test("a tool's digest is of its document: tools by name, instructions, artifact", async () => {
  const at = tool({ ...TOOLS, instructions: "be kind" }, { "t/server.js": "s" });
  const { leaf, document } = await first(at, TOOL);
  assert.equal(leaf?.digest, `sha256:${sha256(canonicalJson(document!))}`);
  assert.deepEqual(
    (document!.tools as { name: string }[]).map((t) => t.name),
    ["a", "b"],
  );
  assert.equal(document!.instructions, "be kind");
  writeFileSync(join(at, "t/server.js"), "t");
  assert.notEqual((await first(at, TOOL)).leaf?.digest, leaf?.digest);
});

test("of a tool, the five fields count, in any order; nothing else does", async () => {
  const base = {
    name: "a",
    description: "d",
    inputSchema: { x: 1, y: [1, 2] },
    outputSchema: { z: 1 },
    annotations: { readOnlyHint: true },
  };
  const same = await toolsOf({ tools: [base] });
  assert.deepEqual(await toolsOf({ tools: [Object.fromEntries(Object.entries(base).reverse())] }), same);
  assert.deepEqual(
    await toolsOf({ tools: [{ ...base, title: "T", _meta: {}, icons: [] }], nextCursor: "x" }),
    same,
  );
  const changes = [
    { description: "e" },
    { inputSchema: { x: 1, y: [2, 1] } },
    { outputSchema: { z: 2 } },
    { outputSchema: null },
    { annotations: {} },
  ];
  const seen = new Set([JSON.stringify(same)]);
  for (const change of changes) seen.add(JSON.stringify(await toolsOf({ tools: [{ ...base, ...change }] })));
  const { outputSchema: _, ...without } = base;
  seen.add(JSON.stringify(await toolsOf({ tools: [without] })));
  assert.equal(seen.size, changes.length + 2);
});

test("snapshots that are none", async () => {
  const detail = async (at: string, components = TOOL) => (await first(at, components)).problems[0]?.detail;
  assert.match((await detail(folder({ "t/a.js": "x", "t/b.js": "y" })))!, /tools\/list/);
  assert.match((await detail(tool("{")))!, /^line 1, column 2: /);
  assert.match((await detail(tool('{"tools":[],"tools":[]}')))!, /line 1/);
  assert.equal(await detail(tool([])), "it is not an object");
  assert.equal(await detail(tool({ tools: {} })), "it has no list `tools`");
  assert.equal(await detail(tool({ tools: [1] })), "a tool is not an object");
  assert.equal(await detail(tool({ tools: [{ name: "" }] })), "a tool has no name");
  assert.equal(await detail(tool({ tools: [{ name: "a" }, { name: "a" }] })), "the tool a stands twice");
  assert.equal(await detail(tool({ tools: [], instructions: 1 })), "instructions is not text");
  assert.match((await detail(tool(`{"tools":[]${" ".repeat(4 << 20)}}`)))!, /at most 4194304 are read/);
  assert.equal(await detail(tool({ tools: [{ name: "__proto__" }] })), undefined);
});

test("where a tool's snapshot is found", async () => {
  const text = JSON.stringify(TOOLS);
  const at = folder({ "t/list.json": text, "t/s.js": "s", "one.json": text });
  assert.deepEqual(await wrong(at, "  - {kind: tool, name: t, path: t, snapshot: t/list.json}"), []);
  assert.deepEqual(await wrong(at, "  - {kind: tool, name: t, path: one.json}"), []);
  assert.deepEqual(await wrong(at, "  - {kind: tool, name: t, path: one.json, snapshot: one.json}"), []);
  assert.deepEqual(
    await wrong(at, "  - {kind: tool, name: t, paths: [t, one.json], snapshot: t/list.json}"),
    [],
  );
  assert.deepEqual(await wrong(at, "  - {kind: tool, name: t, path: t, snapshot: one.json}"), [
    "missing one.json",
  ]);
});

test("a model also has the root of an OMS signature", async () => {
  const at = folder({ "m/config.json": "{}", "m/model.safetensors": "w", "m/.gitattributes": "x" });
  const oms = sha256(Buffer.concat(["{}", "w"].map((text) => Buffer.from(sha256(text), "hex"))));
  assert.deepEqual((await first(at, "  - {kind: model, name: m, path: m}")).leaf?.also, { oms });
});

test("a Hugging Face cache is its plain copy", async () => {
  const at = folder({ "blobs/aaa": "config", "blobs/bbb": "weights" });
  const rev = join(at, "hub/models--acme--m/snapshots/rev");
  mkdirSync(join(rev, "sub"), { recursive: true });
  renameSync(join(at, "blobs"), join(at, "hub/models--acme--m/blobs"));
  symlinkSync("../../blobs/aaa", join(rev, "config.json"));
  symlinkSync("../../../blobs/bbb", join(rev, "sub/model.bin"));
  const plain = folder({ "m/config.json": "config", "m/sub/model.bin": "weights" });
  const cached = await first(at, "  - {kind: model, name: m, path: hub/models--acme--m/snapshots/rev}");
  assert.deepEqual(cached.problems, []);
  assert.deepEqual(cached.leaf, (await first(plain, "  - {kind: model, name: m, path: m}")).leaf);
});

test("every kind has a file of its own and finds what is its own", async () => {
  assert.equal(COMPONENT_KINDS.length, 9);
  const header = Buffer.alloc(8);
  header.writeBigUInt64LE(2n);
  const files: Record<string, string | Buffer> = {
    "weights/model.bin": Buffer.concat([header, Buffer.from("{}")]),
    "weights/other.gguf": "GGUF0000",
    "datasets/train.jsonl": "{}",
    "prompts/system.md": "x",
    "few-shot.jsonl": "x",
    "tools/helpdesk/tools.json": JSON.stringify(TOOLS),
    "corpus/faq.md": "x",
    "package-lock.json": "{}",
    "image/oci-layout": '{"imageLayoutVersion":"1.0.0"}',
    Dockerfile: "FROM x",
    "deploy/app.yaml": "apiVersion: v1\nkind: Pod\n",
    "cfn.json": '{"Type": "AWS::S3::Bucket"}',
    "main.py": "x",
    "model.bin": "no weights at all",
  };
  const view = {
    files: Object.entries(files)
      .map(([path, data]) => ({ path, size: data.length }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    head: (path: string, bytes: number) => Buffer.from(files[path]!).subarray(0, bytes),
  };
  const found = Object.fromEntries(
    COMPONENT_KINDS.map(({ kind, detect }) => [
      kind,
      detect(view).flatMap(({ declared: d }) => d.paths ?? [d.path]),
    ]),
  );
  assert.deepEqual(found, {
    model: ["weights"],
    dataset: ["datasets"],
    prompt: ["few-shot.jsonl", "prompts/system.md"],
    tool: ["tools/helpdesk"],
    corpus: ["corpus"],
    code: ["."],
    dependencies: ["package-lock.json"],
    image: ["image"],
    infra: ["Dockerfile", "cfn.json", "deploy/app.yaml"],
  });
  assert.throws(() => kindOf("weights" as "model"), RangeError);
});

test("an unreadable file is a problem of its component", {
  skip: process.getuid?.() === 0 ? "root reads everything" : false,
}, async () => {
  const at = folder({ "p/a": "a", "p/b": "b" });
  chmodSync(join(at, "p/a"), 0);
  assert.deepEqual(await wrong(at, "  - {kind: prompt, name: p, path: p}"), ["unreadable a"]);
});

test("a file that another process writes or removes while it is hashed is a problem, never an error", async () => {
  const at = folder({
    "d/big": Buffer.alloc(24 << 20),
    "d/small": "x",
    "t/tools.json": JSON.stringify(TOOLS),
  });
  const writer = spawn(
    process.execPath,
    [
      "-e",
      `const fs=require("node:fs");const [d]=process.argv.slice(1);
      for(let i=0;;i++){fs.writeFileSync(d+"/d/small","x".repeat(i%50));
        const fd=fs.openSync(d+"/d/big","r+");fs.writeSync(fd,String(i),(i*4099)%(24<<20));fs.closeSync(fd);
        fs.rmSync(d+"/t/tools.json",{force:true});fs.writeFileSync(d+"/t/tools.json",JSON.stringify({tools:[{name:String(i)}]}));
        if(i===0)process.stdout.write("go");}`,
      at,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    await new Promise((resolve) => writer.stdout!.once("data", resolve));
    const kinds = new Set<string>();
    for (let i = 0; i < 12; i += 1) {
      const { components } = await look(at, `  - {kind: dataset, name: d, path: d}\n${TOOL}`);
      assert.equal(components[0]!.leaf, undefined);
      for (const { problem } of components.flatMap((c) => c.problems)) kinds.add(problem);
    }
    assert.ok(kinds.has("changed"), [...kinds].join());
    for (const kind of kinds)
      assert.ok(["changed", "missing", "malformed", "empty", "vanished"].includes(kind), kind);
  } finally {
    writer.kill("SIGKILL");
  }
});

// The lock of one agent, whatever surrounds it.

const AGENT = {
  "prompts/system.md": "be kind",
  "prompts/few-shot/～.md": "1",
  "prompts/few-shot/😀.md": "2",
  "src/main.js": "main",
  "bin/run.sh": "#!/bin/sh\n",
  "deploy/é.yaml": "x",
  "i.txt": "i",
  "TITLE.txt": "I",
};
const DECLARED = manifest(
  "  - {kind: code, name: c, path: .}\n  - {kind: prompt, name: p, path: prompts}\n  - {kind: infra, name: d, path: deploy}",
);

async function lockText(at: string): Promise<string> {
  const { components } = await observe(at, DECLARED, { mode: "lock" });
  for (const { problems } of components) assert.deepEqual(problems, []);
  return encodeLock(
    makeLock(
      "a",
      {},
      components.map(({ leaf, entries }) => ({ leaf: leaf!, files: entries as never })),
    ),
  );
}

test("one agent has one lock: copy, order of creation, umask, git or none", async () => {
  const expected = await lockText(folder(AGENT));
  const turned = folder(Object.fromEntries(Object.entries(AGENT).reverse()));
  assert.equal(await lockText(turned), expected);
  const before = process.umask(0o077);
  const closed = folder(AGENT);
  process.umask(before);
  assert.equal(await lockText(closed), expected);
  const copied = `${closed}-copy`;
  cpSync(turned, copied, { recursive: true });
  assert.equal(await lockText(copied), expected);
  if (!git) return;
  const cloned = `${closed}-clone`;
  run(turned, "init", "-q");
  run(turned, "add", "-A");
  run(turned, "commit", "-q", "-m", "x");
  run(scratch, "clone", "-q", turned, cloned);
  assert.equal(await lockText(cloned), expected);
});

test("one agent has one lock in every locale and time zone", () => {
  const at = folder(AGENT);
  const script = `
    import { observe } from "${import.meta.resolve("./observe.ts")}";
    import { parseManifest } from "${import.meta.resolve("../core/manifest.ts")}";
    const { manifest } = parseManifest(process.argv[2]);
    const { components } = await observe(process.argv[1], manifest, { mode: "lock" });
    console.log(components.map((c) => c.leaf.digest).join());`;
  const text = "waybill: v1\nagent: a\nstart: {command: [x]}\ncomponents: [{kind: code, name: c, path: .}]\n";
  const digests = [
    { LC_ALL: "C", TZ: "UTC" },
    { LC_ALL: "tr_TR.UTF-8", LANG: "tr_TR.UTF-8", TZ: "Asia/Kathmandu" },
    { LANG: "ja_JP.eucJP", TZ: "America/Caracas" },
  ].map((env) => {
    const made = spawnSync(process.execPath, ["--input-type=module", "-e", script, at, text], {
      env: { PATH: process.env.PATH, ...env },
    });
    assert.equal(made.status, 0, made.stderr.toString());
    return made.stdout.toString();
  });
  assert.equal(new Set(digests).size, 1);
  assert.match(digests[0]!, /^waybill-tree-v1:/);
  assert.ok(existsSync(at));
});

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { leafHash, merkleRoot } from "../core/merkle.ts";
import { CHUNK_SIZE, CHUNK_TAG } from "../core/tree.ts";
import { type CopyPlan, type CopyRefusal, makePrivateCopy, type PrivateCopy } from "./private-copy.ts";
import { impassableFolder } from "./reach.ts";

const ROOT = process.getuid?.() === 0;
const asRoot = ROOT ? {} : { skip: "needs root: owners are changed" };
const scratch = mkdtempSync(join(tmpdir(), "waybill-copy-test-"));
// Other users must reach what is in it.
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

/** A fresh source folder with these files, the plan of a copy of it, and a base for copies. */
function agent(files: Record<string, string | Uint8Array>, plan: Partial<CopyPlan> = {}) {
  count += 1;
  const source = join(scratch, `agent${count}`);
  const runDir = join(scratch, `run${count}`);
  const planned = Object.entries(files).map(([path, data]) => {
    mkdirSync(dirname(join(source, path)), { recursive: true });
    writeFileSync(join(source, path), data);
    const bytes = Buffer.from(data);
    return {
      path,
      source: join(source, path),
      size: bytes.length,
      executable: path.endsWith(".sh"),
      sha256: sha256(bytes),
      ...(bytes.length > CHUNK_SIZE ? { chunks: chunkRoot(bytes) } : {}),
    };
  });
  const made: CopyPlan = { releaseDigest: "ab".repeat(32), files: planned, links: [], extra: [], ...plan };
  return { source, runDir, plan: made };
}

/** By the specification, not by the code under test. */
function chunkRoot(bytes: Buffer): string {
  const leaves = Array.from({ length: Math.ceil(bytes.length / CHUNK_SIZE) }, (_, i) =>
    leafHash(bytes.subarray(i * CHUNK_SIZE, (i + 1) * CHUNK_SIZE), CHUNK_TAG),
  );
  return Buffer.from(merkleRoot(leaves)).toString("hex");
}

async function copy(plan: CopyPlan, runDir: string): Promise<PrivateCopy> {
  const made = await makePrivateCopy(plan, { runDir });
  assert.ok(made.ok, JSON.stringify(made));
  return made;
}

async function refused(plan: CopyPlan, runDir: string): Promise<CopyRefusal> {
  const made = await makePrivateCopy(plan, { runDir });
  assert.ok(!made.ok);
  assert.deepEqual(existsSync(runDir) ? readdirSync(runDir) : [], [], "nothing is left");
  return made;
}

const hex = (path: string) => sha256(readFileSync(path));

test("a copy has the bytes, the modes and the links of the plan, and dispose leaves nothing", async () => {
  const big = Buffer.alloc(3 * CHUNK_SIZE + 17, "big");
  const { plan, runDir } = agent(
    { "bin/go.sh": "#!/bin/sh\n", "a/b/c.txt": "deep", "a/empty": "", "model.bin": big },
    {
      links: [{ path: "a/link", link: "b/c.txt" }],
      extra: [{ path: "waybill.yaml", data: "waybill: v1\n" }],
    },
  );
  const made = await copy(plan, runDir);
  assert.deepEqual([made.files, made.bytes], [4, 14 + big.length]);
  for (const { path, sha256: digest } of plan.files) assert.equal(hex(join(made.folder, path)), digest);
  assert.equal(readlinkSync(join(made.folder, "a/link")), "b/c.txt");
  assert.equal(readFileSync(join(made.folder, "waybill.yaml"), "utf8"), "waybill: v1\n");
  const mode = (path: string) => (lstatSync(join(made.folder, path)).mode & 0o7777).toString(8);
  assert.deepEqual(["", "a", "a/b", "bin", "bin/go.sh", "a/b/c.txt", "model.bin", "waybill.yaml"].map(mode), [
    "555",
    "555",
    "555",
    "555",
    "555",
    "444",
    "444",
    "444",
  ]);
  made.dispose();
  assert.deepEqual(readdirSync(runDir), []);
  made.dispose();
});

test("as root: owned by root, enterable for root and the group of agents alone", asRoot, async () => {
  const { plan, runDir } = agent({ "f.txt": "x" }, { user: 7777 });
  const made = await makePrivateCopy(plan, { runDir, users: "7777" });
  assert.ok(made.ok);
  assert.deepEqual([made.user, made.claim.grade], [7777, "kernel-observed"]);
  const run = statSync(dirname(made.folder));
  assert.deepEqual([run.uid, run.gid, run.mode & 0o7777], [0, 65532, 0o750]);
  const cat = (uid: number, gid: number) => spawnSync("/bin/cat", [join(made.folder, "f.txt")], { uid, gid });
  assert.equal(cat(7777, 65532).stdout.toString(), "x");
  assert.notEqual(cat(7777, 7777).status, 0);
  made.dispose();
});

test(
  "as root: a base in a folder that somebody else can change is graded process-mutable",
  asRoot,
  async () => {
    const { plan, runDir: above } = agent({ "f.txt": "x" });
    const runDir = join(above, "base");
    mkdirSync(runDir, { recursive: true });
    chmodSync(above, 0o777);
    const open = await copy(plan, runDir);
    assert.deepEqual(
      [open.claim.grade, open.claim.reason],
      ["process-mutable", `${above} is writable for others`],
    );
    open.dispose();
    chmodSync(above, 0o755);
    execFileSync("chown", ["65532", above]);
    const theirs = await copy(plan, runDir);
    assert.match(theirs.claim.reason, /belongs to uid 65532/);
    theirs.dispose();
  },
);

test("a changed byte, a shorter and a longer file, a missing one: refused with expected and found", async () => {
  const big = Buffer.alloc(2 * CHUNK_SIZE, 1);
  const { plan, runDir, source } = agent({ "small.txt": "right", "big.bin": big });
  writeFileSync(join(source, "small.txt"), "wrong");
  assert.deepEqual(await refused(plan, runDir), {
    ok: false,
    path: "small.txt",
    expected: `sha256:${sha256("right")}`,
    found: `sha256:${sha256("wrong")}`,
  });
  writeFileSync(join(source, "small.txt"), "right");
  const changed = Buffer.from(big);
  changed[CHUNK_SIZE + 5] = 2;
  writeFileSync(join(source, "big.bin"), changed);
  const found = await refused(plan, runDir);
  assert.deepEqual(
    [found.expected, found.found],
    [`chunk root ${chunkRoot(big)}`, `chunk root ${chunkRoot(changed)}`],
  );
  // The plan of a lock without chunk roots: the whole-file digest stands for them.
  const whole = { ...plan, files: plan.files.map(({ chunks: _, ...file }) => file) };
  assert.equal((await refused(whole, runDir)).found, `sha256:${sha256(changed)}`);
  writeFileSync(join(source, "big.bin"), big.subarray(1));
  assert.equal((await refused(plan, runDir)).path, "big.bin");
  unlinkSync(join(source, "big.bin"));
  assert.match((await refused(plan, runDir)).found, /does not exist/);
});

test("a link, a folder and a named pipe in the place of a file: refused, no hang", async () => {
  const { plan, runDir, source } = agent({ "f.txt": "root:x:0:0" });
  const path = join(source, "f.txt");
  unlinkSync(path);
  symlinkSync("/etc/passwd", path);
  assert.match((await refused(plan, runDir)).found, /symbolic link/);
  unlinkSync(path);
  execFileSync("mkfifo", [path]);
  assert.equal((await refused(plan, runDir)).path, "f.txt");
  unlinkSync(path);
  mkdirSync(path);
  assert.equal((await refused(plan, runDir)).path, "f.txt");
});

test("a hard link of the source is not an alias of the copy", async () => {
  const { plan, runDir, source } = agent({ "f.txt": "before" });
  const alias = join(scratch, `alias${count}`);
  linkSync(join(source, "f.txt"), alias);
  const made = await copy(plan, runDir);
  assert.notEqual(statSync(join(made.folder, "f.txt")).ino, statSync(alias).ino);
  writeFileSync(alias, "after!");
  assert.equal(readFileSync(join(made.folder, "f.txt"), "utf8"), "before");
  made.dispose();
});

test("a source that flips all the time: either refused or exactly the verified bytes", async () => {
  const good = Buffer.alloc(4 * CHUNK_SIZE, "g");
  const { plan, runDir } = agent({ "model.bin": good, "prompt.md": "good" });
  // Writes other bytes and the right ones by turns, and puts size and times back as they were.
  const code = `
    const { openSync, writeSync, futimesSync } = require("node:fs");
    const { workerData: { paths, stop } } = require("node:worker_threads");
    const fds = paths.map((p) => openSync(p, "r+"));
    for (let i = 0; Atomics.load(stop, 0) === 0; i++) for (const [n, fd] of fds.entries()) {
      writeSync(fd, i % 2 ? (n ? "good" : "gggg") : "evil", n ? 0 : (i % 4) * 1048576 + 77);
      futimesSync(fd, 1, 1);
      // Now and then it stands still, so that some copies are right.
      if (i % 2 && i % 64 > 32) Atomics.wait(stop, 0, 0, 5);
    }
    for (const [n, fd] of fds.entries()) writeSync(fd, n ? "good" : "gggg", 0);`;
  for (const { source } of plan.files) utimesSync(source, 1, 1);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const paths = plan.files.map((f) => f.source);
  const worker = new Worker(code, { eval: true, workerData: { paths, stop } });
  const ended = new Promise((done) => worker.once("exit", done));
  await new Promise((done) => worker.once("online", done));
  const outcomes = { copied: 0, refused: 0 };
  for (const until = performance.now() + 1500; performance.now() < until; ) {
    const made = await makePrivateCopy(plan, { runDir });
    if (made.ok) {
      for (const { path, sha256: digest } of plan.files) assert.equal(hex(join(made.folder, path)), digest);
      made.dispose();
      outcomes.copied += 1;
    } else outcomes.refused += 1;
  }
  Atomics.store(stop, 0, 1);
  Atomics.notify(stop, 0);
  await ended;
  assert.ok(outcomes.refused > 0, JSON.stringify(outcomes));
  assert.deepEqual(readdirSync(runDir), []);
});

test("paths and links that lead out are refused before anything is copied there", async () => {
  const { plan, runDir } = agent({ "f.txt": "x", "d/e.txt": "y" });
  const file = plan.files[0]!;
  for (const path of ["../f.txt", "/etc/x", "d/../../x", "d//x", ""])
    assert.match((await refused({ ...plan, files: [{ ...file, path }] }, runDir)).found, /^it is/);
  for (const links of [
    [{ path: "l", link: "/etc/passwd" }],
    [{ path: "l", link: "../../owner" }],
    [{ path: "d/l", link: "../.." }],
    [{ path: "l", link: "nowhere" }],
    // Inside as text, outside as the kernel walks it: d/up is the root itself.
    [
      { path: "d/up", link: "../" },
      { path: "l", link: "d/up/../../copy" },
    ],
  ])
    assert.match((await refused({ ...plan, links }, runDir)).expected, /^a link to/);
  const below = { ...plan, links: [{ path: "l", link: "d" }], extra: [{ path: "l/x", data: "" }] };
  assert.equal((await refused(below, runDir)).found, "l is a link to d");
});

test("one path in two components is one file, or refused when they differ", async () => {
  const { plan, runDir } = agent({ "f.txt": "x" });
  const file = plan.files[0]!;
  const made = await copy({ ...plan, files: [file, { ...file }] }, runDir);
  assert.equal(made.files, 1);
  made.dispose();
  await refused({ ...plan, files: [file, { ...file, executable: true }] }, runDir);
  await refused({ ...plan, extra: [{ path: "f.txt", data: "x" }] }, runDir);
});

test("a full disk: WB-STORE-002, and no part of a copy stays", async (t) => {
  const small = join(scratch, "small");
  mkdirSync(small);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]).status !== 0)
    return t.skip("a small tmpfs cannot be mounted here");
  try {
    const { plan } = agent({ "a.txt": "x", "big.bin": Buffer.alloc(3 * CHUNK_SIZE) });
    await assert.rejects(
      makePrivateCopy(plan, { runDir: small }),
      (error) =>
        error instanceof WaybillError && error.code === "WB-STORE-002" && /WAYBILL_RUN_DIR/.test(error.hint),
    );
    assert.deepEqual(readdirSync(small), []);
  } finally {
    execFileSync("umount", [small]);
  }
});

test("an abort ends a copy and removes it", async () => {
  const { plan, runDir } = agent({ "big.bin": Buffer.alloc(64 * CHUNK_SIZE) });
  const reason = new Error("stop");
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 10);
  await assert.rejects(makePrivateCopy(plan, { runDir, signal: controller.signal }), (e) => e === reason);
  assert.deepEqual(readdirSync(runDir), []);
});

test("copies of runs that crashed are removed; those of living runs stay", async () => {
  const { plan, runDir } = agent({ "d/f.txt": "x" });
  const module = new URL("./private-copy.ts", import.meta.url).href;
  const code = `
    import { makePrivateCopy } from ${JSON.stringify(module)};
    const plan = ${JSON.stringify(plan)};
    const made = await makePrivateCopy(plan, { runDir: ${JSON.stringify(runDir)} });
    process.kill(process.pid, "SIGKILL");`;
  assert.equal(
    spawnSync(process.execPath, ["--input-type=module", "-e", code], { stdio: "inherit" }).signal,
    "SIGKILL",
  );
  const [stale, ...others] = readdirSync(runDir);
  assert.ok(stale !== undefined && others.length === 0);
  const first = await copy(plan, runDir);
  assert.ok(!existsSync(join(runDir, stale)));
  // Half made, just now; and one of another machine.
  mkdirSync(join(runDir, "waybill-run-unmade"));
  mkdirSync(join(runDir, "waybill-run-remote"));
  writeFileSync(
    join(runDir, "waybill-run-remote/owner"),
    JSON.stringify({ pid: 1, started: "1", boot: "other", pidNamespace: "x", host: "elsewhere" }),
  );
  const second = await copy(plan, runDir);
  assert.ok(existsSync(first.folder));
  assert.equal(readdirSync(runDir).length, 4);
  // The same pid, used again by another process.
  const owner = join(dirname(first.folder), "owner");
  writeFileSync(owner, JSON.stringify({ ...JSON.parse(readFileSync(owner, "utf8")), started: "1" }));
  const third = await copy(plan, runDir);
  assert.ok(!existsSync(first.folder) && existsSync(second.folder));
  second.dispose();
  third.dispose();
});

test("not root: the same user owns the copy, and the claim says so", asRoot, (t) => {
  const closed = impassableFolder(import.meta.filename, 4321) ?? impassableFolder(process.execPath, 4321);
  if (closed !== undefined) return t.skip(`another user cannot pass ${closed}`);
  const { plan, runDir } = agent({ "f.txt": "x" });
  mkdirSync(runDir);
  execFileSync("chown", ["4321", runDir]);
  const module = new URL("./private-copy.ts", import.meta.url).href;
  const code = `
    import { makePrivateCopy } from ${JSON.stringify(module)};
    const plan = ${JSON.stringify(plan)};
    const { claim, user, dispose } = await makePrivateCopy(plan, { runDir: ${JSON.stringify(runDir)} });
    console.log(JSON.stringify({ ...claim, user }));
    dispose();
    await makePrivateCopy({ ...plan, user: 99 }).catch((e) => console.log(e.code, e.message));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    uid: 4321,
    gid: 4321,
    encoding: "utf8",
  });
  assert.equal(stderr, "");
  assert.match(stdout, /"grade":"process-mutable"/);
  assert.match(stdout, /WB-INPUT-014 the manifest declares user 99; uid 4321 cannot become it/);
  assert.deepEqual(readdirSync(runDir), []);
});

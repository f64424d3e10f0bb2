import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Walk, walkTree } from "./walk.ts";

const asRoot = process.getuid?.() === 0 ? "root can read everything" : false;

/** A fresh folder with files (text), links (`["target"]`) and empty folders (null), removed after the test. */
function tree(t: TestContext, entries: Record<string, string | [string] | null>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "waybill-walk-")));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, entry] of Object.entries(entries)) {
    const absolute = join(root, path);
    mkdirSync(entry === null ? absolute : dirname(absolute), { recursive: true });
    if (Array.isArray(entry)) symlinkSync(entry[0], absolute);
    else if (entry !== null) writeFileSync(absolute, entry);
  }
  return root;
}

function problems(walk: Walk): string[] {
  return walk.problems.map(({ path, problem }) => `${problem} ${path}`);
}

test("files and in-tree links are listed in the order of their UTF-8 bytes", async (t) => {
  const root = tree(t, {
    "a/b": "12",
    "a.txt": "1",
    "a/\u{1f600}": "",
    "a/\uff5e": "",
    Z: "",
    "a/back": ["../Z"],
    "a/dir": ["."],
    empty: null,
  });
  chmodSync(join(root, "Z"), 0o755);
  const walk = await walkTree(root);
  assert.deepEqual(
    walk.files.map((f) => f.path),
    ["Z", "a.txt", "a/b", "a/\uff5e", "a/\u{1f600}"],
  );
  assert.deepEqual(
    walk.files.map((f) => f.size),
    [0, 1, 2, 0, 0],
  );
  assert.deepEqual(
    walk.files.map((f) => f.executable),
    [true, false, false, false, false],
  );
  assert.deepEqual(walk.links, [
    { path: "a/back", link: "../Z" },
    { path: "a/dir", link: "." },
  ]);
  assert.deepEqual(walk.problems, []);
});

test("a single file is a tree of one, named by its basename", async (t) => {
  const root = tree(t, { "dir/weights.bin": "abc" });
  const walk = await walkTree(join(root, "dir/weights.bin"));
  assert.deepEqual(
    walk.files.map((f) => [f.path, f.absolute]),
    [["weights.bin", join(root, "dir/weights.bin")]],
  );
});

test("links that leave the tree, are broken or lead in a circle are problems", async (t) => {
  const root = tree(t, {
    "t/file": "",
    "t/sub/deep/file": "",
    "t/out": ["../outside"],
    "t/absolute": ["/etc/passwd"],
    "t/absolute-inside": ["PLACEHOLDER"],
    "t/neighbour": ["../t-other/file"],
    "t/broken": ["missing"],
    "t/x": ["y"],
    "t/y": ["x"],
    // As text within the tree; but `jump/..` is sub, so that the kernel is two levels further down or up.
    "t/jump": ["sub/deep"],
    "t/via": ["jump/../../../t-other/file"],
    "t-other/file": "",
    outside: "",
  });
  rmSync(join(root, "t/absolute-inside"));
  symlinkSync(join(root, "t/file"), join(root, "t/absolute-inside"));
  const walk = await walkTree(join(root, "t"));
  assert.deepEqual(problems(walk), [
    "link-escapes absolute",
    "link-escapes absolute-inside",
    "link-broken broken",
    "link-escapes neighbour",
    "link-escapes out",
    "link-escapes via",
    "link-cycle x",
    "link-cycle y",
  ]);
  assert.deepEqual(walk.links, [{ path: "jump", link: "sub/deep" }]);
});

test("a link whose text stays inside but whose real path leaves is a problem", async (t) => {
  const root = tree(t, {
    "t/deep/deeper/f": "",
    // The tree's own root; from there `..` is outside.
    "t/deep/deeper/top": ["../.."],
    "t/escape": ["deep/deeper/top/../secret"],
    "t/stays": ["deep/deeper/top/deep"],
    secret: "",
  });
  const walk = await walkTree(join(root, "t"));
  assert.deepEqual(problems(walk), ["link-escapes escape"]);
  assert.deepEqual(
    walk.links.map((l) => l.path),
    ["deep/deeper/top", "stays"],
  );
});

test("a link to something that is skipped is a problem, since nothing pins its bytes", async (t) => {
  const root = tree(t, { f: "", ".waybill/x": "", l: [".waybill/x"], d: [".waybill"] });
  const skip = (path: string, isDirectory: boolean) => isDirectory && path === ".waybill";
  const walk = await walkTree(root, { skip });
  assert.deepEqual(
    walk.files.map((f) => f.path),
    ["f"],
  );
  assert.deepEqual(problems(walk), ["link-escapes d", "link-escapes l"]);
});

test("names that are not UTF-8 or hold control characters are problems; a backslash is not", async (t) => {
  const root = tree(t, { "a\\b": "", "a\nb": "", "d\u007f/f": "" });
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xfc])]), "");
  const walk = await walkTree(root);
  assert.deepEqual(problems(walk), ["bad-name a\nb", "bad-name d\u007f", "not-utf8 f\\xfc"]);
  assert.equal(walk.files[1]?.path, "a\\b");
});

test("a link's target may be neither bytes nor control characters", async (t) => {
  const root = tree(t, { f: "", control: ["a\tb"] });
  symlinkSync(Buffer.from([0xff]), join(root, "bytes"));
  assert.deepEqual(problems(await walkTree(root)), ["not-utf8 bytes", "bad-name control"]);
});

test("names that meet after NFC or case folding are problems, those of folders included", async (t) => {
  const root = tree(t, { straße: "", STRASSE: "", é: "", "e\u0301": "", "Dir/x": "", "dir/y": "" });
  const walk = await walkTree(root);
  assert.deepEqual(new Set(walk.problems.map((p) => p.problem)), new Set(["collision"]));
  assert.equal(walk.problems.length, 3);
  assert.equal(walk.files.length, 6);
});

test("pipes and sockets are not files", async (t) => {
  const root = tree(t, { f: "" });
  execFileSync("mkfifo", [join(root, "pipe")]);
  const server = createServer().listen(join(root, "socket"));
  await new Promise((done) => server.on("listening", done));
  t.after(() => server.close());
  assert.deepEqual(problems(await walkTree(root)), ["not-a-file pipe", "not-a-file socket"]);
  assert.deepEqual(problems(await walkTree(join(root, "pipe"))), ["not-a-file ."]);
  assert.deepEqual(problems(await walkTree("/dev/null")), ["not-a-file ."]);
});

test("limits on number and depth, empty trees, missing roots", async (t) => {
  const root = tree(t, { "a/b/c/f": "", "a/g": "", none: null });
  assert.deepEqual(problems(await walkTree(root, { maxFiles: 1 })), ["too-many a/b/c/f"]);
  assert.deepEqual(problems(await walkTree(root, { maxDepth: 2 })), ["too-deep a/b/c"]);
  assert.deepEqual(problems(await walkTree(root, { maxDepth: 3 })), []);
  assert.deepEqual(problems(await walkTree(join(root, "none"))), ["empty ."]);
  assert.deepEqual(problems(await walkTree(root, { skip: () => true })), ["empty ."]);
  assert.deepEqual(problems(await walkTree(join(root, "missing"))), ["vanished ."]);
  assert.deepEqual(problems(await walkTree(join(root, "a/g/x"))), ["vanished ."]);
});

test("a folder that cannot be read is a problem", { skip: asRoot }, async (t) => {
  const root = tree(t, { f: "", "locked/x": "" });
  chmodSync(join(root, "locked"), 0);
  t.after(() => chmodSync(join(root, "locked"), 0o700));
  assert.deepEqual(problems(await walkTree(root)), ["unreadable locked"]);
});

test("a folder replaced by a link while the tree is read is a problem, and is not followed", async (t) => {
  const root = tree(t, { "t/d/f": "", "other/secret": "", "t/f": "" });
  const swap = (path: string) => {
    if (path === "d") {
      renameSync(join(root, "t/d"), join(root, "gone"));
      symlinkSync("../other", join(root, "t/d"));
    }
    return false;
  };
  const walk = await walkTree(join(root, "t"), { skip: swap });
  assert.deepEqual(problems(walk), ["vanished d"]);
  assert.deepEqual(
    walk.files.map((f) => f.path),
    ["f"],
  );
});

test("a root that is a link to a folder is a problem", async (t) => {
  const root = tree(t, { "real/f": "", link: ["real"], file: ["real/f"] });
  assert.deepEqual(problems(await walkTree(join(root, "link"))), ["link-escapes ."]);
  assert.deepEqual(problems(await walkTree(join(root, "file"))), ["link-escapes ."]);
});

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { hubRepository } from "./links.ts";
import { walkTree } from "./walk.ts";

/** A hub cache with one snapshot of two files, as huggingface_hub lays it out; `snapshot` is its folder. */
function hubCache(t: TestContext): { hub: string; repository: string; snapshot: string } {
  const hub = realpathSync(mkdtempSync(join(tmpdir(), "waybill-hub-")));
  t.after(() => rmSync(hub, { recursive: true, force: true }));
  const repository = join(hub, "models--acme--intent");
  const snapshot = join(repository, "snapshots/0123abcd");
  mkdirSync(join(repository, "blobs"), { recursive: true });
  mkdirSync(join(snapshot, "onnx"), { recursive: true });
  writeFileSync(join(repository, "blobs/aaaa"), "weights");
  writeFileSync(join(repository, "blobs/bbbb"), "{}");
  symlinkSync("../../blobs/aaaa", join(snapshot, "model.safetensors"));
  symlinkSync("../../../blobs/bbbb", join(snapshot, "onnx/config.json"));
  return { hub, repository, snapshot };
}

test("a snapshot's links stand for their blobs, as in a plain copy", async (t) => {
  const { hub, repository, snapshot } = hubCache(t);
  chmodSync(join(repository, "blobs/bbbb"), 0o755);
  const walk = await walkTree(snapshot);
  assert.deepEqual(walk.problems, []);
  assert.equal(walk.files[0]?.absolute, join(repository, "blobs/aaaa"));
  execFileSync("cp", ["-rL", snapshot, join(hub, "copy")]);
  const leaves = ({ files }: typeof walk) =>
    files.map(({ path, size, executable }) => [path, size, executable]);
  const copy = await walkTree(join(hub, "copy"));
  assert.deepEqual(leaves(walk), leaves(copy));
  assert.deepEqual(leaves(walk), [
    ["model.safetensors", 7, false],
    ["onnx/config.json", 2, true],
  ]);
});

test("a whole repository or cache is what its plain copy is", async (t) => {
  const { hub, repository } = hubCache(t);
  const copies = mkdtempSync(join(tmpdir(), "waybill-plain-"));
  t.after(() => rmSync(copies, { recursive: true, force: true }));
  for (const root of [repository, hub]) {
    const copy = join(copies, basename(root));
    execFileSync("cp", ["-rL", root, copy]);
    const [walk, plain] = [await walkTree(root), await walkTree(copy)];
    assert.deepEqual([walk.links, walk.problems], [[], []]);
    assert.deepEqual(
      walk.files.map(({ path, size }) => [path, size]),
      plain.files.map(({ path, size }) => [path, size]),
    );
  }
});

test("a part of a snapshot, one file of it, and a link to it work too", async (t) => {
  const { hub, snapshot } = hubCache(t);
  symlinkSync(snapshot, join(hub, "link"));
  assert.deepEqual(
    (await walkTree(join(snapshot, "onnx"))).files.map((f) => f.path),
    ["config.json"],
  );
  assert.deepEqual(
    (await walkTree(join(snapshot, "model.safetensors"))).files.map((f) => f.size),
    [7],
  );
  assert.deepEqual(
    (await walkTree(join(hub, "link/model.safetensors"))).files.map((f) => f.size),
    [7],
  );
  assert.equal((await walkTree(join(hub, "link"))).files.length, 2);
});

test("another repository's blobs, a blob that is a link, a missing blob, and blobs elsewhere are refused", async (t) => {
  const { hub, repository, snapshot } = hubCache(t);
  mkdirSync(join(hub, "models--evil--x/blobs"), { recursive: true });
  writeFileSync(join(hub, "models--evil--x/blobs/cccc"), "");
  symlinkSync("../../../models--evil--x/blobs/cccc", join(snapshot, "a-other"));
  symlinkSync("/etc/passwd", join(repository, "blobs/dddd"));
  symlinkSync("../../blobs/dddd", join(snapshot, "b-link"));
  symlinkSync("../../blobs/eeee", join(snapshot, "c-missing"));
  symlinkSync("../../refs/main", join(snapshot, "d-refs"));
  const walk = await walkTree(snapshot);
  assert.deepEqual(
    walk.problems.map(({ path, problem }) => `${problem} ${path}`),
    ["link-escapes a-other", "link-escapes b-link", "link-broken c-missing", "link-broken d-refs"],
  );
  rmSync(join(repository, "blobs"), { recursive: true });
  symlinkSync("../models--evil--x/blobs", join(repository, "blobs"));
  writeFileSync(join(hub, "models--evil--x/blobs/aaaa"), "swapped");
  assert.equal((await walkTree(join(snapshot, "model.safetensors"))).problems[0]?.problem, "link-escapes");
});

test("with hubCache off, a snapshot's links are links that leave the tree", async (t) => {
  const walk = await walkTree(hubCache(t).snapshot, { hubCache: false });
  assert.deepEqual(
    walk.problems.map((p) => p.problem),
    ["link-escapes", "link-escapes"],
  );
});

test("the innermost repository counts", () => {
  assert.equal(hubRepository("/h/models--a/snapshots/r"), "/h/models--a");
  assert.equal(hubRepository("/h/datasets--a--b/snapshots/r/sub/dir"), "/h/datasets--a--b");
  assert.equal(
    hubRepository("/h/models--a/snapshots/r/spaces--b/snapshots/s"),
    "/h/models--a/snapshots/r/spaces--b",
  );
  assert.equal(hubRepository("/h/models--a/snapshots"), undefined);
  assert.equal(hubRepository("/h/other--a/snapshots/r"), undefined);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { escapingPath } from "./escaping-path.ts";
import { findingsOf, folder, judge } from "./testing.ts";
import { unclaimedFile } from "./unclaimed-file.ts";
import { untrackedLock } from "./untracked-lock.ts";

const many = (n: number, top: string): string[] => Array.from({ length: n }, (_, i) => `${top}f${i}.txt`);

test("WB-CODE-011: every problem of a path, and only those", () => {
  const kinds = [
    "link-escapes",
    "link-broken",
    "link-cycle",
    "not-a-file",
    "bad-name",
    "not-utf8",
    "collision",
  ] as const;
  for (const problem of kinds)
    assert.equal(judge(escapingPath, { problems: [{ path: "a", problem, detail: "x" }] }), "fail 2", problem);
  for (const problem of ["missing", "unreadable", "malformed", "empty"] as const)
    assert.equal(judge(escapingPath, { problems: [{ path: "a", problem, detail: "x" }] }), "pass", problem);
  const result = escapingPath.run(
    folder({ problems: [{ path: "p/s.md", problem: "link-escapes", detail: "it leads to '../x'" }] }),
  );
  const finding = findingsOf(result)[0]!;
  assert.equal(finding.path, "p/s.md");
  assert.equal(finding.component, "code/agent");
  assert.equal(finding.where?.file, "waybill.yaml");
  assert.equal(result.coverage, "2 paths of 1 component");
});

test("WB-CODE-012: each file up to twenty a folder, then one finding with the count", () => {
  const messages = (unclaimed: string[]) =>
    findingsOf(unclaimedFile.run(folder({ unclaimed }))).map((f) => f.message);
  assert.deepEqual(messages(["x.bak"]), ["no component claims 'x.bak'"]);
  assert.equal(messages(many(20, "a/")).length, 20);
  assert.deepEqual(messages(many(21, "a/")), ["no component claims 21 files in 'a/'"]);
  assert.deepEqual(messages([...many(21, "a/b/"), "c/x", "y"]), [
    "no component claims 21 files in 'a/'",
    "no component claims 'c/x'",
    "no component claims 'y'",
  ]);
  assert.deepEqual(messages(many(21, "")), ["no component claims 21 files in the agent's folder"]);
  assert.equal(judge(unclaimedFile, { unclaimed: ["x"] }), "fail 2");
  assert.equal(unclaimedFile.run(folder({ files: ["a", "b"] })).coverage, "2 of 2 files claimed");
});

const tracked = (...files: string[]) => ({ state: "tracked", files: new Set(files) }) as const;
const DEPENDENCIES = "components:\n  - {kind: dependencies, name: python, path: .}";

test("WB-LOCK-011: locks that git does not track", () => {
  assert.equal(judge(untrackedLock, { locked: true, git: tracked("waybill.lock") }), "pass");
  assert.equal(judge(untrackedLock, { locked: true, git: tracked() }), "fail 1");
  for (const lock of [
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "uv.lock",
    "poetry.lock",
    "go.sum",
    "a/Cargo.lock",
  ]) {
    const texts = { [lock]: "x" };
    assert.equal(judge(untrackedLock, { locked: true, texts, git: tracked("waybill.lock") }), "fail 1", lock);
    assert.equal(
      judge(untrackedLock, { locked: true, texts, git: tracked("waybill.lock", lock) }),
      "pass",
      lock,
    );
    assert.equal(judge(untrackedLock, { unread: { [lock]: "larger" }, git: tracked() }), "fail 1", lock);
  }
});

test("WB-LOCK-011: a requirements file counts where it is declared as dependencies", () => {
  const base = { locked: true, files: ["requirements.txt"], git: tracked("waybill.lock") };
  assert.equal(judge(untrackedLock, { ...base, manifest: DEPENDENCIES }), "fail 1");
  assert.equal(judge(untrackedLock, base), "pass");
});

test("WB-LOCK-011: without git, or without a lock, nothing is said", () => {
  const result = untrackedLock.run(folder({ locked: true }));
  assert.equal(result.status, "not-evaluated");
  assert.match(result.status === "not-evaluated" ? result.reason : "", /not a git work tree/);
  assert.equal(judge(untrackedLock, { git: tracked() }), "not-evaluated");
});

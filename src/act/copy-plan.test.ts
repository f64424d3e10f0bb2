import assert from "node:assert/strict";
import { test } from "node:test";
import { type CopyPlan, checkPlan, type PlannedFile } from "./copy-plan.ts";

const file = (path: string, more: Partial<PlannedFile> = {}): PlannedFile => ({
  path,
  source: `/agent/${path}`,
  size: 3,
  executable: false,
  sha256: "a".repeat(64),
  ...more,
});
const plan = (more: Partial<CopyPlan>): CopyPlan => ({
  releaseDigest: "d".repeat(64),
  files: [],
  links: [],
  extra: [],
  ...more,
});

test("a plan has each path once, its folders parents first, and the bytes of its files", () => {
  const files = [file("b/c/d.txt"), file("a.txt", { size: 4 }), file("b/x.txt"), file("b-/x.txt")];
  const links = [
    { path: "b/l", link: "x.txt" },
    { path: "b/m", link: "l" },
  ];
  const checked = checkPlan(
    plan({
      files: [...files, { ...files[0]! }],
      links: [...links, { ...links[0]! }],
      extra: [{ path: "w/y", data: "" }],
    }),
  );
  assert.deepEqual(checked, { ok: true, files, links, folders: ["b", "b-", "b/c", "w"], bytes: 13 });
  assert.deepEqual(checkPlan(plan({})), { ok: true, files: [], links: [], folders: [], bytes: 0 });
});

test("one path that is two things is refused, whichever two", () => {
  const link = { path: "x", link: "y" };
  const text = { path: "x", data: "" };
  const table: [string, Partial<CopyPlan>, string, string][] = [
    [
      "a program and a file",
      { files: [file("x", { executable: true }), file("x")] },
      `program 3 ${"a".repeat(64)} `,
      `also file 3 ${"a".repeat(64)} `,
    ],
    [
      "two sizes",
      { files: [file("x"), file("x", { size: 4 })] },
      `file 3 ${"a".repeat(64)} `,
      `also file 4 ${"a".repeat(64)} `,
    ],
    [
      "two digests",
      { files: [file("x"), file("x", { sha256: "b".repeat(64) })] },
      `file 3 ${"a".repeat(64)} `,
      `also file 3 ${"b".repeat(64)} `,
    ],
    [
      "two chunk roots",
      { files: [file("x"), file("x", { chunks: "c" })] },
      `file 3 ${"a".repeat(64)} `,
      `also file 3 ${"a".repeat(64)} c`,
    ],
    [
      "a file and a link",
      { files: [file("x")], links: [link] },
      `file 3 ${"a".repeat(64)} `,
      "also link to y",
    ],
    ["two links", { links: [link, { path: "x", link: "z" }] }, "link to y", "also link to z"],
    [
      "a file and a text",
      { files: [file("x")], extra: [text] },
      `file 3 ${"a".repeat(64)} `,
      "also a text of Waybill's own",
    ],
    ["a link and a text", { links: [link], extra: [text] }, "link to y", "also a text of Waybill's own"],
    ["two texts", { extra: [text, text] }, "text", "also a text of Waybill's own"],
  ];
  for (const [what, more, expected, found] of table)
    assert.deepEqual(checkPlan(plan(more)), { ok: false, path: "x", expected, found }, what);
});

test("a path below a file, a link or a text is refused, at any depth and in any order", () => {
  for (const below of ["x/y", "x/y/z"])
    for (const [more, found] of [
      [{ files: [file("x"), file(below)] }, /^x is a file/],
      [{ files: [file(below), file("x", { executable: true })] }, /^x is a program/],
      [{ files: [file(below)], links: [{ path: "x", link: "/" }] }, /^x is a link to \/$/],
      [{ files: [file("x")], links: [{ path: below, link: "q" }] }, /^x is a file/],
      [{ files: [file(below)], extra: [{ path: "x", data: "" }] }, /^x is a text$/],
      [{ links: [{ path: "x", link: "/" }], extra: [{ path: below, data: "" }] }, /^x is a link/],
    ] as [Partial<CopyPlan>, RegExp][]) {
      const made = checkPlan(plan(more));
      assert.ok(!made.ok);
      assert.deepEqual([made.path, made.expected], [below, "a path in a folder"]);
      assert.match(made.found, found);
    }
});

test("a path that leads out is refused, of a file, a link and a text", () => {
  for (const path of ["../x", "/x", "a/../../x", "a//x", "./x", "", ".", "..", "a/", "a\0b"])
    for (const more of [
      { files: [file(path)] },
      { links: [{ path, link: "y" }] },
      { extra: [{ path, data: "" }] },
    ]) {
      const made = checkPlan(plan(more));
      assert.ok(!made.ok, path);
      assert.deepEqual([made.path, made.expected], [path, "a path inside the agent's folder"]);
      assert.match(made.found, /^it is /);
    }
});

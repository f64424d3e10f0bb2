import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { readStatements } from "../verify/signed.ts";
import { readBundles } from "./agent-folder.ts";

const root = mkdtempSync(join(tmpdir(), "waybill-bundles-"));
after(() => rmSync(root, { recursive: true, force: true }));
let folder: string;
let n = 0;
beforeEach(() => {
  n += 1;
  folder = join(root, String(n));
  mkdirSync(join(folder, "waybill.evidence"), { recursive: true });
});
const put = (name: string, text: string) => writeFileSync(join(folder, "waybill.evidence", name), text);
const numbered = (i: number) => `release.${String(i).padStart(4, "0")}.sigstore.json`;

test("64 bundles are read, in the order of their names; the others are one that is malformed", () => {
  for (let i = 80; i > 0; i -= 1) put(numbered(i), `bundle ${i}`);
  put("notes.txt", "no bundle");
  const bundles = readBundles(folder);
  assert.equal(bundles.length, 65);
  assert.deepEqual(bundles[0], { file: `waybill.evidence/${numbered(1)}`, text: "bundle 1" });
  assert.deepEqual(bundles[63], { file: `waybill.evidence/${numbered(64)}`, text: "bundle 64" });
  assert.deepEqual(bundles[64], {
    file: "waybill.evidence/ (16 more files)",
    text: "",
    problem: "not read: at most 64 bundles and 16 MiB are",
  });
  const { malformed } = readStatements(bundles);
  assert.ok(malformed.some(({ file }) => file.endsWith("(16 more files)")));
});

test("exactly 64 bundles leave nothing out, one more is one file", () => {
  for (let i = 1; i <= 64; i += 1) put(numbered(i), "x");
  assert.equal(readBundles(folder).length, 64);
  put(numbered(65), "x");
  assert.equal(readBundles(folder).at(-1)!.file, "waybill.evidence/ (1 more file)");
});

test("the first names are kept of a folder of any size", () => {
  for (let i = 5000; i > 0; i -= 1) put(numbered(i), "");
  const bundles = readBundles(folder);
  assert.deepEqual(
    bundles.slice(0, 64).map(({ file }) => file),
    Array.from({ length: 64 }, (_, i) => `waybill.evidence/${numbered(i + 1)}`),
  );
  assert.equal(bundles[64]!.file, "waybill.evidence/ (4936 more files)");
});

test("16 MiB are read in all; a bundle over 1 MiB is malformed by itself and does not count", () => {
  put(numbered(0), "x".repeat((1 << 20) + 1));
  for (let i = 1; i <= 20; i += 1) put(numbered(i), "x".repeat(1 << 20));
  const bundles = readBundles(folder);
  assert.equal(bundles[0]!.text, "");
  assert.equal(
    bundles.reduce((sum, { text }) => sum + text.length, 0),
    16 << 20,
  );
  assert.equal(bundles.at(-1)?.file, "waybill.evidence/ (4 more files)");
});

test("waybill.evidence that is a link or a file is refused, a link inside it is malformed", () => {
  put(numbered(1), "mine");
  symlinkSync(numbered(1), join(folder, "waybill.evidence", numbered(2)));
  assert.deepEqual(
    readBundles(folder).map(({ text }) => text),
    ["mine", ""],
  );
  const other = join(root, `${n}-other`);
  mkdirSync(other);
  symlinkSync(join(folder, "waybill.evidence"), join(other, "waybill.evidence"));
  assert.throws(() => readBundles(other), { code: "WB-INPUT-002" });
  rmSync(join(other, "waybill.evidence"));
  symlinkSync("nowhere", join(other, "waybill.evidence"));
  assert.throws(() => readBundles(other), { code: "WB-INPUT-002" });
  rmSync(join(other, "waybill.evidence"));
  writeFileSync(join(other, "waybill.evidence"), "");
  assert.throws(() => readBundles(other), { code: "WB-INPUT-002" });
  rmSync(join(other, "waybill.evidence"));
  assert.deepEqual(readBundles(other), []);
});

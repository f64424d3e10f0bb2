import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { merkleRoot } from "../core/merkle.ts";
import { MAX_PINNED_TEXT, PinnedStore } from "./pinned-store.ts";

let folder: string;
const made: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "waybill-store-"));
  made.push(folder);
});
after(() => {
  for (const path of made) rmSync(path, { recursive: true, force: true });
});

const TEXT = Buffer.from("be kind\n");
const DIGEST = sha256(TEXT);
const CHUNKS = Buffer.concat([1, 2, 3].map((n) => Buffer.alloc(32, n)));
const ROOT = Buffer.from(merkleRoot([1, 2, 3].map((n) => Buffer.alloc(32, n)))).toString("hex");

test("what is kept is found, by another store of the folder too", () => {
  const store = new PinnedStore(folder);
  store.putText(DIGEST, TEXT);
  store.putChunks(ROOT, CHUNKS);
  const other = new PinnedStore(folder);
  assert.equal(other.text(DIGEST), "be kind\n");
  assert.deepEqual(Buffer.from(other.chunks(ROOT)!), CHUNKS);
  assert.equal(other.text(sha256("x")), undefined);
  assert.equal(other.chunks(sha256("x")), undefined);
});

test("a damaged entry counts as none, and is written again", () => {
  const store = new PinnedStore(folder);
  const [text, chunks] = [join(folder, ".waybill/blobs", DIGEST), join(folder, ".waybill/chunks", ROOT)];
  for (const damage of ["", "be evil\n", "be kind\n\n", "x".repeat(MAX_PINNED_TEXT + 1)]) {
    store.putText(DIGEST, TEXT);
    assert.equal(store.text(DIGEST), "be kind\n", "written again");
    writeFileSync(text, damage);
    assert.equal(store.text(DIGEST), undefined);
  }
  for (const damage of [Buffer.alloc(0), Buffer.alloc(96), CHUNKS.subarray(1), CHUNKS.subarray(32)]) {
    store.putChunks(ROOT, CHUNKS);
    assert.ok(store.chunks(ROOT));
    writeFileSync(chunks, damage);
    assert.equal(store.chunks(ROOT), undefined);
  }
});

test("an entry that is a folder, or asked for by a path, counts as none", () => {
  const store = new PinnedStore(folder);
  mkdirSync(join(folder, ".waybill/blobs", DIGEST), { recursive: true });
  assert.equal(store.text(DIGEST), undefined);
  assert.equal(store.text("../../x"), undefined);
  assert.equal(store.chunks("../blobs"), undefined);
});

test(".gitignore keeps all of it out of git, and is made once", () => {
  const store = new PinnedStore(folder);
  store.putText(DIGEST, TEXT);
  assert.equal(readFileSync(join(folder, ".waybill/.gitignore"), "utf8"), "*\n");
  writeFileSync(join(folder, ".waybill/.gitignore"), "!x\n");
  store.putChunks(ROOT, CHUNKS);
  assert.equal(readFileSync(join(folder, ".waybill/.gitignore"), "utf8"), "!x\n");
});

test("what is there already is not written again", () => {
  const store = new PinnedStore(folder);
  store.putText(DIGEST, TEXT);
  const before = statSync(join(folder, ".waybill/blobs", DIGEST), { bigint: true });
  store.putText(DIGEST, TEXT);
  assert.deepEqual(statSync(join(folder, ".waybill/blobs", DIGEST), { bigint: true }).ino, before.ino);
});

test("nothing is written through a link out of the folder", () => {
  const outside = mkdtempSync(join(tmpdir(), "waybill-outside-"));
  made.push(outside);
  symlinkSync(outside, join(folder, ".waybill"));
  assert.throws(() => new PinnedStore(folder).putText(DIGEST, TEXT), { code: "WB-STORE-003" });
  rmSync(join(folder, ".waybill"));
  mkdirSync(join(folder, ".waybill"));
  symlinkSync(outside, join(folder, ".waybill/blobs"));
  assert.throws(() => new PinnedStore(folder).putText(DIGEST, TEXT), { code: "WB-STORE-003" });
  assert.deepEqual(readdirSync(outside), []);
});

test("a store that cannot be made says so", () => {
  writeFileSync(join(folder, ".waybill"), "a file");
  assert.throws(() => new PinnedStore(folder).putText(DIGEST, TEXT), {
    name: "WaybillError",
    code: "WB-STORE-001",
  });
});

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fsckJournal } from "./fsck.ts";
import { openJournal } from "./journal.ts";
import { LEFTOVERS } from "./set-aside.ts";
import { TestMaker } from "./test-maker.test.ts";

const home = mkdtempSync(join(tmpdir(), "waybill-set-aside-"));
after(() => rmSync(home, { recursive: true, force: true }));

test("a database lost with entries that were never acknowledged: their files are moved out, none is deleted", async () => {
  const folder = join(home, "journal");
  const maker = new TestMaker();
  const append = async (id: string): Promise<void> => {
    const journal = await openJournal(home, { create: {} });
    await journal.append(maker.statement(id));
    await journal.close();
  };
  for (const id of ["a", "b"]) await append(id);
  const checkpoint = join(home, "old-checkpoint");
  cpSync(join(folder, "checkpoint"), checkpoint);
  await append("c");
  // As after a kill before the checkpoint: the files of the third entry are there, the checkpoint is of two.
  cpSync(checkpoint, join(folder, "checkpoint"));
  for (const end of ["", "-wal", "-shm"]) rmSync(join(folder, `journal.sqlite${end}`), { force: true });
  await append("d");
  const report = await fsckJournal(folder);
  assert.deepEqual([report.findings, report.size], [[], 3]);
  const moved = readdirSync(join(home, LEFTOVERS), { recursive: true, encoding: "utf8" });
  assert.equal(moved.filter((path) => path.endsWith(".json")).length, 1, "the envelope of c");
  assert.equal(moved.filter((path) => path.endsWith("000.p/3")).length, 2, "its tile and its entries");
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WaybillError } from "../core/errors.ts";
import { type SequencedEntry, Sequencer } from "./sequencer.ts";

const code = (expected: string) => (error: unknown) =>
  error instanceof WaybillError && error.code === expected;
const [A, B, C] = ["a", "b", "c"].map((letter) => letter.repeat(64)) as [string, string, string];

function fresh(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "waybill-sequencer-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "journal.sqlite");
}

const START = {
  origin: "log.example.org",
  logId: A,
  start: "2027-01-01T00:00:00Z",
  size: 0,
  root: A,
  published: 0,
};
const entry = (index: number, leaf: string): SequencedEntry => ({
  index,
  leaf,
  digest: "d",
  body: "{}",
  envelope: "e",
});

test("what is committed is there for every other connection, and nothing else", async (t) => {
  const path = fresh(t);
  const [one, two] = [new Sequencer(path), new Sequencer(path)];
  assert.equal(one.state(), undefined);
  await one.locked(() => one.create(START));
  await one.locked(() => one.append(START, [entry(0, B)], [], { size: 1, root: B }));
  assert.deepEqual(two.state(), { ...START, size: 1, root: B });
  assert.deepEqual([two.indexOfLeaf(B), two.indexOfLeaf(C), two.indexesOfDigest("d")], [0, undefined, [0]]);
  await assert.rejects(
    one.locked(() => {
      one.append({ size: 1, root: B }, [entry(1, C)], [], { size: 2, root: C });
      throw new Error("before the end");
    }),
    /before the end/,
  );
  assert.deepEqual([two.state()!.size, two.indexOfLeaf(C)], [1, undefined]);
  one.close();
  two.close();
});

test("a new size follows only from the one that is committed: compare-and-swap", async (t) => {
  const sequencer = new Sequencer(fresh(t));
  await sequencer.locked(() => sequencer.create(START));
  for (const before of [
    { size: 1, root: A },
    { size: 0, root: B },
  ])
    await assert.rejects(
      sequencer.locked(() => sequencer.append(before, [], [], { size: 2, root: C })),
      code("WB-STORE-003"),
    );
  assert.deepEqual(sequencer.state(), START);
  sequencer.close();
});

test("one at a time, in one process and over several connections; whoever waits too long is told", async (t) => {
  const path = fresh(t);
  const [one, two] = [new Sequencer(path), new Sequencer(path, { timeoutMs: 60 })];
  let inside = 0;
  const visit = (sequencer: Sequencer) =>
    sequencer.locked(async () => {
      inside += 1;
      assert.equal(inside, 1);
      await sleep(3);
      inside -= 1;
    });
  await Promise.all([visit(one), visit(one), visit(two), visit(one)]);
  const long = one.locked(() => sleep(400));
  await sleep(5);
  await assert.rejects(visit(two), code("WB-STORE-004"));
  await long;
  await visit(two);
  one.close();
  two.close();
});

test("what full tiles hold is forgotten, the edge and what is not published are kept", async (t) => {
  const sequencer = new Sequencer(fresh(t));
  await sequencer.locked(() => sequencer.create(START));
  const entries = Array.from({ length: 300 }, (_, i) => entry(i, i.toString(16).padStart(64, "0")));
  const nodes = [{ level: 1, index: 0, hash: C }];
  await sequencer.locked(() => {
    sequencer.append(START, entries, nodes, { size: 300, root: B });
    sequencer.published(290, 2);
  });
  assert.deepEqual(
    sequencer.pending(0, 300).map(({ index }) => index),
    Array.from({ length: 44 }, (_, i) => 256 + i),
  );
  // Envelopes that lie in files are not kept twice.
  assert.deepEqual(
    sequencer.pending(289, 291).map(({ envelope }) => envelope),
    [null, "e"],
  );
  assert.deepEqual(sequencer.nodes(1, 0, 256), [C]);
  assert.equal(sequencer.indexedCount(), 300);
  sequencer.close();
});

test("a file that is no database, and a folder that is not there, are told apart", (t) => {
  const path = fresh(t);
  assert.throws(() => new Sequencer(join(path, "deeper/journal.sqlite")), code("WB-STORE-001"));
  writeFileSync(path, "this is a text and no database, whatever its name says ".repeat(40));
  assert.throws(() => new Sequencer(path), code("WB-STORE-003"));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Io } from "./io.ts";
import { bytes, ProgressLine, progressText } from "./progress.ts";

const half = { bytesDone: 600_000_000, bytesTotal: 1_200_000_000, filesDone: 3, filesTotal: 8 };

test("what, how much, how fast, how long still", () => {
  assert.equal(
    progressText("locking", half, 2000, 100),
    "locking  ██████████░░░░░░░░░░  600.0 MB/1.2 GB  3/8 files  300.0 MB/s  2 s left",
  );
});

test("never as wide as the terminal: a line that wraps cannot be erased", () => {
  assert.equal(
    progressText("locking", half, 2000, 60),
    "locking  600.0 MB/1.2 GB  3/8 files  300.0 MB/s  2 s left",
  );
  for (const width of [40, 60, 80, 120])
    assert.ok(progressText("verifying", half, 2000, width).length < width);
});

test("no nonsense at the beginning, at the end, and for nothing at all", () => {
  const none = { bytesDone: 0, bytesTotal: 0, filesDone: 0, filesTotal: 0 };
  for (const [progress, elapsed] of [
    [none, 0],
    [none, 500],
    [{ ...half, bytesDone: 0 }, 500],
    [{ ...half, bytesDone: 2e9 }, 500],
  ] as const)
    assert.doesNotMatch(progressText("locking", progress, elapsed, 100), /NaN|Infinity|-\d|undefined/);
});

test("sizes in decimal units", () => {
  assert.equal(bytes(0), "0 B");
  assert.equal(bytes(999), "999 B");
  assert.equal(bytes(1000), "1.0 kB");
  assert.equal(bytes(3_145_981), "3.1 MB");
  assert.equal(bytes(4.9e9), "4.9 GB");
  assert.equal(bytes(2e15), "2000.0 TB");
});

test("nothing is shown without a terminal, nor in the first moments", () => {
  let said = "";
  const io = { err: (text: string) => (said += text), interactive: true, width: 80 } as unknown as Io;
  const line = new ProgressLine(io, "locking");
  line.update(half);
  line.done();
  new ProgressLine({ ...io, interactive: false }, "locking").update(half);
  assert.equal(said, "");
});

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WaybillError } from "../src/core/errors.ts";
import { fsckJournal } from "../src/journal/fsck.ts";
import { openJournal } from "../src/journal/journal.ts";
import { Sequencer } from "../src/store/sequencer.ts";
import { crashJournal, ended, mustHold, startWriter, type Witnessed } from "./crash-journal.ts";

test("writers killed at any moment, stopped and woken, lose nothing and fork nothing", async () => {
  // Few: `node scripts/crash-journal.ts --kills 1000` takes its time.
  const { acknowledged, checkpoints } = await crashJournal({
    kills: 6,
    stops: 9,
    seed: "npm test",
    say: () => {},
  });
  assert.ok(acknowledged > 0 && checkpoints > 0);
});

test("fsck finds nothing while writers write", async () => {
  const home = mkdtempSync(join(tmpdir(), "waybill-fsck-live-"));
  const seen: Witnessed = { acknowledged: new Map(), checkpoints: new Set(), failures: [] };
  const writers = [0, 1].map((i) => startWriter(home, `live${i}`, 1_000_000, seen));
  try {
    while (seen.acknowledged.size === 0) await sleep(20);
    for (let i = 0; i < 12; i += 1) {
      const report = await fsckJournal(join(home, "journal"));
      assert.deepEqual(report.findings, []);
      await sleep(10);
    }
  } finally {
    for (const writer of writers) writer.kill("SIGKILL");
    await Promise.all(writers.map(ended));
  }
  try {
    await mustHold(home, seen);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test("a writer that is stopped with its turn keeps it: nobody overtakes, nothing is forked when it is woken", async () => {
  const home = mkdtempSync(join(tmpdir(), "waybill-stopped-"));
  const seen: Witnessed = { acknowledged: new Map(), checkpoints: new Set(), failures: [] };
  const writer = startWriter(home, "stopped", 1_000_000, seen);
  const path = join(home, "journal/checkpoint");
  try {
    while (seen.acknowledged.size === 0) await sleep(20);
    let held = 0;
    for (let i = 0; held < 3; i += 1) {
      assert.ok(i < 500, "the writer was never stopped with its turn");
      await sleep(i % 13);
      writer.kill("SIGSTOP");
      const other = new Sequencer(join(home, "journal/journal.sqlite"), { timeoutMs: 60 });
      const free = await other.locked(() => true).catch((error: WaybillError) => error.code);
      other.close();
      const before = readFileSync(path, "utf8");
      seen.checkpoints.add(before);
      if (free === "WB-STORE-004") {
        held += 1;
        await assert.rejects(openJournal(home, { lockTimeoutMs: 100 }), (error) => {
          assert.ok(error instanceof WaybillError && error.code === "WB-STORE-004");
          return true;
        });
        assert.equal(readFileSync(path, "utf8"), before);
      }
      writer.kill("SIGCONT");
      await sleep(5);
    }
  } finally {
    writer.kill("SIGCONT");
    writer.kill("SIGKILL");
    await ended(writer);
  }
  try {
    await mustHold(home, seen);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

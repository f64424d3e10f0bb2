import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { NOTHING_SEEN, WitnessState } from "./witness-state.ts";

const [A, B] = [
  { size: 1, root: sha256("a") },
  { size: 1, root: sha256("b") },
] as const;

function inFolder(run: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "waybill-witness-"));
  try {
    run(join(folder, "witness.db"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("a head moves from what was checked and from nothing else", () => {
  inFolder((path) => {
    const state = new WitnessState(path);
    assert.deepEqual(state.head("log"), NOTHING_SEEN);
    assert.equal(state.advance("log", A, { size: 2, root: sha256("c") }), false);
    assert.equal(state.advance("log", NOTHING_SEEN, A), true);
    assert.equal(state.advance("log", NOTHING_SEEN, B), false);
    assert.equal(state.advance("log", B, { size: 2, root: sha256("c") }), false);
    assert.equal(state.advance("log", A, A), true);
    assert.deepEqual(state.head("log"), A);
    assert.deepEqual(state.head("other"), NOTHING_SEEN);
    state.close();
    const again = new WitnessState(path);
    assert.deepEqual(again.head("log"), A);
    again.close();
  });
});

test("of two that hold one file, one moves the head", () => {
  inFolder((path) => {
    const [one, two] = [new WitnessState(path), new WitnessState(path)];
    assert.deepEqual([one.head("log"), two.head("log")], [NOTHING_SEEN, NOTHING_SEEN]);
    assert.equal(one.advance("log", NOTHING_SEEN, A), true);
    assert.equal(two.advance("log", NOTHING_SEEN, B), false);
    assert.deepEqual(two.head("log"), A);
    one.close();
    two.close();
  });
});

test("a file that is damaged, replaced or no database is an error, never an empty state", () => {
  inFolder((path) => {
    const state = new WitnessState(path);
    assert.equal(state.advance("log", NOTHING_SEEN, A), true);
    const other = new DatabaseSync(path);
    other.exec("UPDATE witnessed SET root = 'x'");
    other.close();
    assert.throws(() => state.head("log"), { code: "WB-STORE-003" });
    renameSync(path, `${path}.old`);
    assert.throws(() => state.advance("new", NOTHING_SEEN, A), { code: "WB-STORE-003" });
    writeFileSync(path, "");
    assert.throws(() => state.advance("new", NOTHING_SEEN, A), { code: "WB-STORE-003" });
    state.close();
    writeFileSync(`${path}.text`, "no database at all, but long enough to be looked at as one".repeat(20));
    assert.throws(() => new WitnessState(`${path}.text`), { code: "WB-STORE-001" });
    assert.throws(() => new WitnessState(join(path, "nowhere")), { code: "WB-STORE-001" });
  });
});

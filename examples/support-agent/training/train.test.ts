import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, tempDir } from "../tests/support.ts";
import { loadDataset } from "./data.ts";
import { train } from "./train.ts";

test("training twice gives the same bytes and a model that is good enough", () => {
  using one = tempDir();
  using two = tempDir();
  const report = train(join(root, "dataset"), one.path);
  assert.deepEqual(train(join(root, "dataset"), two.path), report);
  for (const file of ["intent.safetensors", "config.json"]) {
    assert.deepEqual(readFileSync(join(one.path, file)), readFileSync(join(two.path, file)));
  }
  assert.ok(report.accuracy >= 0.85, `accuracy ${report.accuracy}`);
  const bytes = readFileSync(join(one.path, "intent.safetensors"));
  assert.ok(bytes.length > 1 << 20);
  const length = Number(bytes.readBigUInt64LE(0));
  assert.equal(length % 8, 0);
  assert.deepEqual(Object.keys(JSON.parse(bytes.toString("utf8", 8, 8 + length))), [
    "__metadata__",
    "bias",
    "weight",
  ]);
});

test("a held-out text that is also trained on is refused", () => {
  using dir = tempDir();
  const line = '{"text":"Hello","intent":"smalltalk"}\n';
  writeFileSync(join(dir.path, "intents.jsonl"), line);
  writeFileSync(join(dir.path, "holdout.jsonl"), line);
  assert.throws(() => loadDataset(dir.path), /also in intents\.jsonl/);
});

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root, tempDir } from "../tests/support.ts";
import { train } from "../training/train.ts";
import { loadClassifier } from "./classifier.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

test("the classifier predicts, and refuses a model that is cut short or does not fit its config", () => {
  using dir = tempDir();
  train(join(root, "dataset"), dir.path);
  const { intent, sure } = loadClassifier(dir.path).predict("where is my parcel?");
  assert.deepEqual({ intent, sure }, { intent: "order_status", sure: true });

  const file = join(dir.path, "intent.safetensors");
  const bytes = readFileSync(file);
  for (const length of [0, 7, 8, 100, bytes.length - 1]) {
    writeFileSync(file, bytes.subarray(0, length));
    assert.throws(() => loadClassifier(dir.path), `${length} bytes`);
  }
  const small = { bias: { shape: [7], data: new Float32Array(7) } };
  writeFileSync(file, writeSafetensors(small, {}));
  assert.throws(() => loadClassifier(dir.path), /shape/);
});

test("safetensors with gaps, overlaps, trailing bytes or wild sizes are refused", () => {
  const make = (header: object, data = 8) => {
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, Buffer.alloc(data)]);
  };
  const f32 = (shape: unknown, data_offsets: unknown) => ({ dtype: "F32", shape, data_offsets });
  assert.equal(readSafetensors(make({ a: f32([2], [0, 8]) })).a?.data.length, 2);
  for (const header of [
    { a: f32([1], [4, 8]) },
    { a: f32([1], [0, 4]), b: f32([1], [0, 4]) },
    { a: f32([1], [0, 4]) },
    { a: f32([4], [0, 16]) },
    { a: f32([2 ** 40, 2 ** 40], [0, 8]) },
    { a: f32([-2], [0, 8]) },
    { a: { ...f32([2], [0, 8]), dtype: "I32" } },
    { a: null },
    [],
  ]) {
    assert.throws(() => readSafetensors(make(header)), /safetensors/, JSON.stringify(header));
  }
  assert.throws(() => readSafetensors(Buffer.alloc(16, 255)), /does not fit/);
});

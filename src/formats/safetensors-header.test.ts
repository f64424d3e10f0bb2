import assert from "node:assert/strict";
import { test } from "node:test";
import { tensorRanges } from "./safetensors-header.ts";

function header(json: string, length = Buffer.byteLength(json)): Buffer {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([head, Buffer.from(json)]);
}
const tensor = (from: unknown, to: unknown) => ({ dtype: "F32", shape: [1], data_offsets: [from, to] });

test("tensors in the order of their bytes, counted from the file's beginning", () => {
  const json = JSON.stringify({ __metadata__: { data_offsets: [0, 1] }, b: tensor(4, 8), a: tensor(0, 4) });
  const start = 8 + json.length;
  assert.deepEqual(tensorRanges(header(json)), [
    { name: "a", from: start, to: start + 4 },
    { name: "b", from: start + 4, to: start + 8 },
  ]);
});

test("what is no such header has no tensors", () => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.alloc(7),
    header("{"),
    header("[]"),
    header("null"),
    header('{"a":1}', 1000),
    header('{"a":1}', 2 ** 40),
    header('{"a":{"data_offsets":[0]},"b":null,"c":{"data_offsets":[2,1]},"d":{"data_offsets":["0","1"]}}'),
    header('{"a":1,"a":2}'),
    Buffer.alloc(64, 0xff),
  ])
    assert.deepEqual(tensorRanges(bytes), []);
});

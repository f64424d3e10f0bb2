import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { rangeHasher } from "./range-hasher.ts";

/** Byte i is i mod 251, as in the BLAKE3 team's vectors; the digests were made with the Python package blake3. */
const input = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => i % 251));

test("BLAKE3 is that of other implementations, however the bytes are cut up", async () => {
  const make = await rangeHasher("blake3");
  for (const [length, digest] of [
    [0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
    [1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"],
    [31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"],
  ] as const) {
    const hash = make();
    const bytes = input(length);
    hash.update(bytes.subarray(0, length / 3));
    hash.update(bytes.subarray(length / 3));
    assert.equal(hash.hex(), digest, String(length));
  }
});

test("the others are Node's", async () => {
  for (const algorithm of ["sha256", "blake2b512"] as const) {
    const hash = (await rangeHasher(algorithm))();
    hash.update(input(100));
    assert.equal(hash.hex(), createHash(algorithm).update(input(100)).digest("hex"));
  }
});

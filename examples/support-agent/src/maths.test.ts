import assert from "node:assert/strict";
import { test } from "node:test";
import { exp, ln, softmax, sqrt } from "./maths.ts";

test("exp, ln and sqrt agree with Math to 13 digits", () => {
  const close = (got: number, wanted: number) =>
    assert.ok(Math.abs(got - wanted) <= 1e-13 * Math.max(1, Math.abs(wanted)), `${got} ${wanted}`);
  for (const x of [-20, -3.7, -0.5, 0, 1e-9, 0.3, 1, 2.5]) close(exp(x), Math.exp(x));
  for (const x of [1e-9, 0.1, 0.75, 1, 1.5, 2, 10, 12345.678]) {
    close(ln(x), Math.log(x));
    close(sqrt(x), Math.sqrt(x));
  }
  assert.throws(() => ln(0), RangeError);
  assert.throws(() => sqrt(Number.NaN), RangeError);
});

test("softmax sums to one and survives large logits", () => {
  const chances = softmax([1000, 999, -1000]);
  assert.ok(Math.abs(chances.reduce((sum, chance) => sum + chance, 0) - 1) < 1e-12);
  assert.ok(chances[0]! > chances[1]!);
});

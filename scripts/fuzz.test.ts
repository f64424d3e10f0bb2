import assert from "node:assert/strict";
import { test } from "node:test";
import { mutate, random } from "./fuzz/mutate.ts";
import { makeCorpus, TARGETS, type Target } from "./fuzz/targets.ts";
import { trial } from "./fuzz.ts";

/** Inputs per parser; `npm run fuzz` has a budget of time instead. */
const ROUNDS = 60;
/** Whoever finds a failure with it can run it again. */
const SEED = "npm test";

for (const target of TARGETS)
  test(`${target.name}: valid inputs pass, mutated ones end in documented errors`, () => {
    const corpus = makeCorpus(target);
    assert.ok(corpus.length > 0);
    for (const input of corpus) assert.equal(trial(target, input, true), undefined);
    const next = random(`${SEED} ${target.name}`);
    for (let i = 0; i < ROUNDS; i += 1) {
      const input = mutate(corpus[i % corpus.length]!, corpus, next).subarray(0, 16_384);
      const reason = trial(target, input);
      assert.equal(reason, undefined, `${target.name}: ${input.toString("base64")}`);
    }
  });

test("mutations are the same for the same seed, and others for another", () => {
  const corpus = [Buffer.from('{"a": [1, 2, 3]}\n{"b": 22}\n')];
  const made = (seed: string) => {
    const next = random(seed);
    return Array.from({ length: 50 }, () => mutate(corpus[0]!, corpus, next).toString("hex"));
  };
  assert.deepEqual(made("1"), made("1"));
  assert.notDeepEqual(made("1"), made("2"));
  assert.ok(new Set(made("1")).size > 40);
  assert.equal(corpus[0]!.length, 27);
});

test("an error that is not documented, a slow parser and a refused corpus are failures", () => {
  const parser = (run: Target["run"], more: Partial<Target> = {}): Target => ({
    name: "x",
    errors: [RangeError],
    corpus: () => [""],
    run,
    ...more,
  });
  const throws = (error: unknown) => () => {
    throw error;
  };
  const none = Buffer.alloc(0);
  assert.equal(trial(parser(throws(new RangeError("x"))), none), undefined);
  assert.match(trial(parser(throws(new TypeError("a bug"))), none)!, /TypeError: a bug/);
  assert.match(trial(parser(throws("text")), none)!, /text/);
  assert.match(
    trial(parser(throws(new RangeError("x")), { valid: true }), none, true)!,
    /a valid input is refused/,
  );
  const slow = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
  assert.match(trial(parser(slow), none)!, /it took 2\d{3} ms/);
});

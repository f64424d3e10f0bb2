import assert from "node:assert/strict";
import { test } from "node:test";
import { consistencyPath, type Hash, leafHash, merkleRoot } from "../core/merkle.ts";
import type { LogInclusion } from "../sign/established.ts";
import { type LogFacts, logConsistency, type SeenHead } from "./log-step.ts";

const logId = "a".repeat(64);
const leaves = (count: number, name = "x"): Hash[] =>
  Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`${name}${i}`)));
const root = (of: Hash[]): Buffer => Buffer.from(merkleRoot(of));
const logged = (of: Hash[]): LogInclusion => ({
  origin: "log.example",
  logId,
  index: 0,
  checkpoint: { size: of.length, root: root(of), note: "" },
  witnesses: [],
});
const head = (of: Hash[]): SeenHead => ({
  origin: "log.example",
  logId,
  size: of.length,
  root: root(of).toString("hex"),
});
const proof = (of: Hash[], from: number) => ({
  logId,
  from,
  to: of.length,
  proof: consistencyPath(of, from),
});
const NOTHING: LogFacts = { remembered: [], proofs: [] };

test("the first head of a log is remembered, and only a larger one replaces it", () => {
  const first = logConsistency([logged(leaves(3))], NOTHING);
  assert.deepEqual([first.result.status, first.remember], ["pass", [head(leaves(3))]]);
  const grown = { remembered: [head(leaves(3))], proofs: [proof(leaves(7), 3)] };
  assert.deepEqual(logConsistency([logged(leaves(7))], grown).remember, [head(leaves(7))]);
  const shrunk = { remembered: [head(leaves(7))], proofs: [proof(leaves(7), 3)] };
  const older = logConsistency([logged(leaves(3))], shrunk);
  assert.deepEqual([older.result.status, older.remember], ["pass", []]);
});

test("a log with another past than the door saw fails, whichever is the longer, and is not remembered", () => {
  const other = leaves(7, "y");
  for (const [mine, theirs] of [
    [leaves(3), other],
    [other, leaves(3)],
  ] as const) {
    const [small, large] = mine.length < theirs.length ? [mine, theirs] : [theirs, mine];
    const facts = { remembered: [head(mine)], proofs: [proof(large, small.length)] };
    const step = logConsistency([logged(theirs)], facts);
    assert.equal(step.result.status, "fail");
    assert.deepEqual(step.remember, []);
  }
});

test("two trees of one size need no proof to be found out", () => {
  const remembered = logConsistency([logged(leaves(4, "y"))], { remembered: [head(leaves(4))], proofs: [] });
  assert.equal(remembered.result.status, "fail");
  const together = logConsistency([logged(leaves(4, "y")), logged(leaves(4))], NOTHING);
  assert.equal(together.result.status, "fail");
});

test("a grown log without a copy at hand is said to be unproved", () => {
  const step = logConsistency([logged(leaves(9))], { remembered: [head(leaves(4))], proofs: [] });
  assert.equal(step.result.status, "pass");
  assert.equal(step.result.coverage, "0 of 1 checkpoints compared");
  assert.match(step.notes[0]!, /no copy of it is at hand/);
});

test("heads of other logs are not compared", () => {
  const facts = { remembered: [{ ...head(leaves(4, "y")), logId: "b".repeat(64) }], proofs: [] };
  assert.equal(logConsistency([logged(leaves(4))], facts).result.status, "pass");
});

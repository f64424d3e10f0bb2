import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../core/digest.ts";
import type { Verdict } from "../core/verdict.ts";
import { readPredicate } from "./predicate.ts";
import { encodeStatement, parseStatement, type Statement } from "./statement.ts";
import { makeVerdictStatement, type VerdictPredicate, verdictPredicate } from "./verdict.ts";

const verdict: Verdict = {
  outcome: "allow",
  reason: "all passed",
  door: "start",
  target: "production",
  level: "baseline",
  agent: "support-agent",
  release: sha256("release"),
  trust: { origin: "operator" },
  signedBy: [{ principal: "alice", key: sha256("key") }],
  blocking: [],
  advisory: [],
  notEvaluated: [],
  results: [{ code: "WB-SIGN-001", status: "pass", coverage: "1 signature" }],
  notes: [],
  decidedAt: "2026-06-01T00:00:00.000Z",
};
const written = (of: Verdict): { statement: Statement; predicate: VerdictPredicate } => {
  const statement = parseStatement(
    Buffer.from(encodeStatement(makeVerdictStatement(of, "manifest", "policy"))),
  ) as Statement;
  const read = readPredicate(verdictPredicate, statement);
  assert.ok("predicate" in read);
  return { statement, predicate: read.predicate };
};

test("an allowed release is a passed verification summary about its digest, with the policy that was asked", () => {
  const { statement, predicate } = written(verdict);
  assert.deepEqual(statement.subject, [{ name: "support-agent", digest: { sha256: sha256("release") } }]);
  assert.equal(predicate.verificationResult, "PASSED");
  assert.deepEqual(predicate.verifiedLevels, ["WAYBILL_BASELINE"]);
  assert.equal(predicate.policy.digest.sha256, sha256("policy"));
});

test("denied and cannot tell are both failed, told apart by their own field", () => {
  const why = { code: "WB-SIGN-001", reason: "no trust", coverage: "nothing", required: true };
  const cannotTell = written({ ...verdict, outcome: "cannot-tell", notEvaluated: [why] }).predicate;
  assert.equal(cannotTell.verificationResult, "FAILED");
  assert.equal(cannotTell.waybill.outcome, "cannot-tell");
  assert.deepEqual(cannotTell.waybill.notEvaluated, ["WB-SIGN-001"]);
  const finding = { code: "WB-LOCK-001", message: "not locked", why: "", fix: "" };
  const denied = written({ ...verdict, outcome: "deny", blocking: [finding, finding] }).predicate;
  assert.deepEqual(
    [denied.verificationResult, denied.verifiedLevels, denied.waybill.blocking],
    ["FAILED", [], ["WB-LOCK-001"]],
  );
});

test("what observe let through with failures is no pass", () => {
  const failed: Verdict = {
    ...verdict,
    level: "observe",
    results: [{ code: "WB-SIGN-001", status: "fail", coverage: "none", findings: [] }],
  };
  assert.equal(written(failed).predicate.verificationResult, "FAILED");
});

test("what is allowed without a signature that the operator's trust accepts is no pass", () => {
  for (const door of [
    { ...verdict, door: "ci" as const, signedBy: [] },
    { ...verdict, trust: { origin: "self-asserted" as const } },
    { ...verdict, level: "observe" as const, signedBy: [], trust: { origin: "none" as const } },
  ]) {
    const { verificationResult, verifiedLevels, waybill } = written(door).predicate;
    assert.deepEqual([verificationResult, verifiedLevels, waybill.outcome], ["FAILED", [], "allow"]);
  }
});

test("without a release the summary is about the manifest", () => {
  const { release, ...rest } = verdict;
  const { statement } = written({ ...rest, outcome: "deny" });
  assert.notEqual(release, undefined);
  assert.deepEqual(statement.subject, [
    { name: "support-agent/waybill.yaml", digest: { sha256: sha256("manifest") } },
  ]);
});

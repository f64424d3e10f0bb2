import assert from "node:assert/strict";
import { test } from "node:test";
import { CHECKS } from "./registry.ts";
import { exampleFacts, findingsOf, folder } from "./testing.ts";

const CODE =
  /^WB-(MODEL|DATA|PROMPT|TOOL|CORPUS|CODE|DEPS|IMAGE|INFRA|LOCK|LICENSE|CI|REVIEW|SIGN|TRUST|LOG|RUN|ROLL|PACT|CLUSTER)-\d{3}$/;

test("codes are well formed and no two checks share one", () => {
  const codes = CHECKS.map(({ rule }) => rule.code);
  assert.ok(codes.length >= 13);
  assert.deepEqual(
    codes.filter((code) => !CODE.test(code)),
    [],
  );
  assert.equal(new Set(codes).size, codes.length);
});

for (const { rule, run } of CHECKS.filter((c) => c.rule.group === "hygiene")) {
  test(`${rule.code} says why and how, and its example is true`, () => {
    for (const text of [rule.title, rule.why, rule.fix]) assert.ok(text.length > 10, text);
    assert.match(rule.title, /^[^A-Z].*[^.]$/);
    assert.ok(rule.example, "no example");
    const findings = findingsOf(run(exampleFacts(rule.example, "bad")));
    assert.ok(findings.length > 0, "the bad example is not found");
    assert.equal(run(exampleFacts(rule.example, "good")).status, "pass");
    for (const finding of findings) {
      assert.equal(finding.code, rule.code);
      assert.match(finding.message, /^[^A-Z].*[^.]$/s);
      assert.ok(finding.why && finding.fix);
    }
  });

  test(`${rule.code} says what it looked at when there is nothing`, () => {
    const result = run(folder());
    assert.ok(result.status !== "fail", JSON.stringify(result));
    assert.ok(result.coverage.length > 5);
  });
}

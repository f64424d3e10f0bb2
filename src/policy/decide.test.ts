import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckResult, Level, Rule } from "../core/finding.ts";
import type { Release } from "../core/release.ts";
import { markVerified, type Verified } from "../verify/verified.ts";
import { type Allowed, assertAllowed } from "./allowed.ts";
import { type DecideInput, decide } from "./decide.ts";

const rule = (code: string, group: Rule["group"], blocksAt: Rule["blocksAt"] = "baseline"): Rule => ({
  code,
  group,
  blocksAt,
  title: "a title",
  why: "a reason",
  fix: "a fix",
});
const rules = new Map(
  [
    rule("I", "integrity"),
    rule("S", "signature"),
    rule("T", "trust"),
    rule("H", "hygiene"),
    rule("L", "hygiene", "strict"),
    rule("F", "freshness", "strict"),
  ].map((r) => [r.code, r]),
);
const pass = (code: string): CheckResult => ({ code, coverage: "all", status: "pass" });
const fail = (code: string): CheckResult => ({
  code,
  coverage: "all",
  status: "fail",
  findings: [{ code, message: `${code} is wrong`, why: "a reason", fix: "a fix" }],
});
const open = (code: string): CheckResult => ({
  code,
  coverage: "nothing",
  status: "not-evaluated",
  reason: `nobody knows ${code}`,
});
const green = [...rules.keys()].map(pass);
/** All green but for these. */
const but = (...results: CheckResult[]) => green.map((r) => results.find((x) => x.code === r.code) ?? r);

const release = { digest: "a".repeat(64), document: { agent: "a" } } as unknown as Release;
const verified = () => markVerified(release, [{ principal: "alice", key: "b".repeat(64) }], 2000);
const input = (more: Partial<DecideInput> = {}): DecideInput => ({
  agent: "a",
  release,
  verified: verified(),
  results: green,
  rules,
  door: "start",
  target: "production",
  level: "baseline",
  policy: { level: "observe", deny: [] },
  trust: { origin: "operator", file: "trust.yaml" },
  now: 1000,
  ...more,
});

test("any blocking failure denies, else a required unknown cannot tell, else it is allowed", () => {
  // results, then the outcome at observe, baseline, strict
  const table: [CheckResult[], string, string, string][] = [
    [green, "allow", "allow", "allow"],
    [but(fail("I")), "allow", "deny", "deny"],
    [but(fail("S")), "allow", "deny", "deny"],
    [but(fail("T")), "allow", "deny", "deny"],
    [but(fail("H")), "allow", "deny", "deny"],
    [but(fail("L")), "allow", "allow", "deny"],
    [but(fail("F")), "allow", "allow", "deny"],
    [but(open("I")), "allow", "cannot-tell", "cannot-tell"],
    [but(open("S")), "allow", "cannot-tell", "cannot-tell"],
    [but(open("T")), "allow", "cannot-tell", "cannot-tell"],
    [but(open("H")), "allow", "allow", "cannot-tell"],
    [but(open("F")), "allow", "allow", "cannot-tell"],
    // A failure outweighs what nobody knows, in whichever order they come.
    [but(open("I"), fail("H")), "allow", "deny", "deny"],
    [but(fail("I"), open("T")), "allow", "deny", "deny"],
    [but(open("H"), fail("L")), "allow", "allow", "deny"],
    [[], "allow", "allow", "allow"],
  ];
  for (const [results, ...outcomes] of table)
    (["observe", "baseline", "strict"] as Level[]).forEach((level, i) => {
      const { verdict } = decide(input({ results, level }));
      const said = results.map((r) => `${r.code} ${r.status}`).join(", ");
      assert.equal(verdict.outcome, outcomes[i], `${level}: ${said}`);
      assert.equal(verdict.level, level);
    });
});

test("nothing that was found is left out of the verdict", () => {
  const results = but(fail("I"), fail("L"), open("H"));
  const { verdict } = decide(input({ results }));
  assert.deepEqual(
    verdict.blocking.map((f) => f.code),
    ["I"],
  );
  assert.deepEqual(
    verdict.advisory.map((f) => f.code),
    ["L"],
  );
  assert.deepEqual(verdict.notEvaluated, [
    { code: "H", reason: "nobody knows H", coverage: "nothing", required: false },
  ]);
  assert.deepEqual(verdict.results, results);
  assert.equal(verdict.reason, "I is wrong");
  assert.equal(verdict.decidedAt, "1970-01-01T00:00:01.000Z");
  assert.equal(verdict.validUntil, "1970-01-01T00:00:02.000Z");
  assert.deepEqual(verdict.signedBy, [{ principal: "alice", key: "b".repeat(64) }]);
});

test("the reason is the first that blocks, else the first that must be answered, else a count", () => {
  const reason = (results: CheckResult[], more: Partial<DecideInput> = {}) =>
    decide(input({ results, ...more })).verdict.reason;
  assert.equal(reason(but(fail("H"), fail("T"), open("I"))), "T is wrong");
  assert.equal(reason(but(open("H"), open("T"))), "T could not be evaluated: nobody knows T");
  assert.equal(reason(but(open("H"), fail("L"))), "4 of 6 checks passed");
  assert.equal(
    reason(but(fail("I"), open("S")), { level: "observe" }),
    "observed only: 1 of 6 checks failed",
  );
  assert.equal(reason(green, { level: "observe" }), "6 of 6 checks passed");
  assert.equal(reason(but(open("S")), { level: "observe" }), "5 of 6 checks passed");
});

test("at observe what fails is told and blocks nothing, what is open is not required", () => {
  const policy = { level: "observe" as const, deny: ["L", "H"] };
  const { verdict } = decide(
    input({ results: but(fail("I"), fail("L"), open("H")), level: "observe", policy }),
  );
  assert.deepEqual([verdict.blocking, verdict.advisory.map((f) => f.code)], [[], ["I", "L"]]);
  assert.deepEqual(
    verdict.notEvaluated.map((n) => [n.code, n.required]),
    [["H", false]],
  );
});

test("a verdict says only what there is", () => {
  const { verdict } = decide(input({ release: undefined, verified: undefined }));
  assert.ok(!("release" in verdict) && !("validUntil" in verdict));
  assert.deepEqual([verdict.signedBy, verdict.notes], [[], []]);
  assert.deepEqual(decide(input({ notes: ["n"] })).verdict.notes, ["n"]);
  assert.equal(decide(input()).verdict.release, release.digest);
  assert.deepEqual(decide(input()).verdict.trust, { origin: "operator", file: "trust.yaml" });
  assert.equal(decide(input({ agent: "b" })).verdict.agent, "b");
});

test("a manifest can only tighten", () => {
  const levels: Level[] = ["observe", "baseline", "strict"];
  for (const door of levels)
    for (const asked of levels) {
      const { verdict } = decide(input({ level: door, policy: { level: asked, deny: [] } }));
      assert.equal(verdict.level, levels[Math.max(levels.indexOf(door), levels.indexOf(asked))]);
    }
});

test("what the manifest denies blocks at baseline, and must be answered", () => {
  const policy = { level: "observe" as const, deny: ["L"] };
  assert.equal(decide(input({ results: but(fail("L")), policy })).verdict.outcome, "deny");
  assert.equal(decide(input({ results: but(open("L")), policy })).verdict.outcome, "cannot-tell");
  assert.equal(decide(input({ results: but(fail("F")), policy })).verdict.outcome, "allow");
  const observed = decide(input({ results: but(fail("L")), policy, level: "observe" }));
  assert.equal(observed.verdict.outcome, "allow");
  assert.equal(observed.allowed, undefined);
});

test("a permission is made for an allowed verdict on a verified release, and for nothing else", () => {
  const { allowed } = decide(input());
  assert.ok(allowed);
  assert.equal(allowed.value, release);
  assert.equal(allowed.door, "start");
  assert.equal(allowed.target, "production");
  assert.equal(allowed.validUntil, 2000);
  assert.ok(Object.isFrozen(allowed));
  assert.equal(decide(input({ level: "observe" })).allowed, undefined);
  assert.equal(decide(input({ verified: undefined })).allowed, undefined);
  assert.equal(decide(input({ results: but(fail("I")) })).allowed, undefined);
  assert.equal(decide(input({ results: but(open("I")) })).allowed, undefined);
  assert.equal(decide(input({ results: but(open("H")), level: "strict" })).allowed, undefined);
});

test("a forged Verified makes no permission", () => {
  const real = verified();
  const forgeries = [
    { value: release, signedBy: [], validUntil: 8e15 },
    { ...real },
    structuredClone({ value: release, validUntil: 8e15, signedBy: [] }),
    Object.create(real) as object,
    new Proxy(real, {}),
  ];
  for (const forged of forgeries)
    assert.equal(decide(input({ verified: forged as unknown as Verified<Release> })).allowed, undefined);
});

test("a forged, ended or misplaced permission is refused", () => {
  const { allowed } = decide(input());
  assert.ok(allowed);
  assertAllowed(allowed, "start", 1999);
  for (const forged of [{ ...allowed }, Object.create(allowed) as object, new Proxy(allowed, {})])
    assert.throws(() => assertAllowed(forged as Allowed<Release>, "start", 0), /did not come from decide/);
  assert.throws(() => assertAllowed(allowed, "deploy", 0), /allowed at start, used at deploy/);
  assert.throws(() => assertAllowed(allowed, "start", 2000), /ended/);
});

test("a result without a rule is a bug, not a pass", () => {
  assert.throws(() => decide(input({ results: [pass("UNKNOWN")] })), /no rule UNKNOWN/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Finding, Rule } from "../../core/finding.ts";
import type { Verdict } from "../../core/verdict.ts";
import { NOT_SHOWN } from "../../verify/lock-steps.ts";
import { renderFinding, steps, wrap } from "./finding.ts";
import { renderGithub } from "./github.ts";
import { renderSarif } from "./sarif.ts";
import { shown } from "./shown.ts";
import { renderVerdict } from "./verdict-text.ts";

const paint = (_style: string, text: string) => text;
const finding: Finding = {
  code: "WB-PROMPT-001",
  message: "prompt/system is not the one that was locked",
  component: "prompt/system",
  path: "prompts/system.md",
  where: { file: "waybill.yaml", line: 2, column: 9, length: 17 },
  label: "changed after `waybill lock`",
  expected: "sha256:aa",
  found: "sha256:bb",
  details: ["@@ line 3 @@", "- never", "+ always"],
  why: "the agent would follow instructions that nobody reviewed",
  fix: "git checkout -- 'prompts/system.md'   or, if intended:  waybill lock && waybill sign",
};
const sources = new Map([["waybill.yaml", "a: 1\n  path: prompts/system.md   # here\n"]]);
const text = (more: Partial<Finding> = {}, width = 80, texts: ReadonlyMap<string, string> = sources) =>
  renderFinding({ ...finding, ...more }, { paint, width, severity: "error", sources: texts });
const rule: Rule = {
  code: "WB-PROMPT-001",
  title: "the prompt is the one that was locked",
  why: "why",
  fix: "fix",
  group: "integrity",
  blocksAt: "baseline",
};
const rules = new Map([[rule.code, rule]]);
const verdict = (more: Partial<Verdict> = {}): Verdict => ({
  outcome: "deny",
  reason: finding.message,
  door: "ci",
  target: "ci",
  level: "baseline",
  agent: "tiny",
  release: "a".repeat(64),
  trust: { origin: "none" },
  signedBy: [],
  blocking: [finding],
  advisory: [],
  notEvaluated: [{ code: "WB-LOCK-011", reason: "no git", coverage: "nothing", required: true }],
  results: [],
  notes: [],
  decidedAt: "2027-01-01T00:00:00.000Z",
  ...more,
});

test("a finding: what, where with its source, expected and found aligned, why, each fix on its line", () => {
  assert.equal(
    text(),
    `error[WB-PROMPT-001]: prompt/system is not the one that was locked
  --> waybill.yaml:2:9
   |
 2 |   path: prompts/system.md   # here
   |         ^^^^^^^^^^^^^^^^^ changed after \`waybill lock\`
   expected  sha256:aa
   found     sha256:bb
   | @@ line 3 @@
   | - never
   | + always
 why  the agent would follow instructions that nobody reviewed
 fix  git checkout -- 'prompts/system.md'
      or, if intended:  waybill lock && waybill sign
`,
  );
});

test("a line of a minified file is shown around its place, the mark beneath it", () => {
  const long = new Map([["a.json", `${"x".repeat(500_000)}HERE${"y".repeat(500_000)}`]]);
  const where = { file: "a.json", line: 1, column: 500_001, length: 4 };
  const lines = text({ where }, 80, long).split("\n");
  assert.ok(lines.every((line) => line.length < 250));
  assert.equal(lines[4]!.indexOf("^^^^"), lines[3]!.indexOf("HERE"));
});

test("the mark stays beneath its place behind tabs and escapes, and on odd ranges", () => {
  const odd = new Map([["f", "\t\u001b[31mred: value"]]);
  const lines = text({ where: { file: "f", line: 1, column: 12, length: 5 } }, 80, odd).split("\n");
  assert.equal(lines[4]!.indexOf("^"), lines[3]!.indexOf("value"));
  for (const where of [
    { file: "f", line: 9, column: 1, length: 1 },
    { file: "f", line: 1, column: 999, length: 5 },
    { file: "none", line: 1, column: 1, length: 1 },
  ])
    assert.ok(text({ where }, 80, odd).includes(`${where.file}:${where.line}:${where.column}`));
});

test("a value that is not shown is not shown with its line either", () => {
  assert.ok(!text({ expected: NOT_SHOWN, found: NOT_SHOWN }).includes("path: prompts"));
});

test("prose is wrapped, a command never is, a long word stays whole", () => {
  const command = `git checkout -- '${"a ".repeat(60)}'`;
  assert.ok(text({ fix: command }, 60).includes(`\n fix  ${command}\n`));
  for (const line of text({ why: "word ".repeat(60).trim() }, 60).split("\n"))
    assert.ok(line.length <= 60, line);
  assert.deepEqual(wrap("one two three", 7, "  "), ["one two", "  three"]);
  assert.deepEqual(wrap("x".repeat(20), 7, ""), ["x".repeat(20)]);
  assert.deepEqual(wrap("", 7, ""), [""]);
  assert.deepEqual(steps("a   or b, or if the change is meant: c"), [
    "a",
    "or b",
    "or if the change is meant: c",
  ]);
});

test("no text of the agent's can begin a line as a command to a workflow's runner", () => {
  const evil = "::stop-commands::x\r\n::add-mask::y ##[error]z %0A::error::w";
  const details = ["- ::error::a", "  ::error::b", "##[add-path]c"];
  const path = "a ::error::b";
  const evilFinding = {
    ...finding,
    message: evil,
    path,
    why: `${evil} `.repeat(9),
    fix: evil,
    details,
    expected: evil,
    found: evil,
    label: evil,
    where: { file: "::x,line=1::", line: 1, column: 1, length: 1 },
  };
  const given = verdict({
    blocking: [evilFinding],
    advisory: [evilFinding],
    reason: evil,
    agent: evil,
    notEvaluated: [{ code: "WB-LOCK-011", reason: evil, coverage: "", required: false }],
    trust: { origin: "self-asserted", file: evil },
    signedBy: [{ principal: evil, key: "b".repeat(64) }],
  });
  const options = { paint, width: 40, rules, sources: new Map([["::x,line=1::", evil]]) };
  const plain = renderVerdict(given, { ...options, asked: "baseline" });
  for (const line of plain.split(/[\r\n]+/)) {
    assert.ok(!line.trimStart().startsWith("::"), line);
    assert.ok(!line.includes("##["), line);
  }
  const lines = renderGithub(given).trimEnd().split("\n");
  assert.equal(lines.length, 4);
  assert.match(
    lines[0]!,
    /^::error file=%3A%3Ax%2Cline=1%3A%3A,line=1,col=1,endColumn=2,title=WB-PROMPT-001::/,
  );
  assert.match(lines[1]!, /^::notice file=/);
  assert.match(lines[2]!, /^::notice title=WB-LOCK-011 not evaluated::/);
  assert.match(lines[3]!, /^waybill: denied: /);
  assert.ok(!lines[3]!.includes("##["));
  for (const line of lines.slice(0, 3)) assert.ok(!line.includes("%0A::"), line);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  assert.doesNotMatch(plain + lines.join("\n"), /[\u0000-\u0009\u000b-\u001f]/);
});

test("what is shown is what stands there, where it is harmless", () => {
  for (const harmless of ["std::string", "a: b", "# heading", "C:\\x", "größer ✔"])
    assert.equal(shown(harmless), harmless);
});

test("the verdict comes first and last, in words", () => {
  const options = { paint, width: 80, rules, sources, asked: "baseline" as const };
  const denied = renderVerdict(verdict(), options).trimEnd().split("\n");
  assert.equal(denied[0], "✖ denied  tiny  release aaaaaaaaaaaa  door ci, level baseline");
  assert.deepEqual(denied.slice(-3), [
    "denied: git checkout -- 'prompts/system.md'",
    "        or, if intended:  waybill lock && waybill sign",
    "        more: waybill explain WB-PROMPT-001",
  ]);
  const open = [{ code: "WB-PROMPT-001", reason: "no lock", coverage: "", required: true }];
  const unknown = renderVerdict(
    verdict({ outcome: "cannot-tell", blocking: [], notEvaluated: open }),
    options,
  );
  assert.match(unknown, /^◌ cannot tell /);
  assert.match(
    unknown,
    /\n {2}◌ WB-PROMPT-001 the prompt is the one that was locked \(required\): no lock\n/,
  );
  assert.match(unknown, /\ncannot tell: fix\n {13}more: waybill explain WB-PROMPT-001\n$/);
  const allow = verdict({ outcome: "allow", blocking: [], notEvaluated: [] });
  assert.match(renderVerdict(allow, options), /^✔ allowed(?:.*\n)*allowed: commit waybill.yaml/);
  assert.match(
    renderVerdict({ ...allow, level: "observe" }, options),
    /observed only, nothing was enforced\n$/,
  );
  const raised = renderVerdict({ ...allow, level: "strict" }, options);
  assert.match(raised, /level strict, which waybill.yaml demands\n/);
});

test("SARIF has what version 2.1.0 requires, and never an empty list that reads as clean", () => {
  const many = verdict({ advisory: [{ ...finding, where: { ...finding.where!, file: "a b/ü#.md" } }] });
  const log = JSON.parse(renderSarif(many, rules, "1.2.3"));
  assert.equal(log.version, "2.1.0");
  assert.match(log.$schema, /sarif-2\.1\.0/);
  assert.equal(log.runs.length, 1);
  const [run] = log.runs;
  assert.equal(run.tool.driver.name, "waybill");
  assert.equal(run.tool.driver.version, "1.2.3");
  assert.equal(run.columnKind, "utf16CodeUnits");
  assert.deepEqual(
    run.tool.driver.rules.map((r: { id: string }) => r.id),
    ["WB-PROMPT-001"],
  );
  assert.deepEqual(
    run.results.map((r: { level: string }) => r.level),
    ["error", "note"],
  );
  for (const result of run.results) {
    assert.equal(run.tool.driver.rules[result.ruleIndex].id, result.ruleId);
    assert.equal(typeof result.message.text, "string");
    const { artifactLocation, region } = result.locations[0].physicalLocation;
    // A relative reference (RFC 3986): no scheme, no space.
    assert.match(artifactLocation.uri, /^[\w.~%/-]+$/);
    assert.ok(region.startLine >= 1 && region.startColumn >= 1 && region.endColumn > region.startColumn);
  }
  assert.equal(run.results[1].locations[0].physicalLocation.artifactLocation.uri, "a%20b/%C3%BC%23.md");
  const [invocation] = run.invocations;
  assert.equal(invocation.executionSuccessful, true);
  assert.equal(invocation.toolExecutionNotifications[0].level, "error");
  assert.match(invocation.toolExecutionNotifications[0].message.text, /WB-LOCK-011 not evaluated: no git/);
  const unknown = JSON.parse(renderSarif(verdict({ outcome: "cannot-tell", blocking: [] }), rules, "1"));
  assert.equal(unknown.runs[0].invocations[0].executionSuccessful, false);
});

test("a path that is not well-formed Unicode does not break a format", () => {
  const broken = verdict({
    blocking: [{ ...finding, where: { ...finding.where!, file: "a\ud800b" }, path: "\ud800" }],
  });
  assert.doesNotThrow(() => JSON.parse(renderSarif(broken, rules, "1")));
  assert.ok(renderGithub(broken).isWellFormed());
});

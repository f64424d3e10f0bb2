import assert from "node:assert/strict";
import { test } from "node:test";
import { mutableAction } from "./mutable-action.ts";
import { findingsOf, folder, judge } from "./testing.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const step = (uses: string): string => `jobs:\n  a:\n    steps:\n      - name: x\n        uses: ${uses}\n`;
const PATH = ".github/workflows/release.yml";

test("tags, branches and missing references are found", () => {
  for (const uses of [
    "sigstore/cosign-installer@v3",
    "actions/checkout@main",
    "actions/checkout",
    `actions/checkout@${COMMIT.slice(1)}`,
    "docker://alpine:3",
    '"actions/checkout@v4" # pinned',
    `\${{ inputs.action }}@v1`,
  ])
    assert.equal(judge(mutableAction, { texts: { [PATH]: step(uses) } }), "fail 5", uses);
});

test("commits, local actions and image digests pass", () => {
  for (const uses of [
    `a/b@${COMMIT}`,
    `a/b/sub@${COMMIT} # v3`,
    "./.github/actions/x",
    `docker://a@sha256:${"0".repeat(64)}`,
  ])
    assert.equal(judge(mutableAction, { texts: { [PATH]: step(uses) } }), "pass", uses);
});

test("reusable workflows and composite actions count, comments and inputs do not", () => {
  const job = "jobs:\n  a:\n    uses: org/repo/.github/workflows/x.yml@main\n";
  assert.equal(judge(mutableAction, { texts: { [PATH]: job } }), "fail 3");
  const action = "runs:\n  using: composite\n  steps:\n    - uses: a/b@v1\n";
  assert.equal(judge(mutableAction, { texts: { "tools/action.yml": action } }), "fail 4");
  assert.equal(judge(mutableAction, { texts: { "tools/other.yml": action } }), "pass");
  const input = `jobs:\n  a:\n    steps:\n      # uses: a/b@v1\n      - uses: a/b@${COMMIT}\n        with: {uses: x@v1}\n`;
  assert.equal(judge(mutableAction, { texts: { [PATH]: input } }), "pass");
});

test("a workflow that cannot be read is not evaluated", () => {
  assert.equal(judge(mutableAction, { texts: { [PATH]: "a: [" } }), "not-evaluated");
  assert.equal(judge(mutableAction, { unread: { [PATH]: "larger than 1 MiB" } }), "not-evaluated");
});

test("the coverage counts and the place is the value", () => {
  const result = mutableAction.run(
    folder({ texts: { [PATH]: `${step("a/b@v1")}      - uses: c/d@${COMMIT}\n` } }),
  );
  assert.equal(result.coverage, "1 of 2 actions pinned, in 1 workflow");
  assert.deepEqual(findingsOf(result)[0]!.where, { file: PATH, line: 5, column: 15, length: 6 });
  assert.equal(mutableAction.run(folder()).coverage, "no workflow in the folder");
});

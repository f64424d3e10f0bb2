import assert from "node:assert/strict";
import { test } from "node:test";
import { lintIdentity } from "./identity-lint.ts";
import { matchesPattern } from "./identity-pattern.ts";

const GITHUB = "https://token.actions.githubusercontent.com";
const GITLAB = "https://gitlab.com";
const SAN = "https://github.com/acme/agent/.github/workflows/release.yml@refs/heads/main";

test("what issuers really write is left alone", () => {
  for (const identity of [
    { issuer: GITHUB, subject: SAN },
    { issuer: GITHUB, subject: SAN.replace("heads/main", "tags/v1.2") },
    { issuer: GITHUB, pattern: "https://github.com/acme/agent/.github/workflows/release.yml@refs/tags/*" },
    { issuer: GITHUB, pattern: "https://github.com/acme/*/.github/workflows/*@refs/heads/main" },
    { issuer: GITHUB, pattern: "https://github.com/acme/**" },
    { issuer: GITLAB, subject: "https://gitlab.com/acme/team/agent//.gitlab-ci.yml@refs/heads/main" },
    { issuer: GITLAB, subject: "https://gitlab.com/acme/agent//ci/release.yml@refs/tags/v1" },
    { issuer: GITLAB, pattern: "https://gitlab.com/acme/agent//.gitlab-ci.yml@refs/heads/*" },
    { issuer: "https://accounts.google.com", subject: "bob@acme.example" },
    { issuer: "https://accounts.google.com", pattern: "*@acme.example" },
    { issuer: "https://github.com/login/oauth", subject: "bob@acme.example" },
    { issuer: "https://issuer.example", subject: "spiffe://acme/agent" },
    { issuer: "http://127.0.0.1:8080/", subject: "anything" },
    { subject: "ops@acme.example" },
  ])
    assert.deepEqual(lintIdentity(identity), [], JSON.stringify(identity));
});

test("what no certificate carries comes with the string that is meant", () => {
  const table: [{ issuer: string; subject?: string; pattern?: string }, object][] = [
    // The claim of the token, which cosign's users copy out of cloud providers' guides.
    [
      { issuer: GITHUB, subject: "repo:myorg/agent:ref:refs/heads/main" },
      { subject: "https://github.com/myorg/agent/.github/workflows/FILE.yml@refs/heads/main" },
    ],
    [
      { issuer: GITHUB, subject: "repo:myorg/agent:environment:production" },
      { subject: "https://github.com/myorg/agent/.github/workflows/FILE.yml@refs/heads/main" },
    ],
    [{ issuer: GITHUB, subject: SAN.slice("https://github.com/".length) }, { subject: SAN }],
    [{ issuer: GITHUB, subject: SAN.slice("https://".length) }, { subject: SAN }],
    [{ issuer: GITHUB, subject: SAN.replace("refs/heads/", "") }, { subject: SAN }],
    [
      { issuer: GITHUB, subject: SAN.replace("refs/heads/main", "v1.0") },
      { subject: SAN.replace("heads/main", "tags/v1.0") },
    ],
    [{ issuer: GITHUB, subject: SAN.split("@")[0]! }, { subject: SAN }],
    [
      { issuer: GITHUB, subject: "acme/agent" },
      { subject: "https://github.com/acme/agent/.github/workflows/FILE.yml@refs/heads/main" },
    ],
    [{ issuer: GITHUB, subject: "bob@acme.example" }, { issuer: "https://github.com/login/oauth" }],
    [{ issuer: GITHUB, subject: `${SAN} ` }, { subject: SAN }],
    [
      { issuer: GITHUB, subject: "https://github.com/acme/*@refs/heads/main" },
      { pattern: "https://github.com/acme/*@refs/heads/main" },
    ],
    [{ issuer: `${GITHUB}/`, subject: SAN }, { issuer: GITHUB }],
    [{ issuer: "token.actions.githubusercontent.com", subject: SAN }, { issuer: GITHUB }],
    [{ issuer: "https://github.com", subject: SAN }, { issuer: GITHUB }],
    [{ issuer: "https://github.com/login/oauth", subject: SAN }, { issuer: GITHUB }],
    [
      { issuer: GITLAB, subject: "https://gitlab.com/acme/agent/.gitlab-ci.yml@refs/heads/main" },
      { subject: "https://gitlab.com/acme/agent//.gitlab-ci.yml@refs/heads/main" },
    ],
    [
      { issuer: GITLAB, subject: "project_path:acme/agent:ref_type:branch:ref:main" },
      { subject: "https://gitlab.com/acme/agent//.gitlab-ci.yml@refs/heads/main" },
    ],
    [
      { issuer: GITLAB, subject: "acme/agent//.gitlab-ci.yml@main" },
      { subject: "https://gitlab.com/acme/agent//.gitlab-ci.yml@refs/heads/main" },
    ],
    [
      { issuer: GITLAB, subject: "https://gitlab.com/acme/agent" },
      { subject: "https://gitlab.com/acme/agent//.gitlab-ci.yml@refs/heads/main" },
    ],
  ];
  for (const [identity, corrected] of table) {
    const problems = lintIdentity(identity);
    assert.ok(problems.length > 0, JSON.stringify(identity));
    assert.deepEqual(problems[0]!.corrected, corrected, JSON.stringify(identity));
    // What is proposed is not wrong again.
    const { issuer, ...name } = { ...identity, ...corrected };
    const meant = "pattern" in name ? { pattern: name.pattern as string } : name;
    assert.deepEqual(lintIdentity({ issuer, ...meant }), [], JSON.stringify(meant));
  }
});

test("patterns that strangers can meet are told", () => {
  const wide = (pattern: string, issuer = GITHUB) => lintIdentity({ issuer, pattern });
  for (const pattern of [
    "https://github.com/*/agent/.github/workflows/release.yml@refs/heads/main",
    "**",
    "https://github.com/acme*/x/.github/workflows/r.yml@refs/heads/main",
  ])
    assert.ok(
      wide(pattern).some(({ problem }) => problem.startsWith("it matches")),
      pattern,
    );
  assert.match(wide("**", "https://issuer.example")[0]!.problem, /everyone/);
  assert.match(wide("https://*.acme.example/x", "https://issuer.example")[0]!.problem, /host/);
  // A branch called evil@refs/heads/main.
  const trap = "https://github.com/acme/agent/**@refs/heads/main";
  assert.ok(matchesPattern(trap, SAN.replace("main", "evil@refs/heads/main")));
  const [problem] = wide(trap);
  assert.match(problem!.problem, /branch/);
  const { pattern } = problem!.corrected!;
  assert.equal(pattern, "https://github.com/acme/agent/.github/workflows/*@refs/heads/main");
  assert.ok(matchesPattern(pattern!, SAN));
  assert.ok(!matchesPattern(pattern!, SAN.replace("main", "evil@refs/heads/main")));
});

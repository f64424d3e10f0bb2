import assert from "node:assert/strict";
import { test } from "node:test";
import { findingsOf, folder, judge } from "./testing.ts";
import { unmatchablePolicy } from "./unmatchable-policy.ts";

const GITHUB = "https://token.actions.githubusercontent.com";
const SAN = "https://github.com/acme/agent/.github/workflows/release.yml@refs/heads/main";
type Fields = Record<string, string>;

const lines = (fields: Fields, indent: string): string =>
  Object.entries(fields)
    .map(([key, value]) => `${indent}${key}: ${JSON.stringify(value)}\n`)
    .join("");
const cip = (fields: Fields): string =>
  `apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nspec:\n  authorities:\n  - keyless:\n      identities:\n      -\n${lines(fields, "        ")}`;
const kyverno = (fields: Fields): string =>
  `apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec:\n  rules:\n  - verifyImages:\n    - attestors:\n      - entries:\n        - keyless:\n${lines(fields, "            ")}`;
const validating = (fields: Fields): string =>
  `apiVersion: policies.kyverno.io/v1\nkind: ImageValidatingPolicy\nspec:\n  attestors:\n  - name: ci\n    cosign:\n      keyless:\n        identities:\n        -\n${lines(fields, "          ")}`;

const said = (text: string): string[] =>
  findingsOf(unmatchablePolicy.run(folder({ texts: { "policy.yaml": text } }))).map((f) => f.expected!);
const verdict = (text: string): string => judge(unmatchablePolicy, { texts: { "policy.yaml": text } });

test("an exact identity that Fulcio never writes is told with the one that is meant", () => {
  const claim = "repo:acme/agent:ref:refs/heads/main";
  const meant = 'subject: "https://github.com/acme/agent/.github/workflows/FILE.yml@refs/heads/main"';
  for (const policy of [cip, kyverno, validating]) {
    assert.deepEqual(said(policy({ issuer: GITHUB, subject: claim })), [meant], policy({}));
    assert.deepEqual(said(policy({ issuer: GITHUB, subject: SAN.slice(8) })), [`subject: "${SAN}"`]);
    assert.deepEqual(said(policy({ issuer: `${GITHUB}/`, subject: SAN })), [`issuer: "${GITHUB}"`]);
    assert.deepEqual(said(policy({ issuer: GITHUB.slice(8), subject: SAN })), [`issuer: "${GITHUB}"`]);
    assert.deepEqual(said(policy({ issuerRegExp: ".*", subject: claim })), [meant]);
  }
  assert.deepEqual(said(cip({ issuer: `${GITHUB}/`, subject: claim })), [`issuer: "${GITHUB}"`, meant]);
});

test("a star is a wildcard in Kyverno's verifyImages alone", () => {
  const subject = "https://github.com/acme/agent/*@refs/heads/main";
  const source = String.raw`subjectRegExp: '^https://github\.com/acme/agent/[^@]*@refs/heads/main$'`;
  assert.deepEqual(said(cip({ issuer: GITHUB, subject })), [source]);
  assert.deepEqual(said(validating({ issuer: GITHUB, subject })), [source]);
  for (const wild of [subject, "https://github.com/acme/*", "*", "*@refs/tags/v?", "https://*"])
    assert.equal(verdict(kyverno({ issuer: GITHUB, subject: wild })), "pass", wild);
  assert.equal(verdict(kyverno({ issuer: "*githubusercontent.com", subject: wild() })), "pass");
  assert.deepEqual(said(kyverno({ issuer: GITHUB, subject: "github.com/acme/*" })), [
    String.raw`subjectRegExp: '^https://github\.com/acme/.*$'`,
  ]);
  assert.equal(verdict(kyverno({ issuer: GITHUB, subject: "repo:acme/agent:*" })), "fail 10");
  function wild() {
    return "https://github.com/*";
  }
});

test("regular expressions are judged by what stands in them literally", () => {
  const issuer = GITHUB;
  const bad: [Fields, string][] = [
    [
      { issuer, subjectRegExp: "^repo:acme/agent:ref:refs/tags/.*$" },
      String.raw`subjectRegExp: '^https://github\.com/acme/agent/\.github/workflows/FILE\.yml@refs/tags/.*$'`,
    ],
    [
      { issuer, subjectRegExp: String.raw`^github\.com/acme/.*` },
      String.raw`subjectRegExp: '^https://github\.com/acme/.*'`,
    ],
    [
      { issuer, subjectRegExp: String.raw`^https://github\.com/acme/a/\.github/workflows/r\.yml$` },
      String.raw`subjectRegExp: '^https://github\.com/acme/a/\.github/workflows/r\.yml@refs/heads/main$'`,
    ],
    [
      { issuerRegExp: String.raw`^token\.actions\.githubusercontent\.com$`, subjectRegExp: ".*" },
      String.raw`issuerRegExp: '^https://token\.actions\.githubusercontent\.com$'`,
    ],
    [
      { issuerRegExp: `${GITHUB}/`, subject: SAN },
      String.raw`issuerRegExp: '^https://token\.actions\.githubusercontent\.com$'`,
    ],
    [
      { issuer: "https://gitlab.com", subjectRegExp: "^project_path:acme/agent:ref_type:branch:ref:main$" },
      String.raw`subjectRegExp: '^https://gitlab\.com/acme/agent//\.gitlab-ci\.yml@refs/heads/main$'`,
    ],
    [
      { issuer: "https://github.com/login/oauth", subjectRegExp: "^https://github.com/acme/.*" },
      `issuer: "${GITHUB}"`,
    ],
  ];
  for (const [fields, expected] of bad) assert.deepEqual(said(cip(fields)), [expected]);
});

test("what is proposed is not wrong again", () => {
  for (const fields of [
    { issuer: GITHUB, subject: "repo:acme/agent:environment:production" },
    { issuer: GITHUB, subject: "repo:acme/agent:*" },
    { issuer: GITHUB, subject: "acme/*" },
    { issuer: GITHUB, subject: "acme/agent" },
    { issuer: GITHUB, subjectRegExp: "^repo:acme/.*:ref:refs/heads/main$" },
    { issuer: GITHUB, subjectRegExp: "^acme/agent" },
    { issuer: "https://gitlab.com", subjectRegExp: "^gitlab.com/acme/" },
  ]) {
    const [first] = said(cip(fields));
    const [, field, value] = /^(\w+): ["'](.*)["']$/.exec(first!)!;
    assert.equal(verdict(cip({ issuer: fields.issuer, [field!]: value! } as Fields)), "pass", first!);
  }
});

test("identities that certificates carry, and what nobody can know, pass", () => {
  for (const fields of [
    { issuer: GITHUB, subject: SAN },
    { issuer: GITHUB, subjectRegExp: "github.com/acme/agent" },
    { issuer: GITHUB, subjectRegExp: "^https://github.com/(acme|other)/" },
    { issuer: GITHUB, subjectRegExp: "^(repo:acme|https://github)" },
    { issuer: GITHUB, subjectRegExp: "^https?://github.com/acme/" },
    { issuer: GITHUB, subjectRegExp: ".*" },
    { issuer: GITHUB, subjectRegExp: "(" },
    { issuerRegExp: "token.actions", subject: SAN },
    { issuerRegExp: "^https://github.com", subjectRegExp: "bob@acme.example" },
    { issuer: "https://accounts.google.com", subject: "bob@acme.example" },
    { issuer: "https://issuer.example", subject: "repo:acme/agent:ref:refs/heads/main" },
    { issuer: `${GITHUB}/acme-corp`, subject: "repo:x" },
  ] as Fields[])
    for (const policy of [cip, kyverno]) assert.equal(verdict(policy(fields)), "pass", policy(fields));
});

test("other objects are not read; lists and older forms are", () => {
  const bad = { issuer: GITHUB, subject: "repo:acme/agent:ref:refs/heads/main" };
  assert.equal(verdict(cip(bad).replace("policy.sigstore.dev", "other.dev")), "pass");
  assert.equal(verdict(cip(bad).replace("kind: C", "kind: Not a C")), "pass");
  assert.equal(verdict(kyverno(bad).replace("spec:", "status:")), "pass");
  const old = `apiVersion: kyverno.io/v1\nkind: Policy\nspec:\n  rules:\n  - verifyImages:\n    -\n${lines(bad, "      ")}`;
  assert.equal(verdict(old), "fail 8");
  const list = `apiVersion: v1\nkind: List\nitems:\n- ${cip(bad).trim().replaceAll("\n", "\n  ")}`;
  assert.equal(verdict(`${cip({ issuer: GITHUB, subject: SAN })}\n---\n${list}`), "fail 23");
});

test("what cannot be read or is put in later is not evaluated", () => {
  assert.equal(verdict(cip({ issuer: GITHUB, subject: "{{ .Values.subject }}" })), "not-evaluated");
  assert.equal(verdict(cip({ issuer: GITHUB, subject: `repo:${"/".repeat(2000)}` })), "not-evaluated");
  assert.equal(verdict(`${cip({})}{{- end }}`), "not-evaluated");
  assert.equal(verdict("a: [ # no policy"), "pass");
  assert.equal(judge(unmatchablePolicy, { unread: { "policy.yaml": "not UTF-8" } }), "not-evaluated");
});

test("the finding stands at the string, and the fix says what to write", () => {
  const text = cip({ issuer: GITHUB, subject: "repo:acme/agent:ref:refs/heads/main" });
  const result = unmatchablePolicy.run(folder({ texts: { "policy.yaml": text } }));
  const [finding] = findingsOf(result);
  assert.deepEqual(finding!.where, { file: "policy.yaml", line: 9, column: 19, length: 35 });
  assert.match(finding!.fix, /^write: subject: "https:\/\/github.com\/acme\/.*FILE.yml@.*capitals$/);
  assert.equal(result.coverage, "0 of 1 keyless identity can match, in 1 policy");
  assert.equal(unmatchablePolicy.run(folder()).coverage, "no policy about signed images in the texts");
});

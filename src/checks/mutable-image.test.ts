import assert from "node:assert/strict";
import { test } from "node:test";
import { mutableImage } from "./mutable-image.ts";
import { findingsOf, folder, judge } from "./testing.ts";

const PIN = `@sha256:${"0123456789abcdef".repeat(4)}`;
const one = (path: string, text: string): string => judge(mutableImage, { texts: { [path]: text } });

test("Dockerfile: every image that is not a stage or scratch", () => {
  const cases: [string, string][] = [
    ["FROM python:3.13", "fail 1"],
    ["from python", "fail 1"],
    ["# base\nFROM --platform=linux/amd64 python:latest AS base", "fail 2"],
    [`ARG BASE=python:3\nFROM \${BASE}`, "fail 2"],
    [
      `FROM python${PIN} AS base\nFROM base\nFROM scratch\nCOPY --from=base /a /b\nCOPY --from=0 /a /b`,
      "pass",
    ],
    [`FROM python${PIN}\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/`, "fail 2"],
    [`FROM python${PIN}\nRUN --mount=type=bind,from=node:24,target=/n \\\n  true`, "fail 2"],
    [`FROM \\\n  python:3`, "fail 2"],
    [`FROM python${PIN}\nCOPY --from=7 /a /b`, "fail 2"],
    [`FROM python@sha256:abc`, "fail 1"],
    ["RUN echo '\nFROM x'\n", "fail 2"],
    [`FROM python${PIN}\nRUN <<EOF\nFROM nothing:1\nEOF\nFROM node:24`, "fail 5"],
  ];
  for (const [text, expected] of cases) assert.equal(one("Dockerfile", text), expected, text);
  assert.equal(one("docker/agent.Dockerfile", "FROM node:24"), "fail 1");
  assert.equal(one("notes.md", "FROM node:24"), "pass");
});

const pod = (spec: string): string => `apiVersion: v1\nkind: Pod\nspec:\n${spec}`;

test("Kubernetes: containers of every sort, in every document", () => {
  assert.equal(one("k8s/pod.yaml", pod("  containers:\n    - image: agent:v1")), "fail 5");
  assert.equal(one("k8s/pod.yaml", pod("  initContainers:\n    - image: agent:v1")), "fail 5");
  assert.equal(one("k8s/pod.yaml", pod("  ephemeralContainers:\n    - image: agent")), "fail 5");
  assert.equal(one("k8s/pod.yaml", pod(`  containers:\n    - image: agent${PIN}`)), "pass");
  const nested = `  template:\n    spec:\n      containers: [{name: a, image: "agent:v1"}]`;
  assert.equal(
    one("d.yml", `${pod("  x: 1")}\n---\napiVersion: apps/v1\nkind: Deployment\nspec:\n${nested}`),
    "fail 11",
  );
  assert.equal(one("values.yaml", "containers:\n  - image: agent:v1"), "pass");
});

test("compose, GitLab and GitHub workflows", () => {
  assert.equal(one("compose.yaml", "services:\n  a:\n    image: redis:7"), "fail 3");
  assert.equal(one("docker-compose.prod.yml", `services:\n  a:\n    image: redis${PIN}`), "pass");
  assert.equal(one("compose.yaml", "services:\n  a:\n    build: .\n    image: mine:dev"), "pass");
  assert.equal(one(".gitlab-ci.yml", "image: python:3\njob:\n  image:\n    name: node:24"), "fail 1 4");
  assert.equal(one(".github/workflows/a.yml", "jobs:\n  a:\n    container: node:24"), "fail 3");
  assert.equal(
    one(".github/workflows/a.yml", "jobs:\n  a:\n    services:\n      db:\n        image: postgres:17"),
    "fail 5",
  );
});

test("what cannot be read is not evaluated", () => {
  assert.equal(
    one("chart/pod.yaml", pod("  containers:\n    - image: {{ .Values.image }}\n  {{ end }}")),
    "not-evaluated",
  );
  assert.equal(judge(mutableImage, { unread: { Dockerfile: "not UTF-8" } }), "not-evaluated");
  assert.equal(judge(mutableImage, { unread: { "a.py": "not UTF-8" } }), "pass");
});

test("the finding names the place, the pin and the count", () => {
  const result = mutableImage.run(folder({ texts: { Dockerfile: `FROM a/b:1\nFROM c${PIN}` } }));
  assert.equal(result.coverage, "1 of 2 image references by digest, in 1 file");
  const finding = findingsOf(result)[0]!;
  assert.deepEqual(finding.where, { file: "Dockerfile", line: 1, column: 6, length: 5 });
  assert.equal(finding.expected, "a/b@sha256:<64 hex>");
});

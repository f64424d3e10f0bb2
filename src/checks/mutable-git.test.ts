import assert from "node:assert/strict";
import { test } from "node:test";
import { mutableGit } from "./mutable-git.ts";
import { folder, judge } from "./testing.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const one = (path: string, text: string): string => judge(mutableGit, { texts: { [path]: text } });

test("requirements", () => {
  for (const line of [
    "git+https://github.com/a/b@main",
    "git+https://github.com/a/b",
    "kit @ git+https://github.com/a/b@v1.2.3",
    "-e git+https://github.com/a/b@main#egg=kit",
    "git+ssh://git@github.com/a/b.git@v1",
    "git+ssh://git@github.com/a/b.git",
  ])
    assert.equal(one("requirements.txt", `x==1\n${line}\n`), "fail 2", line);
  for (const line of [
    `kit @ git+https://github.com/a/b@${COMMIT}`,
    `git+https://github.com/a/b@${COMMIT}#egg=kit`,
    "# git+https://github.com/a/b@main",
    "kit==1",
  ])
    assert.equal(one("requirements-dev.txt", line), "pass", line);
});

test("package.json", () => {
  const dependency = (value: string): string => `{\n "dependencies": {\n  "kit": "${value}"\n }}`;
  for (const value of [
    "github:a/b",
    "github:a/b#main",
    "a/b",
    "a/b#v1",
    "git+https://github.com/a/b.git#semver:^1",
    "git+ssh://git@github.com/a/b.git",
    "https://github.com/a/b.git",
  ])
    assert.equal(one("package.json", dependency(value)), "fail 3", value);
  for (const value of [
    `github:a/b#${COMMIT}`,
    `git+https://github.com/a/b.git#${COMMIT}`,
    "1.2.3",
    "file:../b",
    "npm:c@1.0.0",
  ])
    assert.equal(one("package.json", dependency(value)), "pass", value);
});

test("scripts, Dockerfiles, workflows", () => {
  const cases: [string, string, string][] = [
    ["a.sh", "git clone --branch v1 https://github.com/a/b", "fail 1"],
    ["a.sh", "git clone https://github.com/a/b.git", "fail 1"],
    ["a.sh", `git clone https://github.com/a/b\ncd b\ngit checkout ${COMMIT}`, "pass"],
    ["a.sh", `git clone https://github.com/a/b\ngit -C b checkout ${COMMIT}`, "pass"],
    ["a.sh", `git clone https://github.com/a/b\ngit -C c checkout ${COMMIT}`, "fail 1"],
    ["a.sh", `git checkout ${COMMIT}\ngit clone https://github.com/a/b`, "fail 2"],
    ["a.sh", `git clone --revision=${COMMIT} https://github.com/a/b`, "pass"],
    ["a.sh", `git clone https://a/b\ngit clone https://a/c\ngit checkout ${COMMIT}`, "fail 1"],
    ["a.sh", "# git clone https://github.com/a/b", "pass"],
    ["a.sh", "git clone ../b", "pass"],
    ["a.sh", "pip install 'kit @ git+https://github.com/a/b@main'", "fail 1"],
    ["a.sh", `uv pip install git+https://github.com/a/b@${COMMIT}`, "pass"],
    [
      "Dockerfile",
      "FROM a\nRUN apt-get update && \\\n    # the kit\n    git clone -b v1 https://github.com/a/b",
      "fail 4",
    ],
    ["Makefile", "all:\n\t@git clone -b v1 https://github.com/a/b\n", "fail 2"],
    ["package.json", '{"scripts": {\n"x": "npm install github:a/b#dev"}}', "fail 2"],
    [
      ".github/workflows/a.yml",
      "jobs:\n  a:\n    steps:\n      - run: |\n          cd x\n          git clone https://github.com/a/b\n",
      "fail 6",
    ],
    ["a.py", "import subprocess\nsubprocess.run(['git', 'clone', 'https://github.com/a/b'])", "fail 2"],
    ["a.py", "import os\nos.system('git clone https://github.com/a/b')", "fail 2"],
  ];
  for (const [path, text, expected] of cases) assert.equal(one(path, text), expected, text);
});

test("the coverage counts, and what cannot be read is not evaluated", () => {
  assert.equal(mutableGit.run(folder({ texts: { "a.sh": "true" } })).coverage, "no git reference in 1 text");
  const two = `git+https://h/a@${COMMIT}\ngit+https://h/b@main`;
  assert.equal(
    mutableGit.run(folder({ texts: { "requirements.txt": two } })).coverage,
    "1 of 2 git references pinned, in 1 text",
  );
  assert.equal(judge(mutableGit, { unread: { "a.sh": "not UTF-8" } }), "not-evaluated");
});

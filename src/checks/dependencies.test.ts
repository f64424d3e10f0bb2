import assert from "node:assert/strict";
import { test } from "node:test";
import { folder, judge } from "./testing.ts";
import { unhashedDependency } from "./unhashed-dependency.ts";
import { unpinnedDependency } from "./unpinned-dependency.ts";

const HEX = "0123456789abcdef".repeat(4);
const HASH = `--hash=sha256:${HEX}`;
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const SHA512 = `sha512-${"A".repeat(86)}==`;

test("WB-DEPS-010: requirements that are not one version", () => {
  for (const line of [
    "kit",
    "kit>=1",
    "kit~=1.2",
    "kit==1.*",
    "kit>1,<2",
    "kit==1.0,!=2",
    "kit[extra]",
    "kit ; python_version > '3'",
    "kit @ https://h/k.whl",
    "https://h/k.whl",
    "kit=1.0",
  ])
    assert.equal(
      judge(unpinnedDependency, { texts: { "requirements.txt": `# x\n${line}\n` } }),
      "fail 2",
      line,
    );
  for (const line of [
    "kit==1.2.3",
    "kit===1.2",
    "kit == 1.2.3  # why",
    "Kit[a,b]==1.0rc1 ; python_version > '3'",
    "kit==2!1.0.post1+cpu",
    `kit==1 \\\n  ${HASH}`,
    `kit @ https://h/k.whl#sha256=${HEX}`,
    "-r other.txt",
    "--index-url https://h",
    "# kit",
    "./kit",
    "-e .",
    "kit @ file:///k.whl",
    "kit @ git+https://h/k@main",
  ])
    assert.equal(judge(unpinnedDependency, { texts: { "requirements.txt": line } }), "pass", line);
});

test("WB-DEPS-010: which files are requirements", () => {
  for (const path of [
    "requirements-dev.txt",
    "dev-requirements.txt",
    "requirements/base.txt",
    "constraints.txt",
    "requirements.in",
  ])
    assert.equal(judge(unpinnedDependency, { texts: { [path]: "kit" } }), "fail 1", path);
  for (const path of ["notes.txt", "node_modules/a/requirements.txt"])
    assert.equal(judge(unpinnedDependency, { texts: { [path]: "kit" } }), "pass", path);
});

test("WB-DEPS-010: package.json ranges", () => {
  const wanted = (value: string, section = "dependencies"): string =>
    judge(unpinnedDependency, {
      texts: { "package.json": `{\n "${section}": {\n  "kit": "${value}"\n }\n}` },
    });
  for (const value of [
    "^1.2.3",
    "~1.2.3",
    "*",
    "",
    "latest",
    "next",
    "1.x",
    "1",
    ">=1.2.3",
    "1.2.3 || 2.0.0",
    "https://h/k.tgz",
    "npm:other@^1.0.0",
  ])
    assert.equal(wanted(value), "fail 3", value);
  for (const value of [
    "1.2.3",
    "=1.2.3",
    "1.2.3-rc.1+b",
    "file:../k",
    "workspace:*",
    "link:../k",
    "npm:other@1.2.3",
    "npm:@a/b@1.2.3",
    "github:a/b#main",
  ])
    assert.equal(wanted(value), "pass", value);
  assert.equal(wanted("^1", "devDependencies"), "fail 3");
  assert.equal(wanted("^1", "optionalDependencies"), "fail 3");
  assert.equal(wanted("^1", "peerDependencies"), "pass");
});

test("WB-DEPS-010: the seeds' snippets pass, and the coverage says what is unknown", () => {
  const python = "langchain==0.2.1\nanthropic==0.21.3\nfaiss-cpu==1.7.4\n";
  const result = unpinnedDependency.run(folder({ texts: { "requirements.txt": python } }));
  assert.equal(result.status, "pass");
  assert.equal(result.coverage, "3 of 3 direct dependencies exact; 0 of 3 with hashes; transitive unknown");
  const npm = '{"dependencies": {"openai": "4.47.1", "@anthropic-ai/sdk": "0.21.1"}}';
  assert.equal(judge(unpinnedDependency, { texts: { "package.json": npm } }), "pass");
});

test("WB-DEPS-010: hashes of URLs and commits of git count as hashes", () => {
  for (const line of [
    `kit @ https://h/k.whl#sha256=${HEX}`,
    `kit==1 ${HASH}`,
    `kit @ git+https://h/k@${COMMIT}`,
  ]) {
    const { coverage } = unpinnedDependency.run(folder({ texts: { "requirements.txt": line } }));
    assert.match(coverage, /; 1 of 1 with hashes;/, line);
  }
});

test("WB-DEPS-010: what cannot be read is not evaluated", () => {
  assert.equal(judge(unpinnedDependency, { texts: { "package.json": "{" } }), "not-evaluated");
  assert.equal(judge(unpinnedDependency, { unread: { "requirements.txt": "not UTF-8" } }), "not-evaluated");
  assert.equal(
    judge(unpinnedDependency, { texts: { "pyproject.toml": '[project]\ndependencies = ["x"]' } }),
    "not-evaluated",
  );
  assert.equal(judge(unpinnedDependency, { texts: { "pyproject.toml": "[tool.ruff]" } }), "pass");
});

const lock = (entry: string, version = 3): string =>
  `{\n "lockfileVersion": ${version},\n "packages": {\n  "": {"name": "x"},\n  "node_modules/a": {"integrity": "${SHA512}"},\n  ${entry}\n }\n}`;

test("WB-DEPS-011: lock entries without a hash", () => {
  const one = (text: string): string => judge(unhashedDependency, { texts: { "package-lock.json": text } });
  for (const entry of [
    '"node_modules/b": {"version": "1.0.0"}',
    '"packages/x/node_modules/b": {}',
    '"node_modules/b": {"integrity": "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA="}',
    '"node_modules/b": {"integrity": "sha512-short"}',
    '"node_modules/b": {"resolved": "git+ssh://git@github.com/a/b.git#main"}',
  ]) {
    assert.equal(one(lock(entry)), "fail 6", entry);
    assert.equal(one(lock(entry, 2)), "fail 6", entry);
  }
  for (const entry of [
    `"node_modules/b": {"integrity": "${SHA512}"}`,
    '"node_modules/b": {"link": true, "resolved": "packages/b"}',
    '"packages/b": {"version": "1.0.0"}',
    '"node_modules/a/node_modules/b": {"inBundle": true}',
    `"node_modules/b": {"resolved": "git+ssh://git@github.com/a/b.git#${COMMIT}"}`,
  ])
    assert.equal(one(lock(entry)), "pass", entry);
});

test("WB-DEPS-011: one finding a file, with the count", () => {
  const entries = Array.from({ length: 12 }, (_, i) => `"node_modules/p${i}": {}`).join(",\n");
  const result = unhashedDependency.run(folder({ texts: { "package-lock.json": lock(entries) } }));
  assert.equal(result.coverage, "1 of 13 lock entries carry an integrity hash");
  assert.ok(result.status === "fail");
  assert.equal(result.findings.length, 1);
  assert.equal(result.findings[0]!.details?.length, 11);
});

test("WB-DEPS-011: requirements, and package.json without a lockfile", () => {
  const one = (texts: Record<string, string>): string => judge(unhashedDependency, { texts });
  assert.equal(one({ "requirements.txt": `a==1 ${HASH}\nb==1` }), "fail 2");
  assert.equal(one({ "requirements.txt": `a==1 \\\n  ${HASH} \\\n  ${HASH}` }), "pass");
  assert.equal(one({ "requirements.txt": "a==1 --hash=sha256:abc" }), "fail 1");
  assert.equal(one({ "requirements.txt": "a==1 --hash=md5:0123456789abcdef0123456789abcdef" }), "fail 1");
  const npm = '{"dependencies": {\n"a": "1.0.0"}}';
  assert.equal(one({ "package.json": npm }), "fail 2");
  const locked = { "package-lock.json": lock('"packages/x": {}') };
  assert.equal(one({ "package.json": npm, ...locked }), "pass");
  assert.equal(one({ "packages/x/package.json": npm, ...locked }), "pass");
});

test("WB-DEPS-011: other lockfiles are not evaluated, unless something failed", () => {
  for (const path of ["pnpm-lock.yaml", "yarn.lock", "uv.lock", "poetry.lock", "Cargo.lock", "go.sum"])
    assert.equal(judge(unhashedDependency, { texts: { [path]: "x" } }), "not-evaluated", path);
  assert.equal(
    judge(unhashedDependency, { texts: { "package-lock.json": '{"lockfileVersion": 1}' } }),
    "not-evaluated",
  );
  assert.equal(
    judge(unhashedDependency, { texts: { "uv.lock": "x", "requirements.txt": "a==1" } }),
    "fail 1",
  );
  assert.equal(
    judge(unhashedDependency, { unread: { "package-lock.json": "larger than 1 MiB" } }),
    "not-evaluated",
  );
});

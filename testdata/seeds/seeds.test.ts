import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { openSchema } from "../../scripts/requirements.ts";
import type { FolderFacts } from "../../src/checks/check.ts";
import { CHECKS } from "../../src/checks/registry.ts";
import { MANIFEST_FILE, schemaError } from "../../src/core/manifest.ts";
import { parseYaml } from "../../src/core/yaml-source.ts";
import { openAgentFolder } from "../../src/flows/agent-folder.ts";
import { collectFacts } from "../../src/flows/facts.ts";

// Each folder here is an agent made of one snippet: what the checks must say of it stands in expected.yaml.

const EXPECTED_FILE = "expected.yaml";

const expectedSchema = z.strictObject({
  about: z.string().min(1),
  seed: z.enum(["pipeline", "weights"]),
  snippet: z.string().min(1),
  checks: z
    .array(
      z.strictObject({
        code: z.string().regex(/^WB-[A-Z]+-\d{3}$/),
        status: z.enum(["pass", "fail", "not-evaluated"]),
        /** The level at which a failure of this check begins to block. */
        level: z.enum(["baseline", "strict"]),
        /** Line of the file that the first finding underlines. */
        line: z.int().min(1).optional(),
        /** Must occur in the coverage. */
        coverage: z.string().min(1).optional(),
      }),
    )
    .min(1),
  open: z.array(z.strictObject({ what: z.string().min(1), issue: openSchema })),
});

/** What the fixture's expected.yaml says. */
function readExpected(dir: string): z.infer<typeof expectedSchema> {
  const source = parseYaml(readFileSync(join(dir, EXPECTED_FILE), "utf8"), EXPECTED_FILE);
  const result = expectedSchema.safeParse(source.data);
  if (!result.success) throw schemaError(source, result.error.issues);
  return result.data;
}

/** The facts of a folder as if git tracked all of it, so that no verdict depends on the checkout. */
async function factsOf(dir: string): Promise<FolderFacts> {
  const facts = await collectFacts(openAgentFolder(dir));
  const files = new Set(readdirSync(dir, { recursive: true, encoding: "utf8" }));
  return { ...facts, git: { state: "tracked", files } };
}

/** The words themselves, not part of longer numbers: "3 of 3" is not in "13 of 30". */
function wholly(words: string): RegExp {
  return new RegExp(`(?<!\\d)${RegExp.escape(words)}(?!\\d)`);
}

const named: string[] = [];

/** One test a fixture: the checks it names say what it expects, and no other check fails. */
function fixture(name: string): void {
  named.push(name);
  test(name, async (t) => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), "waybill-seed-")));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    cpSync(join(import.meta.dirname, name), dir, { recursive: true });
    const expected = readExpected(dir);
    const facts = await factsOf(dir);
    assert.ok(facts.texts.length > 0, "no file to look at");
    assert.deepEqual(
      facts.components.flatMap(({ problems }) => problems),
      [],
    );

    for (const { code, status, level, line, coverage } of expected.checks) {
      const check = CHECKS.find(({ rule }) => rule.code === code);
      assert.ok(check, `there is no check ${code}`);
      assert.equal(check.rule.blocksAt, level, `${code} blocks at ${check.rule.blocksAt}`);
      const result = check.run(facts);
      assert.equal(result.status, status, `${code}: ${JSON.stringify(result, null, 2)}`);
      if (coverage !== undefined) assert.match(result.coverage, wholly(coverage), code);
      if (line !== undefined) {
        assert.ok(result.status === "fail");
        assert.equal(result.findings[0]?.where?.line, line, code);
      }
    }

    const told = new Set(expected.checks.map(({ code }) => code));
    const others = CHECKS.filter(({ rule }) => !told.has(rule.code))
      .map((check) => check.run(facts))
      .filter(({ status }) => status === "fail");
    assert.deepEqual(others, [], "checks fail that expected.yaml does not name");
  });
}

fixture("audit-commands");
fixture("cluster-image-policy");
fixture("dockerfile-env");
fixture("download-checksum");
fixture("download-checksum-real");
fixture("immutable-container");
fixture("model-manifest");
fixture("package-json");
fixture("requirements");
fixture("sbom-commands");
fixture("sidecar-pod");
fixture("sign-step");
fixture("sign-step-pinned");
fixture("typosquat");

test("every folder is a fixture with its expectation and something to look at", () => {
  const folders = readdirSync(import.meta.dirname, { withFileTypes: true }).filter((e) => e.isDirectory());
  assert.deepEqual(folders.map(({ name }) => name).toSorted(), named.toSorted());
  for (const { name } of folders) {
    const files = readdirSync(join(import.meta.dirname, name));
    assert.ok(files.includes(EXPECTED_FILE) && files.includes(MANIFEST_FILE) && files.length > 2, name);
  }
});

test("every check that a seed's snippet needs decides a fixture", () => {
  const decided = named.flatMap((name) => readExpected(join(import.meta.dirname, name)).checks);
  for (const code of ["WB-MODEL-011", "WB-DEPS-011", "WB-CI-010", "WB-IMAGE-011", "WB-CLUSTER-010"])
    assert.ok(
      decided.some((check) => check.code === code && check.status === "fail"),
      `${code} fails nowhere`,
    );
});

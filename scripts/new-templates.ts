/** What `npm run new` writes: whole files, and lines that go into files which are there. */
export interface Scaffold {
  files: { file: string; text: string }[];
  /** Each line goes before the first `end` that follows the first `start`. */
  edits: { file: string; start: string; end: string; line: string }[];
  /** Texts that must not stand in these files yet. */
  used?: { file: string; text: string }[];
}

/** A check: one file, its test, its line. It passes every test as it is, so that there is something to change. */
export function newCheck(code: string, name: string): Scaffold {
  const id = camel(name);
  const file = "src/checks/registry.ts";
  return {
    files: [
      { file: `src/checks/${name}.ts`, text: checkText(code, id) },
      { file: `src/checks/${name}.test.ts`, text: checkTest(name, id) },
    ],
    edits: [
      { file, start: "import ", end: "\n\n/**", line: `\nimport { ${id} } from "./${name}.ts";` },
      { file, start: "CHECKS: readonly Check[] = [", end: "];", line: `  ${id},\n` },
    ],
    used: [{ file: "docs/checks.md", text: `### ${code}\n` }],
  };
}

/** A component kind: one file, its test, its line; and its name in the list of kinds and in two tables. */
export function newComponent(name: string): Scaffold {
  const file = "src/components/registry.ts";
  const integrity = "src/checks/integrity.ts";
  return {
    files: [
      { file: `src/components/kinds/${name}.ts`, text: componentText(name) },
      { file: `src/components/kinds/${name}.test.ts`, text: componentTest(name) },
    ],
    edits: [
      { file, start: "import ", end: "\n\n/**", line: `\nimport { ${name} } from "./kinds/${name}.ts";` },
      { file, start: "COMPONENT_KINDS: readonly ComponentKind[] = [", end: "];", line: `  ${name},\n` },
      { file: "src/core/component.ts", start: "KINDS = [", end: "] as const", line: `  "${name}",\n` },
      {
        file: integrity,
        start: "FAMILY: Record<Kind, string> = {",
        end: "};",
        line: `  ${name}: "${name.toUpperCase()}",\n`,
      },
      {
        file: integrity,
        start: "WHY: Record<Kind, string> = {",
        end: "};",
        line: `  ${name}: "say what a changed byte in it would do",\n`,
      },
    ],
  };
}

/** A predicate: one file, its test, its line. */
export function newPredicate(name: string): Scaffold {
  const id = `${camel(name)}Predicate`;
  const file = "src/evidence/registry.ts";
  return {
    files: [
      { file: `src/evidence/${name}.ts`, text: predicateText(name, id) },
      { file: `src/evidence/${name}.test.ts`, text: predicateTest(name, id) },
    ],
    edits: [
      { file, start: "import ", end: "\n\n/**", line: `\nimport { ${id} } from "./${name}.ts";` },
      { file, start: "PREDICATES: readonly PredicateType[] = [", end: "];", line: `, ${id}` },
    ],
  };
}

function camel(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function pascal(name: string): string {
  return camel(name).replace(/^./, (letter) => letter.toUpperCase());
}

function checkText(code: string, id: string): string {
  return `import type { Finding, Rule } from "../core/finding.ts";
import type { Check, FolderFacts } from "./check.ts";
import { conclude, count, placeIn } from "./places.ts";

const rule: Rule = {
  code: "${code}",
  title: "say in one line what holds when it passes",
  why: "Say in two to four sentences what happens to whom when it does not.",
  fix: "say what to do, as a command where there is one",
  group: "hygiene",
  blocksAt: "baseline",
  // Shown on the code's page and run by registry.test.ts.
  example: { file: "start.sh", bad: "agent --unsafe", good: "agent" },
};

/** What is looked for. */
const PATTERN = /--unsafe\\b/g;

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  for (const file of facts.texts) {
    for (const match of file.text.matchAll(PATTERN))
      findings.push({
        code: rule.code,
        message: "say what is wrong: lower case, no full stop",
        path: file.path,
        where: placeIn(file, match.index, match[0].length),
        label: "a short word on this very place",
        why: rule.why,
        fix: rule.fix,
      });
  }
  const coverage = \`\${count(facts.texts.length, "text")} read\`;
  return conclude(rule, { findings, unjudged: [], coverage }, facts.unreadTexts);
}

/** ${code}. */
export const ${id}: Check = { rule, run };
`;
}

function checkTest(name: string, id: string): string {
  return `import assert from "node:assert/strict";
import { test } from "node:test";
import { ${id} } from "./${name}.ts";
import { judge } from "./testing.ts";

test("what should be found is found, at its line", () => {
  assert.equal(judge(${id}, { texts: { "start.sh": "set -e\\nagent --unsafe" } }), "fail 2");
});

test("what should pass passes", () => {
  assert.equal(judge(${id}, { texts: { "start.sh": "agent --unsafely" } }), "pass");
});

test("a text that cannot be read is not evaluated", () => {
  assert.equal(judge(${id}, { unread: { "start.sh": "not UTF-8" } }), "not-evaluated");
});
`;
}

function componentText(name: string): string {
  return `import { componentName } from "../detect.ts";
import type { ComponentKind } from "../kind.ts";
import { describeTree } from "./tree-kind.ts";

const FOLDER = /(^|\\/)${name}\\//i;

/** Say what this part of an agent is. */
export const ${name}: ComponentKind = {
  kind: "${name}",
  about: "say in one line what it holds",
  detect(view) {
    return view.files
      .map((file) => file.path)
      .filter((path) => FOLDER.test(path))
      .map((path) => ({
        declared: { kind: "${name}" as const, name: componentName(path, "${name}"), path },
        because: "it stands in a folder of that name",
      }));
  },
  // Another digest than that of the files: see tool.ts and image.ts.
  describe: describeTree,
};
`;
}

function componentTest(name: string): string {
  return `import assert from "node:assert/strict";
import { test } from "node:test";
import { ${name} } from "./${name}.ts";

const view = (...paths: string[]) => ({
  files: paths.map((path) => ({ path, size: 1 })),
  head: () => Buffer.alloc(0),
});

test("it is found where it stands, and nowhere else", () => {
  const found = ${name}.detect(view("${name}/a.txt", "src/main.ts"));
  assert.deepEqual(
    found.map(({ declared }) => declared.path),
    ["${name}/a.txt"],
  );
});
`;
}

function predicateText(name: string, id: string): string {
  const type = `${pascal(name)}Predicate`;
  return `import { z } from "zod";
import { nameSchema, type PredicateType } from "./predicate.ts";
import { timestamp } from "./timestamp.ts";

/** \`urn:waybill:${name}:v1\`: say what whoever signs it claims; specified in docs/formats/evidence.md. */
export interface ${type} {
  agent: string;
  /** RFC 3339, UTC. */
  at: string;
}

export const ${id}: PredicateType<${type}> = {
  uri: "urn:waybill:${name}:v1",
  short: "${name}",
  title: "say in one line what is claimed",
  schema: z.strictObject({ agent: nameSchema, at: timestamp }),
};
`;
}

function predicateTest(name: string, id: string): string {
  return `import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { makeStatement, readPredicate } from "./predicate.ts";
import { ${id} } from "./${name}.ts";

const subject = [{ name: "support-agent", digest: { sha256: sha256("release") } }];
const predicate = { agent: "support-agent", at: "2027-06-01T00:00:00Z" };

test("it is made and read", () => {
  const statement = makeStatement(${id}, subject, predicate);
  assert.deepEqual(readPredicate(${id}, statement), { predicate });
});

test("an unknown field is refused: it could restrict what is claimed", () => {
  const statement = makeStatement(${id}, subject, predicate);
  statement.predicate.only = "sundays";
  assert.ok("problem" in readPredicate(${id}, statement));
});
`;
}

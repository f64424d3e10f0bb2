import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readRequirements, requirementsMarkdown, splitProof, stateOf, TRANSCRIPT } from "./requirements.ts";

const ROOT = join(import.meta.dirname, "..");
const requirements = readRequirements();
const waiting = requirements.filter((requirement) => stateOf(requirement) === "waiting");

/** Why a proof names nothing that exists, or undefined. */
function proofProblem(proof: string): string | undefined {
  const { file, name } = splitProof(proof);
  const isSession = TRANSCRIPT.test(file);
  if (!isSession && !/\.test\.ts$/.test(file)) return `${proof}: not a test file`;
  let text: string;
  try {
    text = readFileSync(join(ROOT, file), "utf8");
  } catch {
    return `${proof}: no such file`;
  }
  if (isSession) {
    const lines = text.split(/^-- \S+ --$/m)[0]!.split("\n");
    return lines.includes(`# ${name}`) || lines.includes(`$ ${name}`)
      ? undefined
      : `${proof}: no comment and no command of those words`;
  }
  const quoted = [name, JSON.stringify(name).slice(1, -1)].flatMap((s) => [`"${s}"`, `'${s}'`, `\`${s}\``]);
  if (!quoted.some((literal) => text.includes(literal))) return `${proof}: no test of that name`;
  const off = quoted.some((literal) => text.includes(`skip(${literal}`) || text.includes(`todo(${literal}`));
  return off ? `${proof}: the test is switched off` : undefined;
}

test("ids are consecutive, in the order of the file", () => {
  assert.deepEqual(
    requirements.map(({ id }) => id),
    requirements.map((_, i) => `R-${String(i + 1).padStart(3, "0")}`),
  );
});

test("no requirement is said twice, and sections stand together", () => {
  const texts = requirements.map(({ seed, text }) => `${seed}: ${text}`);
  assert.equal(new Set(texts).size, texts.length);
  const runs = requirements
    .map(({ seed, section }) => `${seed}: ${section}`)
    .filter((s, i, all) => s !== all[i - 1]);
  assert.equal(new Set(runs).size, runs.length);
});

test("every proof names a test that is there", () => {
  const problems = requirements.flatMap(({ id, proof = [] }) =>
    proof.map(proofProblem).flatMap((problem) => (problem ? [`${id} ${problem}`] : [])),
  );
  assert.deepEqual(problems, []);
});

test("a proof in a missing file, outside a test file or of no such name is a problem", () => {
  assert.match(proofProblem("scripts/nowhere.test.ts › x")!, /no such file/);
  assert.match(proofProblem("scripts/requirements.ts › readRequirements")!, /not a test file/);
  assert.match(
    proofProblem(`scripts/requirements.test.ts › ${"no test is called so".toUpperCase()}`)!,
    /no test of/,
  );
  assert.equal(
    proofProblem("scripts/requirements.test.ts › every proof names a test that is there"),
    undefined,
  );
});

test("a proof in a transcript names a comment or a command that stands there", () => {
  const lock = "testdata/transcripts/lock.txt";
  assert.equal(
    proofProblem(
      `${lock} › Pin everything. The digests are the same on every machine: that is what they are for.`,
    ),
    undefined,
  );
  assert.equal(proofProblem(`${lock} › waybill lock --dir agent --sha256sums`), undefined);
  assert.match(proofProblem(`${lock} › Pin everything`)!, /no comment and no command/);
  assert.match(proofProblem("testdata/transcripts/nowhere.txt › x")!, /no such file/);
  assert.match(proofProblem("testdata/seeds/x.txt › x")!, /not a test file/);
});

test("every requirement is proved or open", { todo: waiting.length > 0 && `${waiting.length} wait` }, () => {
  assert.deepEqual(
    waiting.map(({ id, by }) => `${id} ${by}`),
    [],
  );
});

test("both proof and open, neither, or a proof beside a description is refused with its line", () => {
  const entry = "- id: R-001\n  seed: weights\n  section: S\n  text: T\n";
  assert.throws(() => readRequirements(entry), /:1:3: .*either proof or open/);
  assert.throws(
    () => readRequirements(`${entry}  proof: [a.test.ts › b]\n  open: 4\n`),
    /either proof or open/,
  );
  assert.throws(() => readRequirements(`${entry}  proof: []\n`), /give by where proof is empty/);
  assert.throws(() => readRequirements(`${entry}  proof: [a.test.ts › b]\n  by: c\n`), /give by where/);
  assert.throws(() => readRequirements(`${entry}  open: 3\n`), /R-001|open/);
  assert.equal(readRequirements(`${entry}  open: cluster\n`).length, 1);
});

test("the page shows the counts, each requirement once, links and open issues", () => {
  const page = requirementsMarkdown();
  for (const { id } of requirements) assert.equal(page.split(`| ${id} |`).length, 2, id);
  assert.match(
    page,
    new RegExp(`^\\| ${requirements.length} \\| \\d+ \\| ${waiting.length} \\| \\d+ \\|$`, "m"),
  );
  const row = { id: "R-001", seed: "weights", section: "S" } as const;
  const small = requirementsMarkdown([
    { ...row, text: "a | b", proof: ["src/a.test.ts › it [works]", "src/b.test.ts › too"] },
    { ...row, id: "R-002", text: "c", open: 7 },
    { ...row, id: "R-003", text: "d", open: "ci" },
    { ...row, id: "R-004", text: "e", proof: [], by: "f" },
  ]);
  assert.match(small, /^\| 4 \| 1 \| 1 \| 2 \|$/m);
  assert.ok(
    small.includes(
      "| R-001 | a \\| b | [it \\[works\\]](../src/a.test.ts)<br>[too](../src/b.test.ts) |\n| R-002 | c | open (issue 7) |\n| R-003 | d | open (ci) |\n| R-004 | e | waiting: f |",
    ),
  );
});

import { changedChunks, compareEntries, type Difference } from "../components/compare.ts";
import { isObservedLink, type ObservedComponent, type ObservedProblem } from "../components/observed.ts";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { type ComponentId, componentId, KINDS, type Kind } from "../core/component.ts";
import type { CheckResult, Finding, Rule } from "../core/finding.ts";
import type { LockedComponent } from "../core/lock.ts";
import { diffLines } from "../core/text-diff.ts";
import { isLink } from "../core/tree.ts";
import { type Check, declarationOf, type FolderFacts, notEvaluated, verdictOf } from "./check.ts";

/** Findings of one component at the most; the rest is counted in a last one. */
const MAX_FINDINGS = 20;

const FAMILY: Record<Kind, string> = {
  model: "MODEL",
  dataset: "DATA",
  prompt: "PROMPT",
  tool: "TOOL",
  corpus: "CORPUS",
  code: "CODE",
  dependencies: "DEPS",
  image: "IMAGE",
  infra: "INFRA",
};

const WHY: Record<Kind, string> = {
  model:
    "these weights are not the ones that were tested and signed; a changed byte can be a backdoor that no benchmark shows",
  dataset:
    "a model trained or judged on other data is another model, and the lineage in the release would be false",
  prompt: "the agent would follow instructions that nobody reviewed",
  tool: "what a tool says of itself steers the model: a changed definition or server widens what the agent may do",
  corpus: "a document in the corpus speaks in every later answer",
  code: "the agent would run code that nobody reviewed or signed",
  dependencies: "an install from this lockfile would bring other packages than those that were judged",
  image: "the cluster would run another image than the one that was signed",
  infra: "the agent would run with other rights, routes or limits than those that were reviewed",
};

/** The integrity check of one kind: the bytes on disk are the locked ones. */
export function integrityCheck(kind: Kind): Check {
  const rule: Rule = {
    code: `WB-${FAMILY[kind]}-001`,
    title: `${kind}: the bytes on disk are the locked ones`,
    why: `The release digest covers every byte of every ${kind} component. Where the bytes differ, ${WHY[kind]}. A file that cannot be read counts as changed: what is claimed must be proved.`,
    fix: "restore the file, or if the change is meant: waybill lock && waybill sign",
    group: "integrity",
    blocksAt: "baseline",
  };
  return { rule, run: (facts) => run(rule, kind, facts) };
}

/** One integrity check for each kind. */
export const INTEGRITY_CHECKS: readonly Check[] = KINDS.map(integrityCheck);

function run(rule: Rule, kind: Kind, facts: FolderFacts): CheckResult {
  if (!facts.lock) return notEvaluated(rule, "there is no waybill.lock to compare with");
  const locked = facts.lock.components.filter((c) => c.leaf.kind === kind);
  const findings: Finding[] = [];
  let files = 0;
  for (const component of locked) {
    const id = componentId(component.leaf);
    const observed = facts.components.find((c) => c.id === id);
    files += component.files.length;
    if (observed) findings.push(...compareComponent(rule, component, observed, facts));
    else
      findings.push(
        findingMaker(rule, id, facts).plain(`${id} is locked and waybill.yaml does not declare it`, {}),
      );
  }
  for (const { id, declared } of facts.components)
    if (declared.kind === kind && !locked.some(({ leaf }) => componentId(leaf) === id))
      findings.push(
        findingMaker(rule, id, facts).plain(`${id} is declared and waybill.lock does not pin it`, {}),
      );
  const count = `${locked.length} component${locked.length === 1 ? "" : "s"}, ${files} file${files === 1 ? "" : "s"}`;
  return verdictOf(rule, findings, locked.length === 0 ? `the release has no ${kind}` : count);
}

function compareComponent(
  rule: Rule,
  locked: LockedComponent,
  observed: ObservedComponent,
  facts: FolderFacts,
): Finding[] {
  const { id } = observed;
  const make = findingMaker(rule, id, facts);
  const problems = observed.problems.map((problem) => make.problem(problem, observed));
  const differences = compareEntries(locked, observed);
  const findings = [...problems, ...differences.map((d) => make.difference(d, observed))];
  if (findings.length > MAX_FINDINGS) {
    const rest = findings.length - MAX_FINDINGS;
    return [
      ...findings.slice(0, MAX_FINDINGS),
      make.plain(`${id}: ${rest} more paths differ`, {
        details: [`the first ${MAX_FINDINGS} are shown; put these right first`],
      }),
    ];
  }
  if (findings.length === 0 && !sameLeaf(locked, observed))
    return [
      make.plain(`${id} does not describe itself as it did when it was locked`, {
        expected: canonicalJson(locked.leaf as unknown as Json),
        found: observed.leaf
          ? canonicalJson(observed.leaf as unknown as Json)
          : "not all of it could be digested",
      }),
    ];
  return findings;
}

function sameLeaf(locked: LockedComponent, observed: ObservedComponent): boolean {
  if (!observed.leaf) return false;
  return canonicalJson(locked.leaf as unknown as Json) === canonicalJson(observed.leaf as unknown as Json);
}

function findingMaker(rule: Rule, id: ComponentId, facts: FolderFacts) {
  const where = declarationOf(facts, id);
  const kind = id.slice(0, id.indexOf("/")) as Kind;
  const base = { code: rule.code, component: id, why: WHY[kind], final: true, ...(where ? { where } : {}) };
  const plain = (message: string, more: Partial<Finding>): Finding => ({
    ...base,
    message,
    label: "declared here",
    fix: rule.fix,
    ...more,
  });
  return {
    plain,
    problem: (problem: ObservedProblem, observed: ObservedComponent): Finding => {
      const path = observed.prefix + problem.path;
      return plain(`${id} cannot be read as it was locked: ${path}: ${problem.detail}`, {
        path,
        label: "claims it",
        fix: `put ${path} back, or if the change is meant: waybill lock && waybill sign`,
      });
    },
    difference: (d: Difference, observed: ObservedComponent): Finding => {
      const path = observed.prefix + d.path;
      return plain(`${id} is not the one that was locked: ${path} ${SAID[d.what]}`, {
        path,
        label: `${path} ${SAID[d.what]} after \`waybill lock\``,
        expected: say(d.locked, byChunks(d)),
        found: say(d.found, byChunks(d)),
        details: explain(d, path, facts),
        fix: `${restore(d, path, facts)}   or, if intended:  waybill lock && waybill sign`,
      });
    },
  };
}

const SAID: Record<Difference["what"], string> = {
  changed: "changed",
  added: "was added",
  removed: "is gone",
  executable: "changed its x bit",
  link: "points elsewhere",
  kind: "turned from a file into a link, or back",
};

/** A large file is verified by its chunk root alone: then that is what both sides are shown by. */
function byChunks({ locked, found }: Difference): boolean {
  return (
    found !== undefined && "size" in found && found.sha256 === undefined && !!locked && "chunks" in locked
  );
}

function say(side: Difference["locked"] | Difference["found"], chunks: boolean): string {
  if (side === undefined) return "no such file";
  if ("link" in side) return `link to ${side.link}`;
  const size = `${side.size.toLocaleString("en")} bytes${side.executable ? ", executable" : ""}`;
  // A large file of another size, or that the lock does not name, differs already: its bytes were not read.
  if (side.sha256 === undefined && side.chunks === undefined) return `${size}, not hashed`;
  const byRoot = (chunks && side.chunks !== undefined) || side.sha256 === undefined;
  return `${byRoot ? `chunks:${side.chunks}` : `sha256:${side.sha256}`}  ${size}`;
}

function restore(d: Difference, path: string, facts: FolderFacts): string {
  const tracked = facts.git.state === "tracked" && facts.git.files.has(path);
  if (d.what === "executable") {
    const bit = isExecutable(d.locked) ? "+x" : "-x";
    // Where git tracks the file, the bit that counts is the one in its index.
    return tracked ? `git update-index --chmod=${bit} '${path}'` : `chmod ${bit} '${path}'`;
  }
  if (tracked) return `git checkout -- '${path}'`;
  return d.what === "added" ? `rm '${path}'` : `restore ${path} from where it came`;
}

/** A diff must not carry a secret into a log: a line that names one and gives it a value is not shown. */
function withoutSecret(line: string): string {
  const secret = /(key|token|secret|passw(or)?d|credential)[\w-]*["']?\s*[:=]\s*\S/i.test(line);
  return secret ? `${line.slice(0, 2)}(not shown: the line may hold a secret)` : line;
}

function isExecutable(leaf: Difference["locked"]): boolean {
  return leaf !== undefined && !isLink(leaf) && leaf.executable;
}

/** Which chunks and tensors of a large file changed, or a text diff where the pinned text is at hand. */
function explain(d: Difference, path: string, facts: FolderFacts): string[] {
  if (d.what !== "changed" || !d.locked || isLink(d.locked) || !d.found || isObservedLink(d.found)) return [];
  const pinnedText = facts.pinned.texts.get(d.locked.sha256);
  const currentText = facts.pinned.current.get(path);
  if (pinnedText !== undefined && currentText !== undefined)
    return diffLines(pinnedText, currentText).map(withoutSecret);
  if (d.locked.chunks === undefined) return [];
  const chunks = changedChunks(facts.pinned.chunkHashes.get(d.locked.chunks), d.found.chunkHashes);
  if (!chunks || chunks.length === 0) return [];
  const total = Math.ceil(d.locked.size / (1 << 20));
  const tensors = (facts.pinned.tensors.get(path) ?? [])
    .filter((t) => chunks.some((c) => t.from < (c + 1) * (1 << 20) && t.to > c * (1 << 20)))
    .map((t) => t.name);
  const list = (items: readonly (string | number)[]) =>
    items.length > 8 ? `${items.slice(0, 8).join(", ")} and ${items.length - 8} more` : items.join(", ");
  return [
    `changed 1 MiB chunk${chunks.length === 1 ? "" : "s"} ${list(chunks)} of ${total}`,
    ...(tensors.length > 0 ? [`touches tensor${tensors.length === 1 ? "" : "s"} ${list(tensors)}`] : []),
  ];
}

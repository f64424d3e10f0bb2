import type { Finding, Rule } from "../core/finding.ts";
import { member, parseJsonSource, stringOf } from "../formats/json-source.ts";
import { type Requirement, requirementsOf } from "../formats/requirements.ts";
import type { Check, FolderFacts, TextFile } from "./check.ts";
import { gitReference, isCommit, isExactPep440, isExactSemver } from "./pins.ts";
import { conclude, count, placeIn, quote } from "./places.ts";
import { isLockfile, textKind, unreadOf } from "./scanned-texts.ts";

const rule: Rule = {
  code: "WB-DEPS-010",
  title: "direct dependencies name one version",
  why: "A range or a missing version lets the registry choose what is installed next time. A new release of any package then enters the agent without a change that somebody could review, and two builds of one commit differ.",
  fix: 'write the exact version: name==1.2.3 (pip), "name": "1.2.3" (npm install --save-exact)',
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: "requirements.txt",
    bad: "langchain>=0.2\nanthropic==0.21.3",
    good: "langchain==0.2.1\nanthropic==0.21.3",
  },
};

interface Direct {
  name: string;
  wanted: string;
  /** What keeps it from being exact. */
  problem: string | undefined;
  hashed: boolean;
  offset: number;
  length: number;
  pinned: string;
}

const SECTIONS = ["dependencies", "devDependencies", "optionalDependencies"];

/** The direct dependencies of a requirements file. */
export function pythonDependencies(file: TextFile): Direct[] {
  return requirementsOf(file.text).flatMap((requirement) => {
    const problem = pythonProblem(requirement);
    if (problem === "local") return [];
    const { name, specifier, url, hashes, offset, length } = requirement;
    const hashed =
      hashes > 0 || /#sha256=[0-9a-f]{64}/.test(url ?? "") || isCommit(gitReference(url ?? "")?.ref);
    return [{ name, wanted: url ?? specifier, problem, hashed, offset, length, pinned: `${name}==1.2.3` }];
  });
}

function pythonProblem({ specifier, url, hashes }: Requirement): string | undefined {
  if (url !== undefined) {
    if (/^(?:\.|\/|file:)/.test(url)) return "local";
    const git = gitReference(url);
    // A git reference without a commit is WB-CODE-010's to tell.
    if (git || /#sha256=[0-9a-f]{64}/.test(url) || hashes > 0) return undefined;
    return "a URL without a hash";
  }
  if (specifier === "") return "no version is named";
  const exact = /^===?([^,]{1,200})$/.exec(specifier);
  return exact && isExactPep440(exact[1]!) ? undefined : "a range of versions";
}

/** The direct dependencies of a package.json; undefined where it cannot be read. */
export function npmDependencies(file: TextFile): Direct[] | undefined {
  const root = parseJsonSource(file.text);
  if (!root) return undefined;
  return SECTIONS.flatMap((section) => {
    const entries = member(root, section);
    if (entries?.type !== "object") return [];
    return entries.entries.flatMap(({ key: name, keyStart, value }): Direct[] => {
      const wanted = stringOf(value) ?? "";
      if (/^(?:file|link|workspace|portal):/.test(wanted)) return [];
      const version =
        /^npm:(?:@[^/]{1,100}\/)?[^@]{1,200}@(.{1,200})$/.exec(wanted)?.[1] ?? wanted.replace(/^=/, "");
      const git =
        gitReference(wanted) ??
        (/^[\w.-]{1,100}\/[\w.-]{1,100}(?:#|$)/.test(wanted) ? { ref: undefined } : undefined);
      const problem = git || isExactSemver(version) ? undefined : npmProblem(wanted);
      const hashed = isCommit(git?.ref);
      return [
        {
          name,
          wanted,
          problem,
          hashed,
          offset: keyStart,
          length: value.end - keyStart,
          pinned: `"${name}": "1.2.3"`,
        },
      ];
    });
  });
}

function npmProblem(wanted: string): string {
  if (/^https?:/.test(wanted)) return "a URL whose content can be replaced";
  if (wanted === "" || wanted === "*" || /^(?:latest|next|[a-z]{1,40})$/.test(wanted))
    return "a tag, which can be moved";
  return "a range of versions";
}

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  const unjudged: string[] = [];
  let [total, hashed, files] = [0, 0, 0];
  for (const file of facts.texts) {
    const kind = textKind(file.path);
    if (kind === "manifest-of-dependencies") {
      if (
        /^(?:dependencies|requires|install_requires)\s{0,9}[=:]|^\[tool\.poetry\.dependencies\]|^\[packages\]/m.test(
          file.text,
        )
      )
        unjudged.push(`${quote(file.path)}: dependencies in a format that is not read yet`);
      continue;
    }
    if (kind !== "requirements" && kind !== "package-json") continue;
    files += 1;
    const direct = kind === "requirements" ? pythonDependencies(file) : npmDependencies(file);
    if (!direct) unjudged.push(`${quote(file.path)}: not JSON that can be read`);
    for (const { name, wanted, problem, hashed: hash, offset, length, pinned } of direct ?? []) {
      total += 1;
      if (hash) hashed += 1;
      if (problem === undefined) continue;
      findings.push({
        code: rule.code,
        message: `dependency '${quote(name)}' is not pinned to one version`,
        path: file.path,
        where: placeIn(file, offset, length),
        label: problem,
        expected: quote(pinned),
        found: wanted === "" ? "no version" : quote(wanted),
        why: rule.why,
        fix:
          kind === "requirements"
            ? `pip freeze | grep -i '^${quote(name)}=='   and write that line`
            : `npm install --save-exact '${quote(name)}'`,
      });
    }
  }
  const transitive = facts.texts.some(({ path }) => isLockfile(path))
    ? "transitive by lockfile"
    : "transitive unknown";
  const coverage =
    files === 0
      ? "no requirements file or package.json in the folder"
      : `${total - findings.length} of ${count(total, "direct dependency")} exact; ${hashed} of ${total} with hashes; ${transitive}`;
  return conclude(
    rule,
    { findings, unjudged, coverage },
    unreadOf(facts, ["requirements", "package-json", "manifest-of-dependencies"]),
  );
}

/** WB-DEPS-010. */
export const unpinnedDependency: Check = { rule, run };

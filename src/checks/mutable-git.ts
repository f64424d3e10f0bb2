import type { Finding, Rule, SourceRange } from "../core/finding.ts";
import { member, parseJsonSource, stringOf } from "../formats/json-source.ts";
import { requirementsOf } from "../formats/requirements.ts";
import { programOf } from "../formats/shell.ts";
import type { Check, FolderFacts, TextFile } from "./check.ts";
import { clonesOf } from "./git-clones.ts";
import { isHub } from "./model-files.ts";
import { gitReference, isCommit } from "./pins.ts";
import { conclude, count, placeIn, quote } from "./places.ts";
import { textKind, unreadOf } from "./scanned-texts.ts";
import { RUNNABLE, snippetsOf } from "./snippets.ts";

const rule: Rule = {
  code: "WB-CODE-010",
  title: "code taken from git is pinned to a commit",
  why: "A branch moves with every push and a tag can be moved. What is installed or built tomorrow is then other code than what was reviewed, without any change in this folder. A full commit names one content.",
  fix: "name the commit: git+https://…@<40-hex commit>, github:org/repo#<40-hex commit>, or git checkout <40-hex commit> after the clone",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: "requirements.txt",
    bad: "agent-kit @ git+https://github.com/acme/agent-kit@main",
    good: "agent-kit @ git+https://github.com/acme/agent-kit@0123456789abcdef0123456789abcdef01234567",
  },
};

interface Seen {
  what: string;
  ref: string | undefined;
  pinned: boolean;
  expected: string;
  where: SourceRange;
}

const SECTIONS = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "overrides"];
const INSTALLERS = /^(?:pip[0-9.]{0,5}|uv|pipx|poetry|npm|pnpm|yarn|bun|python[0-9.]{0,6})$/;

function inRequirements(file: TextFile): Seen[] {
  return requirementsOf(file.text).flatMap(({ url, offset, length }) =>
    url === undefined ? [] : seenReference(url, placeIn(file, offset, length)),
  );
}

function inPackageJson(file: TextFile): Seen[] {
  const root = parseJsonSource(file.text);
  return SECTIONS.flatMap((section) => {
    const entries = member(root, section);
    if (entries?.type !== "object") return [];
    return entries.entries.flatMap(({ value }) => {
      const text = stringOf(value) ?? "";
      const short = /^[\w.-]{1,100}\/[\w.-]{1,100}(?:#.{0,200})?$/.test(text) ? `github:${text}` : text;
      return seenReference(short, placeIn(file, value.start, value.end - value.start));
    });
  });
}

function inScripts(file: TextFile): Seen[] {
  return snippetsOf(file).shell.flatMap(({ commands, at }) => {
    const installs = commands.flatMap((command) => {
      const run = programOf(command);
      if (
        !run ||
        !INSTALLERS.test(run.name) ||
        !run.args.some((w) => /^(?:install|add|i|sync)$/.test(w.text))
      )
        return [];
      return run.args.flatMap((word) => {
        const text = word.text.includes(" @ ") ? word.text.slice(word.text.indexOf(" @ ") + 3) : word.text;
        return seenReference(text, at(word.offset, word.length));
      });
    });
    const clones = clonesOf(commands)
      .filter(({ url }) => !isHub(url.text))
      .map(({ url, branch, pinned }) => {
        const word = branch ?? url;
        const expected = "git checkout <40-hex commit> after it";
        return { what: url.text, ref: branch?.text, pinned, expected, where: at(word.offset, word.length) };
      });
    return [...installs, ...clones];
  });
}

function seenReference(text: string, where: SourceRange): Seen[] {
  const git = gitReference(text);
  if (!git) return [];
  const mark =
    text.includes("#") && !/#(?:egg|subdirectory)=/.test(text) ? "#" : text.startsWith("git+") ? "@" : "#";
  const expected = `${git.url.split("#")[0]}${mark}<40-hex commit>`;
  return [{ what: git.url, ref: git.ref, pinned: isCommit(git.ref), expected, where }];
}

function run(facts: FolderFacts) {
  const unjudged: string[] = [];
  const seen: Seen[] = [];
  let texts = 0;
  for (const file of facts.texts) {
    const kind = textKind(file.path);
    if (kind === "requirements") seen.push(...inRequirements(file));
    if (kind === "package-json") seen.push(...inPackageJson(file));
    if (kind !== undefined && RUNNABLE.includes(kind)) {
      seen.push(...inScripts(file));
      const { problem } = snippetsOf(file);
      if (problem !== undefined && /git/.test(file.text)) unjudged.push(`${quote(file.path)}: ${problem}`);
    }
    if (kind === "requirements" || (kind !== undefined && RUNNABLE.includes(kind))) texts += 1;
  }
  const findings = seen
    .filter(({ pinned }) => !pinned)
    .map(
      ({ what, ref, expected, where }): Finding => ({
        code: rule.code,
        message: `'${quote(what)}' is taken from git without a commit`,
        path: where.file,
        where,
        label:
          ref === undefined ? "whatever the default branch holds" : "a branch or tag, which can be moved",
        expected: quote(expected, 200),
        found: ref === undefined ? "no reference" : quote(ref),
        why: rule.why,
        fix: /^https?:\/\/[\w./-]{1,200}$/.test(what)
          ? `git ls-remote ${what} ${quote(ref ?? "HEAD")}   then pin that commit`
          : rule.fix,
      }),
    );
  const coverage =
    seen.length === 0
      ? `no git reference in ${count(texts, "text")}`
      : `${seen.length - findings.length} of ${count(seen.length, "git reference")} pinned, in ${count(texts, "text")}`;
  const unread = unreadOf(facts, [
    "requirements",
    "package-json",
    "shell",
    "dockerfile",
    "makefile",
    "workflow",
  ]);
  return conclude(rule, { findings, unjudged, coverage }, unread);
}

/** WB-CODE-010. */
export const mutableGit: Check = { rule, run };

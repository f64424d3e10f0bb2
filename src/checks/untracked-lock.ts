import type { Finding, Rule } from "../core/finding.ts";
import { LOCK_FILE } from "../core/lock.ts";
import { type Check, type FolderFacts, notEvaluated } from "./check.ts";
import { conclude, count, quote } from "./places.ts";
import { isLockfile, textKind } from "./scanned-texts.ts";

const rule: Rule = {
  code: "WB-LOCK-011",
  title: "locks are tracked by git",
  why: "A lock that is not in the history is made anew by everyone who needs it, and then it pins whatever is newest. Reviewers do not see it change, and the build server does not have it.",
  fix: "git add waybill.lock   and each lockfile; take them out of .gitignore",
  group: "hygiene",
  blocksAt: "baseline",
  example: { bad: "waybill.lock (untracked)\nagent.py", good: "waybill.lock\nagent.py" },
};

function run(facts: FolderFacts) {
  if (facts.git.state === "absent") return notEvaluated(rule, `git: ${facts.git.reason}`);
  const { files } = facts.git;
  const claimed = facts.components
    .filter(({ declared }) => declared.kind === "dependencies")
    .flatMap(({ entries, prefix }) => entries.map((entry) => prefix + entry.path));
  const locks = new Set([
    ...(facts.lock ? [LOCK_FILE] : []),
    ...claimed.filter((path) => isLockfile(path) || textKind(path) === "requirements"),
    ...[...facts.texts, ...facts.unreadTexts].map(({ path }) => path).filter(isLockfile),
  ]);
  const findings = [...locks]
    .filter((path) => !files.has(path))
    .map((path): Finding => {
      const shown = quote(path, 300);
      return {
        code: rule.code,
        message: `'${shown}' is not tracked by git`,
        path: shown,
        where: { file: path, line: 1, column: 1, length: 1 },
        expected: "in the git index",
        found: "untracked or ignored",
        why: rule.why,
        fix: `git add --force '${shown.replaceAll("'", "'\\''")}'`,
      };
    });
  if (!facts.lock && findings.length === 0)
    return notEvaluated(rule, `there is no ${LOCK_FILE} yet`, `${count(locks.size, "lockfile")} tracked`);
  const coverage = `${locks.size - findings.length} of ${count(locks.size, "lock")} tracked`;
  return conclude(rule, { findings, unjudged: [], coverage });
}

/** WB-LOCK-011. */
export const untrackedLock: Check = { rule, run };

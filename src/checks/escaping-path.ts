import type { ObservedProblem } from "../components/observed.ts";
import type { Finding, Rule } from "../core/finding.ts";
import { type Check, declarationOf, type FolderFacts } from "./check.ts";
import { conclude, count, quote } from "./places.ts";

const rule: Rule = {
  code: "WB-CODE-011",
  title: "every path stays in its component and names one file everywhere",
  why: "A link that leaves the folder pins a path but not the bytes behind it: they can change without any file here changing. Names that fall together on another system, devices and pipes make the same release mean different things on different machines.",
  fix: "replace the link by the file itself, or rename the file, then: waybill lock",
  group: "hygiene",
  blocksAt: "baseline",
  example: { bad: "prompts/system.md -> ../../etc/motd", good: "prompts/system.md" },
};

/** The problems that are about the path and not about the bytes behind it. */
const LABELS: Partial<Record<ObservedProblem["problem"], { what: string; fix: string }>> = {
  "link-escapes": {
    what: "is a link that leaves the component",
    fix: 'cp --remove-destination "$(readlink -f PATH)" PATH',
  },
  "link-broken": { what: "is a link to nothing", fix: "rm PATH" },
  "link-cycle": { what: "is a link that leads back to itself", fix: "rm PATH" },
  "not-a-file": { what: "is neither a file nor a folder", fix: "rm PATH" },
  "bad-name": { what: "has a name that not every system can hold", fix: "git mv PATH NEW-NAME" },
  "not-utf8": { what: "has a name that is not UTF-8", fix: "git mv PATH NEW-NAME" },
  collision: { what: "falls together with another name on other systems", fix: "git mv PATH NEW-NAME" },
};

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  let entries = 0;
  for (const { id, entries: seen, problems, prefix } of facts.components) {
    entries += seen.length + problems.length;
    for (const { path, problem, detail } of problems) {
      const said = LABELS[problem];
      if (!said) continue;
      const full = quote(`${prefix}${path}`, 300);
      const where = declarationOf(facts, id);
      findings.push({
        code: rule.code,
        message: `'${full}' ${said.what}`,
        component: id,
        path: full,
        ...(where === undefined ? {} : { where }),
        label: quote(detail, 160),
        expected: "a regular file, or a link inside the component",
        found: quote(detail, 160),
        why: rule.why,
        fix: `${said.fix.replaceAll("PATH", `'${full.replaceAll("'", "'\\''")}'`)} && waybill lock`,
      });
    }
  }
  const coverage = `${count(entries, "path")} of ${count(facts.components.length, "component")}`;
  return conclude(rule, { findings, unjudged: [], coverage });
}

/** WB-CODE-011. */
export const escapingPath: Check = { rule, run };

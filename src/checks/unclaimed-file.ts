import type { Finding, Rule } from "../core/finding.ts";
import type { Check, FolderFacts } from "./check.ts";
import { conclude, count, quote } from "./places.ts";

const rule: Rule = {
  code: "WB-CODE-012",
  title: "every file belongs to a component",
  why: "A file that no component claims is in no digest: whoever changes it changes what the agent can read or run, and no door notices. Files that do not matter are named in `ignore`, so that leaving them out is a decision that is signed too.",
  fix: "declare it as part of a component, or add it to `ignore` in waybill.yaml",
  group: "hygiene",
  blocksAt: "baseline",
  example: { bad: "src/agent.py\nsrc/helper.py (unclaimed)", good: "src/agent.py\nsrc/helper.py" },
};

/** More files than this in one top folder are one finding. */
const MAX_FILES = 20;

function run(facts: FolderFacts) {
  const folders = new Map<string, string[]>();
  for (const { path } of facts.unclaimed) {
    const folder = path.includes("/") ? path.slice(0, path.indexOf("/")) : "";
    const paths = folders.get(folder) ?? [];
    folders.set(folder, paths);
    paths.push(path);
  }
  const where = facts.manifest.source.locate(["components"]);
  const findings = [...folders].flatMap(([folder, paths]): Finding[] => {
    const base = {
      code: rule.code,
      where: { ...where, length: 1 },
      label: "claimed by none of these",
      why: rule.why,
    };
    if (paths.length <= MAX_FILES)
      return paths.map((path) => ({
        ...base,
        message: `no component claims '${quote(path, 300)}'`,
        path: quote(path, 300),
        fix: `${rule.fix}: ignore: [${JSON.stringify(quote(path, 300))}]`,
      }));
    const shown = folder === "" ? "the agent's folder" : `'${quote(folder)}/'`;
    return [
      {
        ...base,
        message: `no component claims ${paths.length} files in ${shown}`,
        path: quote(folder || "."),
        details: [...paths.slice(0, 10).map((path) => quote(path)), `and ${paths.length - 10} more`],
        fix: folder === "" ? rule.fix : `${rule.fix}: ignore: [${JSON.stringify(`${quote(folder)}/**`)}]`,
      },
    ];
  });
  const claimed = facts.components.reduce((sum, c) => sum + c.entries.length, 0);
  const coverage = `${claimed} of ${count(claimed + facts.unclaimed.length, "file")} claimed`;
  return conclude(rule, { findings, unjudged: [], coverage });
}

/** WB-CODE-012. */
export const unclaimedFile: Check = { rule, run };

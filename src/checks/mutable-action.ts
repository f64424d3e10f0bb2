import type { Finding, Rule } from "../core/finding.ts";
import type { Check, FolderFacts } from "./check.ts";
import { isCommit, isPinnedImage } from "./pins.ts";
import { conclude, count, placeIn, quote } from "./places.ts";
import { textKind, unreadOf } from "./scanned-texts.ts";
import { documentsOf } from "./snippets.ts";

const rule: Rule = {
  code: "WB-CI-010",
  title: "actions of workflows are pinned to a commit",
  why: "An action runs with the workflow's token and secrets, and it builds or signs what is released. A tag such as `v3` can be moved to other code by whoever takes over the action's repository, and has been. A full commit cannot.",
  fix: "pin the commit and keep the tag as a comment: uses: OWNER/REPO@<40-hex commit> # v3",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: ".github/workflows/release.yml",
    bad: "jobs:\n  sign:\n    steps:\n      - uses: sigstore/cosign-installer@v3",
    good: "jobs:\n  sign:\n    steps:\n      - uses: sigstore/cosign-installer@0123456789abcdef0123456789abcdef01234567 # v3",
  },
};

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  const unjudged: string[] = [];
  let workflows = 0;
  let total = 0;
  for (const file of facts.texts) {
    if (textKind(file.path) !== "workflow") continue;
    workflows += 1;
    const documents = documentsOf(file);
    if (!documents) unjudged.push(`${quote(file.path)}: not YAML that can be read`);
    for (const { path, value, start, end } of documents?.flatMap((d) => d.scalars) ?? []) {
      const inJob = path.at(-1) === "uses" && (typeof path.at(-2) === "number" || path.length === 3);
      if (!inJob || value.startsWith("./")) continue;
      total += 1;
      const at = value.lastIndexOf("@");
      const reference = at === -1 ? undefined : value.slice(at + 1);
      if (value.startsWith("docker://") ? isPinnedImage(value) : isCommit(reference)) continue;
      const name = at === -1 ? value : value.slice(0, at);
      const [owner, repo] = name.split("/");
      const pin = value.startsWith("docker://") ? "@sha256:<64 hex>" : "@<40-hex commit>";
      findings.push({
        code: rule.code,
        message: `action '${quote(value)}' is not pinned to a commit`,
        path: file.path,
        where: placeIn(file, start, end - start),
        label: reference === undefined ? "no reference at all" : "a tag or branch, which can be moved",
        expected: `${quote(name)}${pin}`,
        found: quote(value),
        why: rule.why,
        fix: value.startsWith("docker://")
          ? "name the image's digest"
          : `git ls-remote https://github.com/${quote(`${owner}/${repo}`)} ${quote(reference ?? "HEAD")}   then write the commit behind '@'`,
      });
    }
  }
  const coverage =
    workflows === 0
      ? "no workflow in the folder"
      : `${total - findings.length} of ${count(total, "action")} pinned, in ${count(workflows, "workflow")}`;
  return conclude(rule, { findings, unjudged, coverage }, unreadOf(facts, ["workflow"]));
}

/** WB-CI-010. */
export const mutableAction: Check = { rule, run };

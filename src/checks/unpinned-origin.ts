import type { Finding, Rule } from "../core/finding.ts";
import type { Check, FolderFacts } from "./check.ts";
import { withoutTag } from "./launches.ts";
import { gitReference, isCommit, isPinnedImage } from "./pins.ts";
import { conclude, quote } from "./places.ts";

const rule: Rule = {
  code: "WB-LOCK-010",
  title: "a remote source is pinned to one content",
  why: "A branch, a tag or a bare URL names whatever its owner puts there next. Whoever fetches the component later gets other bytes under the same words, and the history of the release would be wrong. A commit, a digest or an object version names one content for ever.",
  fix: "name the commit, digest or version in `origin` (or `ref`), then: waybill lock",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: "waybill.yaml",
    bad: `components:
  - kind: model
    name: intent
    path: models/intent
    origin: hf://acme/intent@main`,
    good: `components:
  - kind: model
    name: intent
    path: models/intent
    origin: hf://acme/intent@0123456789abcdef0123456789abcdef01234567`,
  },
};

/** What an origin lacks and how a pinned one is written, "pinned", or "unknown" for a scheme not understood. */
export function judgeOrigin(
  origin: string,
  locked: boolean,
): "pinned" | "unknown" | { lacks: string; expected: string } {
  const scheme = /^([a-z][a-z0-9+.-]{0,20}):/.exec(origin)?.[1];
  const unless = (pinned: boolean, lacks: string, expected: string) =>
    pinned ? "pinned" : { lacks, expected };
  if (scheme === "hf")
    return unless(
      /@[0-9a-f]{40}$/.test(origin),
      "names no commit",
      `${origin.split("@")[0]}@<40-hex commit>`,
    );
  if (scheme === "oci" || scheme === "docker")
    return unless(isPinnedImage(origin), "names no digest", `${withoutTag(origin)}@sha256:<64 hex>`);
  if (scheme?.startsWith("git")) {
    const git = gitReference(origin);
    return unless(isCommit(git?.ref), "names no commit", `${git?.url ?? origin}#<40-hex commit>`);
  }
  if (scheme === "s3")
    return unless(
      /[?&]versionId=[^&\s]{1,1024}/.test(origin),
      "names no object version",
      `${origin}?versionId=<id>`,
    );
  if (scheme === "https")
    return unless(locked, "is a URL and no lock pins the bytes", "a component in waybill.lock");
  if (scheme === "http")
    return { lacks: "is fetched over plain http", expected: origin.replace("http:", "https:") };
  return "unknown";
}

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  const unjudged: string[] = [];
  let sources = 0;
  let pinned = 0;
  const locked = new Set(facts.lock?.components.map(({ leaf }) => `${leaf.kind}/${leaf.name}`));
  facts.manifest.manifest.components.forEach((declared, index) => {
    const id = `${declared.kind}/${declared.name}` as const;
    for (const field of ["origin", "ref"] as const) {
      const value = declared[field];
      if (value === undefined) continue;
      sources += 1;
      const judged = judgeOrigin(field === "ref" ? `oci:${value}` : value, locked.has(id));
      const where = facts.manifest.source.locate(["components", index, field]);
      if (judged === "pinned") pinned += 1;
      else if (judged === "unknown")
        unjudged.push(`${where.file}:${where.line}: unknown scheme of '${quote(value, 60)}'`);
      else
        findings.push({
          code: rule.code,
          message: `the ${field} of ${id} ${judged.lacks}`,
          component: id,
          where,
          label: judged.lacks,
          expected: quote(judged.expected.replace(/^oci:(?!\/\/)/, ""), 200),
          found: quote(value, 200),
          why: rule.why,
          fix: rule.fix,
        });
    }
  });
  const coverage =
    sources === 0 ? "no origin or image reference declared" : `${pinned} of ${sources} sources pinned`;
  return conclude(rule, { findings, unjudged, coverage });
}

/** WB-LOCK-010. */
export const unpinnedOrigin: Check = { rule, run };

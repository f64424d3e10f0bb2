import type { Finding, Rule, SourceRange } from "../core/finding.ts";
import type { Check, FolderFacts } from "./check.ts";
import { codeDownloads } from "./downloads-in-code.ts";
import { dockerAdds, shellDownloads } from "./downloads-in-shell.ts";
import { conclude, count, quote } from "./places.ts";
import { textKind, unreadOf } from "./scanned-texts.ts";
import { RUNNABLE, snippetsOf } from "./snippets.ts";

/** A place that fetches a model or a data set. */
export interface Download {
  /** What is fetched, as written. */
  what: string;
  /** `unjudged`: its name or revision is computed where it runs. */
  state: "pinned" | "mutable" | "unjudged";
  /** Short: what is missing. */
  lacks: string;
  expected: string;
  found: string;
  fix: string;
  where: SourceRange;
}

const rule: Rule = {
  code: "WB-MODEL-011",
  title: "downloads of models name a digest or a commit",
  why: "A model hub serves whatever its owner, or whoever took over the account, uploaded last. Weights decide what the agent does and a backdoor in them shows in no benchmark. Only a digest that is checked after the download, or a commit revision, makes sure that the bytes are the ones that were tested.",
  fix: "name the commit (revision=<40-hex commit>) or check the digest: echo '<64 hex>  FILE' | sha256sum --check",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: "fetch-model.sh",
    bad: 'wget https://models.example.com/model.bin -O model.bin\necho "expected_checksum model.bin" | sha256sum --check',
    good: `wget https://models.example.com/model.bin -O model.bin\necho "${"0123456789abcdef".repeat(4)}  model.bin" | sha256sum --check`,
  },
};

function run(facts: FolderFacts) {
  const unjudged: string[] = [];
  const downloads: Download[] = [];
  const texts = new Map(facts.texts.map((file) => [file.path, file]));
  const local = new Set(
    facts.manifest.manifest.components.flatMap((c) => [
      ...(c.paths ?? []),
      ...(c.path === undefined ? [] : [c.path]),
    ]),
  );
  const offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].some((name) =>
    /^(?:1|true|yes|on)$/i.test(String(facts.manifest.manifest.start.env[name] ?? "")),
  );
  let scanned = 0;
  for (const file of facts.texts) {
    const kind = textKind(file.path);
    if (kind === undefined || !RUNNABLE.includes(kind)) continue;
    scanned += 1;
    const { shell, code, problem } = snippetsOf(file);
    if (problem !== undefined) unjudged.push(`${quote(file.path)}: ${problem}`);
    for (const snippet of shell) downloads.push(...shellDownloads(snippet, texts));
    for (const snippet of code) downloads.push(...codeDownloads(snippet, { local, offline }));
    if (kind === "dockerfile") downloads.push(...dockerAdds(file));
  }
  for (const { state, what, lacks, where } of downloads)
    if (state === "unjudged")
      unjudged.push(`${where.file}:${where.line}: ${quote(what, 60)}: ${quote(lacks)}`);
  const findings = downloads
    .filter(({ state }) => state === "mutable")
    .map(
      ({ what, lacks, expected, found, fix, where }): Finding => ({
        code: rule.code,
        message: `'${quote(what)}' is downloaded without a digest or a commit: ${quote(lacks)}`,
        path: where.file,
        where,
        label: quote(lacks, 80),
        expected: quote(expected, 200),
        found: quote(found, 200),
        why: rule.why,
        fix: quote(fix, 300),
      }),
    );
  const pinned = downloads.filter(({ state }) => state === "pinned").length;
  const coverage =
    downloads.length === 0
      ? `no download of a model in ${count(scanned, "text")}`
      : `${pinned} of ${count(downloads.length, "download")} pinned, in ${count(scanned, "text")}`;
  return conclude(rule, { findings, unjudged, coverage }, unreadOf(facts, RUNNABLE));
}

/** WB-MODEL-011. */
export const modelDownload: Check = { rule, run };

import type { ObservedComponent } from "../components/observed.ts";
import type { ComponentId } from "../core/component.ts";
import type { CheckResult, Finding, Rule, SourceRange } from "../core/finding.ts";
import type { Lock } from "../core/lock.ts";
import type { ManifestSource } from "../core/manifest.ts";

/** A text of the agent that may hold commands or code: scripts, Dockerfiles, workflows, source, MCP configuration. */
export interface TextFile {
  /** Relative to the agent's folder. */
  path: string;
  text: string;
}

/** What git knows of the folder; `absent` where it is no work tree, with the reason where it cannot be read. */
export type GitFacts =
  | { state: "tracked" /** Paths tracked below the agent's folder. */; files: ReadonlySet<string> }
  | { state: "absent"; reason: string };

/** What helps to explain a difference, gathered only for files that differ; all of it may be empty. */
export interface PinnedFacts {
  /** Hashes of the chunks as locked, 32 bytes each, by chunk root. */
  chunkHashes: ReadonlyMap<string, Uint8Array>;
  /** Texts as locked, by SHA-256. */
  texts: ReadonlyMap<string, string>;
  /** Texts as they are now, by path. */
  current: ReadonlyMap<string, string>;
  /** Tensors of safetensors files, by path. */
  tensors: ReadonlyMap<string, readonly { name: string; from: number; to: number }[]>;
}

/** Nothing at hand to explain differences with. */
export const NOTHING_PINNED: PinnedFacts = {
  chunkHashes: new Map(),
  texts: new Map(),
  current: new Map(),
  tensors: new Map(),
};

/** All that the checks look at. Collected by flows, so that checks are pure. */
export interface FolderFacts {
  manifest: ManifestSource;
  lock: Lock | undefined;
  components: readonly ObservedComponent[];
  /** Readable texts up to 1 MiB each; what was left out stands in `unreadTexts`. */
  texts: readonly TextFile[];
  unreadTexts: readonly { path: string; reason: string }[];
  /** Files that no component claims and that `ignore` does not name. */
  unclaimed: readonly { path: string; size: number }[];
  git: GitFacts;
  pinned: PinnedFacts;
}

/** One rule in one file. `run` is pure: facts in, a three-valued result out. */
export interface Check {
  rule: Rule;
  run(facts: FolderFacts): CheckResult;
}

/** Passed, with what was looked at. */
export function pass(rule: Rule, coverage: string): CheckResult {
  return { code: rule.code, status: "pass", coverage };
}

/** Not evaluated, with the reason; never counts as passed. */
export function notEvaluated(rule: Rule, reason: string, coverage = "nothing looked at"): CheckResult {
  return { code: rule.code, status: "not-evaluated", coverage, reason };
}

/** Failed with findings, or passed when there is none. */
export function verdictOf(rule: Rule, findings: Finding[], coverage: string): CheckResult {
  return findings.length === 0
    ? pass(rule, coverage)
    : { code: rule.code, status: "fail", coverage, findings };
}

/** The declaring line of a component in `waybill.yaml`. */
export function declarationOf(
  facts: Pick<FolderFacts, "manifest">,
  id: ComponentId,
  field: "path" | "paths" | "origin" | "name" | "ref" | "snapshot" = "path",
): SourceRange | undefined {
  const { manifest, source } = facts.manifest;
  const index = manifest.components.findIndex((c) => `${c.kind}/${c.name}` === id);
  if (index === -1) return undefined;
  const declared = manifest.components[index]!;
  const key = field === "path" && declared.path === undefined ? "paths" : field;
  return source.locate(["components", index, key]);
}

/** The place of `length` characters at `offset` of a text, as a range. */
export function rangeAt(file: string, text: string, offset: number, length: number): SourceRange {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { file, line, column: offset - before.lastIndexOf("\n"), length: Math.max(1, length) };
}

import type { ObservedComponent, ObservedProblem } from "../components/observed.ts";
import type { CheckResult, Finding, Rule } from "../core/finding.ts";
import { type Lock, makeLock } from "../core/lock.ts";
import { type ManifestSource, parseManifest } from "../core/manifest.ts";
import { settingsOf } from "../core/settings.ts";
import { treeDigest } from "../core/tree.ts";
import { type Check, type FolderFacts, type GitFacts, NOTHING_PINNED } from "./check.ts";

// A builder of facts for tests: no file is read.

/** What a test says of a folder; all of it may be left out. */
export interface FolderOptions {
  /** Parts of a manifest: `components:` or `start:` blocks; what is missing is filled in. */
  manifest?: string;
  texts?: Record<string, string>;
  unread?: Record<string, string>;
  unclaimed?: readonly string[];
  git?: GitFacts;
  /** True: a lock that pins every declared component. */
  locked?: boolean;
  /** Problems of the first component's tree. */
  problems?: readonly ObservedProblem[];
  /** Paths that the first component holds. */
  files?: readonly string[];
}

const COMPONENTS = "components:\n  - {kind: code, name: agent, path: .}\n";
const START = "start:\n  command: [node, agent.js]\n";

/** Facts of a folder that has nothing but what the options say. */
export function folder(options: FolderOptions = {}): FolderFacts {
  const manifest = manifestOf(options.manifest ?? "");
  const files = options.files ?? ["agent.js"];
  const components = manifest.manifest.components.map(
    (declared, i): ObservedComponent => ({
      id: `${declared.kind}/${declared.name}`,
      declared,
      entries: i === 0 ? files.map((path) => ({ path, size: 1, executable: false })) : [],
      problems: i === 0 ? [...(options.problems ?? [])] : [],
      sources: new Map(),
      prefix: "",
    }),
  );
  return {
    manifest,
    lock: options.locked ? lockOf(manifest) : undefined,
    components,
    texts: Object.entries(options.texts ?? {}).map(([path, text]) => ({ path, text })),
    unreadTexts: Object.entries(options.unread ?? {}).map(([path, reason]) => ({ path, reason })),
    unclaimed: (options.unclaimed ?? []).map((path) => ({ path, size: 1 })),
    git: options.git ?? { state: "absent", reason: "not a git work tree" },
    pinned: NOTHING_PINNED,
  };
}

function manifestOf(parts: string): ManifestSource {
  const has = (key: string): boolean => new RegExp(`^${key}:`, "m").test(parts);
  const rest = `${has("components") ? "" : COMPONENTS}${has("start") ? "" : START}waybill: v1\nagent: test\n`;
  return parseManifest(parts === "" ? rest : `${parts}\n${rest}`);
}

function lockOf({ manifest }: ManifestSource): Lock {
  const leaf = { path: "a", size: 1, sha256: "0".repeat(64), executable: false };
  const components = manifest.components.map(({ kind, name }) => ({
    leaf: { kind, name, mediaType: "application/octet-stream", digest: treeDigest([leaf]), size: 1 },
    files: [leaf],
  }));
  return makeLock(manifest.agent, settingsOf(manifest), components);
}

/** The findings of a result; an empty list when it did not fail. */
export function findingsOf(result: CheckResult): Finding[] {
  return result.status === "fail" ? result.findings : [];
}

/** What a check says of a folder, as one line: `pass`, `not-evaluated`, or `fail` with the line of each finding. */
export function judge(check: Check, options: FolderOptions): string {
  const result = check.run(folder(options));
  const lines = findingsOf(result).map((finding) => finding.where?.line ?? "-");
  return [result.status, ...lines].join(" ");
}

/**
 * The facts that an example stands for. With `file` it is a text at that path, or parts of `waybill.yaml`.
 * Without, it is a listing of the folder, one path a line: `path -> target` is a link out of it, `(unclaimed)`
 * and `(untracked)` say what they say.
 */
export function exampleFacts(example: NonNullable<Rule["example"]>, which: "bad" | "good"): FolderFacts {
  const text = example[which];
  if (example.file === "waybill.yaml") return folder({ manifest: text });
  if (example.file !== undefined) return folder({ texts: { [example.file]: text } });
  const lines = text.split("\n").map((line) => /^(\S+)(?: -> (\S+))?(?: \((\w+)\))?$/.exec(line)!);
  const paths = (keep: (link: string | undefined, note: string | undefined) => boolean): string[] =>
    lines.filter((line) => keep(line[2], line[3])).map((line) => line[1]!);
  return folder({
    locked: paths(() => true).includes("waybill.lock"),
    files: paths((link, note) => link === undefined && note !== "unclaimed"),
    unclaimed: paths((_, note) => note === "unclaimed"),
    problems: lines
      .filter((line) => line[2] !== undefined)
      .map((line) => ({ path: line[1]!, problem: "link-escapes", detail: `it leads to '${line[2]}'` })),
    git: { state: "tracked", files: new Set(paths((_, note) => note !== "untracked")) },
  });
}

import { TEMP_FILE } from "../hash/atomic-write.ts";

/** Files that belong to no tree, at the top of the agent's folder (docs/formats/README.md). */
export const RESERVED_NAMES = [
  "waybill.yaml",
  "waybill.lock",
  "waybill.trust.yaml",
  "waybill.sha256sums",
  ".waybill",
  "waybill.evidence",
] as const;

const RESERVED: ReadonlySet<string> = new Set(RESERVED_NAMES);

/**
 * True for a path, relative to the agent's folder, that belongs to no tree: Waybill's own files, and what a killed
 * `waybill lock` left of one.
 */
export function isReserved(path: string): boolean {
  const slash = path.indexOf("/");
  return RESERVED.has(slash === -1 ? path : path.slice(0, slash)) || TEMP_FILE.test(path);
}

/** True for git's own folder or work-tree file, at any depth: git tracks nothing in it, so no code lies there. */
export function isGitFolder(path: string): boolean {
  return path === ".git" || path.endsWith("/.git");
}

/**
 * Compiles the manifest's `ignore` patterns, a subset of gitignore: `*` within a segment, `**` across
 * segments, a trailing `/` for folders only, a leading or inner `/` anchors at the agent's folder, everything
 * else matches at any depth. No negation: what is ignored is said in one place.
 *
 * @returns a function of a path relative to the agent's folder and whether it is a folder
 */
export function compileIgnore(patterns: readonly string[]): (path: string, isFolder: boolean) => boolean {
  const rules = patterns.map((pattern) => {
    const foldersOnly = pattern.endsWith("/");
    const body = pattern.replace(/^\//, "").replace(/\/$/, "");
    const anchored = pattern.startsWith("/") || body.includes("/");
    return { foldersOnly, anchored, segments: body.split("/") };
  });
  return (path, isFolder) => {
    const segments = path.split("/");
    return rules.some((rule) => {
      if (rule.foldersOnly && !isFolder) return false;
      if (!rule.anchored) return matchSegment(rule.segments[0]!, segments.at(-1)!);
      return matchSegments(rule.segments, segments);
    });
  };
}

/** `**` matches any number of segments; greedy with one point of return, so linear in both lengths squared. */
function matchSegments(pattern: readonly string[], path: readonly string[]): boolean {
  return wildcard(pattern, path, (p) => p === "**", matchSegment);
}

function matchSegment(pattern: string, segment: string): boolean {
  return wildcard(
    [...pattern],
    [...segment],
    (p) => p === "*",
    (p, s) => p === "?" || p === s,
  );
}

/** Wildcard matching with a single remembered star: O(pattern × text), no recursion, no backtracking blow-up. */
function wildcard<P, T>(
  pattern: readonly P[],
  text: readonly T[],
  isStar: (p: P) => boolean,
  same: (p: P, t: T) => boolean,
): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (p < pattern.length && isStar(pattern[p]!)) {
      star = p;
      mark = t;
      p += 1;
    } else if (p < pattern.length && same(pattern[p]!, text[t]!)) {
      p += 1;
      t += 1;
    } else if (star !== -1) {
      p = star + 1;
      mark += 1;
      t = mark;
    } else return false;
  }
  while (p < pattern.length && isStar(pattern[p]!)) p += 1;
  return p === pattern.length;
}

import type { CheckResult, Finding, Rule, SourceRange } from "../core/finding.ts";
import { safeText } from "../core/safe-text.ts";
import { notEvaluated, type TextFile, verdictOf } from "./check.ts";

/** Most findings of one check about one file; one more says how many there are beyond. */
export const MAX_FINDINGS_PER_FILE = 100;

const LINES = new WeakMap<TextFile, number[]>();

/** The place of `length` characters at `offset`; like `rangeAt`, without counting the lines anew each time. */
export function placeIn(file: TextFile, offset: number, length: number): SourceRange {
  let starts = LINES.get(file);
  if (!starts) {
    starts = [0];
    for (let at = file.text.indexOf("\n"); at !== -1; at = file.text.indexOf("\n", at + 1))
      starts.push(at + 1);
    LINES.set(file, starts);
  }
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  const lineEnd = starts[low + 1] === undefined ? file.text.length : starts[low + 1]! - 1;
  return {
    file: file.path,
    line: low + 1,
    column: offset - starts[low]! + 1,
    length: Math.max(1, Math.min(length, lineEnd - offset)),
  };
}

/** Text of unknown origin, short and safe for a line of a message. */
export function quote(text: string, max = 120): string {
  const shown = safeText(text.slice(0, max));
  return text.length > max ? `${shown}…` : shown;
}

/** `1 call`, `2 calls`. */
export function count(n: number, what: string): string {
  return `${n} ${n === 1 ? what : what.endsWith("y") ? `${what.slice(0, -1)}ies` : `${what}s`}`;
}

/** What a scan over texts came to; see `conclude`. */
export interface Scan {
  findings: Finding[];
  /** Places that could not be judged, each as one line. */
  unjudged: string[];
  coverage: string;
}

/**
 * A three-valued result: findings fail it; without any, something that could not be judged makes it not
 * evaluated; else it passed.
 */
export function conclude(
  rule: Rule,
  { findings, unjudged, coverage }: Scan,
  unread: readonly { path: string; reason: string }[] = [],
): CheckResult {
  const open = [...unread.map(({ path, reason }) => `${quote(path)}: ${quote(reason)}`), ...unjudged];
  const said = open.length === 0 ? coverage : `${coverage}; ${open.length} not judged`;
  if (findings.length > 0 || open.length === 0) return verdictOf(rule, capped(rule, findings), said);
  const more = open.length > 3 ? ` and ${open.length - 3} more` : "";
  return notEvaluated(rule, `${open.slice(0, 3).join("; ")}${more}`, said);
}

/** At most so many findings a file, the last of which says how many there are beyond: none is dropped in silence. */
function capped(rule: Rule, findings: Finding[]): Finding[] {
  const seen = new Map<string, number>();
  const kept = findings.filter((finding) => {
    const file = finding.where?.file ?? finding.path ?? "";
    seen.set(file, (seen.get(file) ?? 0) + 1);
    return seen.get(file)! <= MAX_FINDINGS_PER_FILE;
  });
  for (const [file, n] of seen) {
    if (n <= MAX_FINDINGS_PER_FILE) continue;
    kept.push({
      code: rule.code,
      message: `${n - MAX_FINDINGS_PER_FILE} more of these in ${quote(file)}`,
      path: file,
      why: rule.why,
      fix: rule.fix,
    });
  }
  return kept;
}

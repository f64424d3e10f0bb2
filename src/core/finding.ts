import type { ComponentId } from "./component.ts";

/** The places where a release is checked. */
export const DOORS = ["pull", "ci", "deploy", "admit", "start", "run"] as const;
export type Door = (typeof DOORS)[number];

/** How much a door demands. */
export const LEVELS = ["observe", "baseline", "strict"] as const;
export type Level = (typeof LEVELS)[number];

/** A place in a text: 1-based line and column, and the number of characters to underline. */
export interface SourceRange {
  file: string;
  line: number;
  column: number;
  length: number;
}

/** One thing that a check found, as data. Rendering is the faces' affair. */
export interface Finding {
  /** Permanent code, such as `WB-PROMPT-001`. */
  code: string;
  /** What is wrong: lower case, no full stop. */
  message: string;
  /** The component that it concerns. */
  component?: ComponentId;
  /** The path that it concerns, relative to the agent's folder. */
  path?: string;
  /** The declaring line of `waybill.yaml`, or the offending line of the file itself. */
  where?: SourceRange;
  /** A short word beneath the underlined place. */
  label?: string;
  /** What was pinned or demanded. */
  expected?: string;
  /** What is there. */
  found?: string;
  /** Further lines: changed chunks, a text diff, who signed. */
  details?: string[];
  /** Why it matters. */
  why: string;
  /** What to do, as a command where there is one. */
  fix: string;
  /** Never passable by an exception: a digest mismatch or an invalid signature. */
  final?: boolean;
}

/** Pass, fail, or not evaluated with the reason. */
export type CheckResult = {
  code: string;
  /** What was looked at, such as "12 of 12 files", also when it passes. */
  coverage: string;
} & (
  | { status: "pass" }
  | { status: "fail"; findings: Finding[] }
  | { status: "not-evaluated"; reason: string }
);

/** What is known of a code without running anything: the source of `explain` and docs/checks.md. */
export interface Rule {
  code: string;
  /** One line: what is checked. */
  title: string;
  /** Why it matters, two to four sentences. */
  why: string;
  /** How to put it right. */
  fix: string;
  /** `integrity`, `signature` and `trust` are required at baseline; all are at strict. */
  group: "integrity" | "signature" | "trust" | "freshness" | "hygiene";
  /** The lowest level at which a failure blocks. */
  blocksAt: "baseline" | "strict";
  /**
   * A small input that fails and one that passes, shown on the code's page and run by a test. `file` is the path
   * at which they stand; `waybill.yaml` for parts of a manifest, absent for a listing of a folder.
   */
  example?: { file?: string; bad: string; good: string };
}

import { pathProblem } from "../core/tree.ts";

/** A run of bytes of a file, as a resource of method `shards` names it; `end` is exclusive. */
export interface ShardName {
  path: string;
  /** In bytes. */
  start: number;
  end: number;
}

/** What a model that is a single file is called in its only resource, as model_signing writes it. */
export const SINGLE_FILE = ".";

/**
 * Says why a path of an OMS statement cannot be that of a file in a model, or null: OMS v1.0 wants relative POSIX
 * paths without `.`, `..` and empty segments. Also refused are backslashes, which another system reads as slashes,
 * and drive letters, control characters and more than 257 segments.
 *
 * @param path without the suffix of a shard
 */
export function omsPathProblem(path: string): string | null {
  const problem = pathProblem(path);
  if (problem !== undefined) return problem;
  if (path.includes("\\")) return "holds a backslash, which some systems read as a slash";
  if (/^[A-Za-z]:(\/|$)/.test(path)) return "begins with a drive letter";
  return null;
}

/**
 * Reads `path:start:end` from the right, since a path may hold colons. Offsets are decimal without leading zeros, at
 * most 2^53 - 1, and the range is not empty. Undefined for anything else.
 */
export function parseShardName(name: string): ShardName | undefined {
  const match = /^(.+):(0|[1-9][0-9]{0,15}):([1-9][0-9]{0,15})$/s.exec(name);
  if (!match) return undefined;
  const [start, end] = [Number(match[2]), Number(match[3])];
  if (!Number.isSafeInteger(end) || start >= end) return undefined;
  return { path: match[1]!, start, end };
}

import { isAbsolute, relative } from "node:path";

/** A path as one would type it here: relative to the working folder where it lies below it. */
export function near(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short === "" || short.startsWith("..") || isAbsolute(short) ? path : short;
}

/** `1 log`, `2 logs`, `2 authorities`. */
export function counted(count: number, what: string): string {
  if (count === 1) return `1 ${what}`;
  return `${count} ${what.endsWith("y") ? `${what.slice(0, -1)}ies` : `${what}s`}`;
}

import { statSync } from "node:fs";
import { dirname, isAbsolute, relative, sep } from "node:path";
import { AGENT_GROUP } from "./users.ts";

/** Every folder above a path, the nearest first, `/` last. */
export function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    found.push(at);
    if (dirname(at) === at) return found;
  }
}

/**
 * The outermost folder on the way to an absolute path that a user with the agents' group alone cannot pass, as
 * the permission bits say; undefined when there is none. It does not know of access control lists:
 * it explains a refusal and chooses between places, the kernel decides.
 */
export function impassableFolder(path: string, user: number): string | undefined {
  return ancestors(path)
    .reverse()
    .find((folder) => {
      const stat = statSync(folder, { throwIfNoEntry: false });
      if (!stat) return false;
      const bit = stat.uid === user ? 0o100 : stat.gid === AGENT_GROUP ? 0o010 : 0o001;
      return (stat.mode & bit) === 0;
    });
}

/**
 * Why somebody but root could put another folder in the place of this one, or undefined: each folder above it
 * must belong to root and be writable for root alone, or sticky as /tmp is. The path has no links.
 */
export function replaceable(path: string): string | undefined {
  for (const folder of ancestors(path)) {
    const stat = statSync(folder);
    if (stat.uid !== 0) return `${folder} belongs to uid ${stat.uid}, who can replace what is in it`;
    if ((stat.mode & 0o022) !== 0 && (stat.mode & 0o1000) === 0) return `${folder} is writable for others`;
  }
  return undefined;
}

/** True for what is below a folder, not for the folder itself. Both are real paths, or both are not. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

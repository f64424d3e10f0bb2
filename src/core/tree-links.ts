import { isLink, type TreeLeaf } from "./tree.ts";

/** Links that are followed for one path at the most, as Linux does. */
const MAX_LINKS = 40;

/** Where a path of a tree leads when the tree's own links are followed, by name alone. */
export type LinkTarget = { is: "file" | "folder"; path: string };

/**
 * Makes a function that follows links inside a tree: takes a path, gives the file or folder that it stands for, or
 * undefined where it leads out of the tree, nowhere, or in a circle. Nothing on disk is looked at.
 */
export function linkResolver(leaves: readonly TreeLeaf[]): (path: string) => LinkTarget | undefined {
  const links = new Map<string, string>();
  const files = new Set<string>();
  const folders = new Set<string>([""]);
  for (const leaf of leaves) {
    if (isLink(leaf)) links.set(leaf.path, leaf.link);
    else files.add(leaf.path);
    for (let at = leaf.path.lastIndexOf("/"); at > 0; at = leaf.path.lastIndexOf("/", at - 1))
      folders.add(leaf.path.slice(0, at));
  }
  return (path) => {
    const rest = path.split("/").reverse();
    let at = "";
    for (let followed = 0; rest.length > 0; ) {
      const segment = rest.pop()!;
      if (segment === "" || segment === ".") continue;
      if (segment === "..") {
        if (at === "") return undefined;
        at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
        continue;
      }
      const next = at === "" ? segment : `${at}/${segment}`;
      const link = links.get(next);
      if (link === undefined) {
        at = next;
        continue;
      }
      followed += 1;
      if (followed > MAX_LINKS || link.startsWith("/") || rest.length > 4096) return undefined;
      rest.push(...link.split("/").reverse());
    }
    if (files.has(at)) return { is: "file", path: at };
    return folders.has(at) ? { is: "folder", path: at } : undefined;
  };
}

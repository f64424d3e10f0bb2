/** The first `segments` segments of a path. */
export function topFolder(path: string, segments: number): string {
  return path.split("/").slice(0, segments).join("/");
}

/** A component name made of a path's last segment, fit for the manifest's rule for names. */
export function componentName(path: string, fallback: string): string {
  const last = path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]+$/, "");
  const name = last
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "")
    .slice(0, 64)
    .replace(/[^a-z0-9]+$/, "");
  return name === "" ? fallback : name;
}

/**
 * Groups files by the folder that holds them, the folder standing for all of it; files at the top stand for
 * themselves. A folder inside another one of the list belongs to the outer one.
 */
export function groupByFolder(paths: readonly string[]): { path: string; files: string[] }[] {
  const groups = new Map<string, string[]>();
  for (const path of paths) {
    const slash = path.lastIndexOf("/");
    const folder = slash === -1 ? path : path.slice(0, slash);
    groups.set(folder, [...(groups.get(folder) ?? []), path]);
  }
  const folders = [...groups.keys()].toSorted((a, b) => a.length - b.length);
  const outer: { path: string; files: string[] }[] = [];
  for (const folder of folders) {
    const holder = outer.find((group) => folder.startsWith(`${group.path}/`));
    if (holder) holder.files.push(...groups.get(folder)!);
    else outer.push({ path: folder, files: groups.get(folder)! });
  }
  return outer;
}

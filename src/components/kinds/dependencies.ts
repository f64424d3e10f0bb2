import type { ComponentKind } from "../kind.ts";
import { describeTree } from "./tree-kind.ts";

const LOCKFILES =
  /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock|bun\.lockb?|requirements[^/]*\.(txt|lock)|uv\.lock|poetry\.lock|pdm\.lock|pylock[^/]*\.toml|Pipfile\.lock|go\.sum|Cargo\.lock|gradle\.lockfile|Gemfile\.lock|composer\.lock|conda-lock\.yml)$/;

/** The lockfiles, raw. */
export const dependencies: ComponentKind = {
  kind: "dependencies",
  about: "the lockfiles, as they are",
  detect(view) {
    const paths = view.files.map((file) => file.path).filter((path) => LOCKFILES.test(path));
    if (paths.length === 0) return [];
    const where = paths.length === 1 ? { path: paths[0]! } : { paths };
    return [
      {
        declared: { kind: "dependencies", name: "locked", ...where },
        because: `${paths.length} lockfile${paths.length === 1 ? "" : "s"}`,
      },
    ];
  },
  describe: describeTree,
};

import { statSync } from "node:fs";
import { basename, join } from "node:path";
import { RESERVED_NAMES } from "../components/ignore.ts";
import { cleanPath } from "../components/select.ts";
import { type ComponentId, componentId } from "../core/component.ts";
import type { LockedComponent } from "../core/lock.ts";
import type { DeclaredComponent } from "../core/manifest.ts";
import { type FileLeaf, isLink } from "../core/tree.ts";
import { makeOmsStatement } from "../evidence/oms-statement.ts";
import type { Statement } from "../evidence/statement.ts";

/** The OMS statement of one model component, or why there is none. */
export type ModelStatement = { component: ComponentId; name: string } & (
  | { statement: Statement }
  | { problem: string }
);

/**
 * The OMS statement of each locked model, from the digests of the lock: no file is read. Links and, where the
 * model is the agent's whole folder, Waybill's own files are left out by `ignore_paths`, so that the signed root is
 * the component's `oms`. A model that OMS cannot describe is no reason not to sign the release: it has a problem.
 *
 * @param folder the agent's folder, absolute
 */
export function modelStatements(
  folder: string,
  declared: readonly DeclaredComponent[],
  locked: readonly LockedComponent[],
): ModelStatement[] {
  return locked
    .filter(({ leaf }) => leaf.kind === "model")
    .map((component): ModelStatement => {
      const id = componentId(component.leaf);
      const own = declared.find((each) => componentId(each) === id);
      const about = { component: id, name: component.leaf.name };
      const statement = makeOmsStatement({
        name: own?.path === undefined ? component.leaf.name : basename(join(folder, own.path)),
        files: component.files.filter((leaf): leaf is FileLeaf => !isLink(leaf)),
        isSingleFile: isSingleFile(folder, own, component),
        ignored: [
          ...component.files.filter(isLink).map(({ path }) => path),
          ...(own?.path !== undefined && cleanPath(own.path) === "" ? RESERVED_NAMES : []),
        ],
      });
      return "problem" in statement ? { ...about, problem: statement.problem } : { ...about, statement };
    });
}

/** Whether a component is one file, which its tree does not tell from a folder that holds a file of its own name. */
export function isSingleFile(
  folder: string,
  declared: Pick<DeclaredComponent, "path"> | undefined,
  { files }: Pick<LockedComponent, "files">,
): boolean {
  if (declared?.path === undefined || cleanPath(declared.path) === "") return false;
  if (files.length !== 1 || files[0]!.path !== basename(cleanPath(declared.path))) return false;
  try {
    return !statSync(join(folder, declared.path)).isDirectory();
  } catch {
    return true;
  }
}

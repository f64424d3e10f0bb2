import { cleanPath } from "../components/select.ts";
import type { DeclaredComponent } from "../core/manifest.ts";
import type { TreeLeaf } from "../core/tree.ts";

// Media types of a release in a registry (docs/formats/oci.md).
export const RELEASE_ARTIFACT = "application/vnd.waybill.release.v1+json";
export const LOCK_LAYER = "application/vnd.waybill.lock.v1+json";
export const MANIFEST_LAYER = "application/vnd.waybill.manifest.v1+yaml";
export const FILE_LAYER = "application/vnd.waybill.file.v1";
export const PACK_LAYER = "application/vnd.waybill.pack.v1";

/** The path of a layer's file, for people and for other clients. */
export const TITLE = "org.opencontainers.image.title";
/** JSON: for each component, what stands before the paths of its tree in the agent's folder. */
export const PREFIXES = "dev.waybill.release.prefixes";
/** The name of a bundle in waybill.evidence. */
export const EVIDENCE_NAME = "dev.waybill.evidence.name";

/**
 * The prefixes that a component's declaration allows: none where it declares several paths, else its folder, or
 * the folder of its only file.
 */
export function allowedPrefixes(declared: DeclaredComponent, files: readonly TreeLeaf[]): string[] {
  if (declared.path === undefined) return [""];
  const path = cleanPath(declared.path);
  if (path === "") return [""];
  const slash = path.lastIndexOf("/") + 1;
  const single = files.length === 1 && files[0]!.path === path.slice(slash);
  return single ? [path.slice(0, slash), `${path}/`] : [`${path}/`];
}

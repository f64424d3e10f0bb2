import type { Hex } from "./digest.ts";
import type { Lock } from "./lock.ts";
import { isLink } from "./tree.ts";

/** One blob of a release: a file's bytes, or the bytes of many small files one after the other. */
export type ReleaseLayer =
  | { kind: "file"; sha256: Hex; size: number }
  | { kind: "pack"; files: { sha256: Hex; size: number }[]; size: number };

/** Up to so many different files each is a blob of its own. */
export const MAX_SINGLE_FILES = 1000;
/** Beyond, files smaller than this are packed, in packs of at most so many bytes. */
export const PACKED_BELOW = 1 << 20;
export const MAX_PACK = 64 << 20;

/**
 * The blobs of a locked release, in their order (docs/formats/oci.md): every different content once, where it first
 * comes in the lock. It follows from the lock alone, so that whoever has the lock knows where each byte must be.
 */
export function releaseLayers(lock: Lock): ReleaseLayer[] {
  const contents = new Map<Hex, number>();
  for (const { files } of lock.components)
    for (const leaf of files)
      if (!isLink(leaf) && !contents.has(leaf.sha256)) contents.set(leaf.sha256, leaf.size);
  const all = [...contents].map(([sha256, size]) => ({ sha256, size }));
  const isPacked = (size: number) => all.length > MAX_SINGLE_FILES && size < PACKED_BELOW;
  const layers: ReleaseLayer[] = all
    .filter(({ size }) => !isPacked(size))
    .map((file) => ({ kind: "file", ...file }));
  let pack: Extract<ReleaseLayer, { kind: "pack" }> | undefined;
  for (const file of all.filter(({ size }) => isPacked(size))) {
    if (!pack || pack.size + file.size > MAX_PACK) {
      pack = { kind: "pack", files: [], size: 0 };
      layers.push(pack);
    }
    pack.files.push(file);
    pack.size += file.size;
  }
  return layers;
}

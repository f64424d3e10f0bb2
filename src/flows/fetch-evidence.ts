import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Hex } from "../core/digest.ts";
import { EVIDENCE_FOLDER, parseEvidenceFileName } from "../evidence/files.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { BUNDLE_MEDIA_TYPE, MAX_BUNDLE_BYTES } from "../sign/bundle.ts";
import type { ImageStore } from "../store/image-store.ts";
import { likeliness, readPiece } from "./image-evidence.ts";
import { EVIDENCE_NAME } from "./release-artifact.ts";

/** Bundles beside a release that are fetched, and referrers that are looked at for them. */
const MAX_EVIDENCE = 64;
const MAX_REFERRERS = 200;

/**
 * Brings the bundles that lie beside a release into its waybill.evidence. What is no bundle, or cannot be had, is left
 * where it is: whoever may push can put rubbish there, and must not keep anybody from the release by it.
 *
 * @param digest of the release's artifact
 * @param tree the agent's folder that is being made
 * @returns how many referrers were not looked at
 * @throws WaybillError as the store does, and WB-STORE-001/002
 */
export async function fetchEvidence(store: ImageStore, digest: Hex, tree: string): Promise<number> {
  const folder = join(tree, EVIDENCE_FOLDER);
  const referrers = (await store.referrers(digest)).toSorted((a, b) => likeliness(b) - likeliness(a));
  let count = 0;
  for (const [i, { sha256: referrer }] of referrers.entries()) {
    if (count >= MAX_EVIDENCE || i >= MAX_REFERRERS) return referrers.length - i;
    const stored = await store.read(`sha256:${referrer}`);
    if (!stored || typeof stored.manifest === "string" || stored.manifest.subject?.sha256 !== digest)
      continue;
    const { blobs, annotations } = stored.manifest;
    const layer = blobs.slice(1).find(({ mediaType }) => mediaType === BUNDLE_MEDIA_TYPE);
    if (!layer) continue;
    const piece = await readPiece(store, layer, MAX_BUNDLE_BYTES);
    if ("problem" in piece) continue;
    const named = annotations?.[EVIDENCE_NAME] ?? "";
    const free = parseEvidenceFileName(named) !== undefined && !existsSync(join(folder, named));
    makeFolder(folder, { hint: "check that you may write there" });
    writeFileAtomic(join(folder, free ? named : `${layer.sha256}.sigstore.json`), piece.bytes);
    count += 1;
  }
  return 0;
}

import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { Finding } from "../core/finding.ts";
import { safeText } from "../core/safe-text.ts";
import type { Platform } from "../formats/oci.ts";
import { MAX_BUNDLE_BYTES, MAX_NAMED_BUNDLE_BYTES } from "../sign/bundle.ts";
import { type AcceptedEvidence, IMAGE_SIGNATURE, imageFinding, judgeImage } from "../verify/image-judge.ts";
import { findEvidence } from "./image-evidence.ts";
import type { ImageSigners } from "./image-signers.ts";
import { type OpenedImage, resolveImage } from "./open-image.ts";

export interface VerifyImageOptions {
  types: readonly string[];
  signers: ImageSigners;
  /** `os/arch[/variant]`. */
  platform?: string;
}

/** What was found out about an image. */
export interface ImageVerdict {
  outcome: "allow" | "deny";
  image: string;
  /** Of what the reference names. */
  digest: Hex;
  /** Of the platform's manifest, proved from the bytes of the index. */
  platform?: { name: string; digest: Hex };
  /** Evidence that counts. */
  accepted: AcceptedEvidence[];
  /** Why it is denied, or what else stands there and does not count. */
  findings: Finding[];
  notes: string[];
}

/**
 * Verifies the signatures or attestations of an image: tag to digest, platform to the manifest that the index
 * names, then all that stands beside either of them.
 *
 * @throws WaybillError WB-INPUT-001 no such image, WB-INPUT-006 no manifest, and as the store does
 */
export async function verifyImage(opened: OpenedImage, options: VerifyImageOptions): Promise<ImageVerdict> {
  const stored = await resolveImage(opened);
  if (typeof stored.manifest === "string")
    throw new WaybillError("WB-INPUT-006", `${safeText(opened.shown)}: ${safeText(stored.manifest)}`, {
      hint: "is it an image?",
    });
  const verdict: ImageVerdict = {
    outcome: "deny",
    image: opened.shown,
    digest: stored.digest,
    accepted: [],
    findings: [],
    notes: [],
  };
  const digests: Hex[] = [stored.digest];
  if (options.platform !== undefined && stored.manifest.isIndex) {
    const named = stored.manifest.blobs.filter(({ platform }) => isFor(platform, options.platform!));
    const [first, ...more] = named;
    if (!first || more.length > 0) {
      const there = stored.manifest.blobs.flatMap(({ platform }) =>
        platform ? [platformName(platform)] : [],
      );
      const found = first ? `${named.length} images` : "no image";
      const finding = imageFinding("platform", `the index names ${found} for ${safeText(options.platform)}`);
      return { ...verdict, findings: [{ ...finding, details: there.slice(0, 20).map(safeText) }] };
    }
    // By its digest: what is read is what the index names.
    if (!(await opened.store.read(`sha256:${first.sha256}`)))
      return {
        ...verdict,
        findings: [imageFinding("platform", "the index names an image that is not there")],
      };
    verdict.platform = { name: platformName(first.platform!), digest: first.sha256 };
    digests.unshift(first.sha256);
  } else if (options.platform !== undefined)
    verdict.notes.push("not an index: the platform was not looked at");
  else if (stored.manifest.isIndex) verdict.notes.push("an index of several platforms, verified as a whole");
  const { signers, types } = options;
  // A signature is small; whoever asks for a type of attestation by its name may mean a large one.
  const maxBytes = types.every((type) => type === IMAGE_SIGNATURE)
    ? MAX_BUNDLE_BYTES
    : MAX_NAMED_BUNDLE_BYTES;
  const found = [];
  for (const digest of digests) found.push(await findEvidence(opened.store, digest, maxBytes));
  const left = found.reduce((sum, each) => sum + each.left, 0);
  const judged = judgeImage(
    found.flatMap(({ evidence }) => evidence),
    { digests, types, ...signers },
  );
  verdict.accepted = judged.accepted;
  verdict.findings = judged.findings;
  if (left > 0) verdict.findings.push(imageFinding("tooMany", `${left} more were not looked at`));
  const missing = judged.accepted.length === 0 ? null : (signers.missing?.(judged.accepted) ?? null);
  if (missing !== null) verdict.findings.unshift(imageFinding("notTrusted", missing));
  if (judged.accepted.length > 0 && missing === null) verdict.outcome = "allow";
  else verdict.findings.unshift(...(signers.doubts ?? []));
  if (verdict.platform && judged.accepted.some(({ digest }) => digest === stored.digest))
    verdict.notes.push("the signature is on the index, which names this platform's image by its digest");
  return verdict;
}

/** `os/arch[/variant]`. */
export function platformName({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}${variant === undefined ? "" : `/${variant}`}`;
}

/** Whether an image is for the platform that was asked for; a variant counts where it was asked for. */
function isFor(platform: Platform | undefined, asked: string): boolean {
  if (!platform) return false;
  return platformName(platform) === asked || `${platform.os}/${platform.architecture}` === asked;
}

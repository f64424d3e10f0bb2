import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import type { Descriptor } from "../formats/oci.ts";
import { MAX_BUNDLE_BYTES, parseBundle } from "../sign/bundle.ts";
import { bundleOfLayer, DSSE_LAYER } from "../sign/cosign-layer.ts";
import { MAX_SIMPLE_SIGNING, SIMPLE_SIGNING } from "../sign/simple-signing.ts";
import type { ImageStore, StoredManifest } from "../store/image-store.ts";
import type { ImageEvidence } from "../verify/image-judge.ts";

/** Layers of tags, and manifests among the referrers, that are looked at. */
const MAX_PIECES = 200;

/** All that is kept of one image, in bytes: what is over it is not looked at. */
const MAX_ALL = 64 << 20;

const BUNDLE_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.\d+)?\+json(?:;version=0\.\d+)?$/;

/** What stands beside an image, and how much of it was left out. */
export interface FoundEvidence {
  evidence: ImageEvidence[];
  /** Pieces over the limits: not looked at. */
  left: number;
}

/**
 * Collects the signatures and attestations of a manifest in both of cosign's layouts. What cannot be read becomes
 * a piece with its problem; only a store that fails ends it.
 *
 * @param digest of the image's manifest or index
 * @param maxBytes largest attestation or bundle, 1 MiB when not given; a larger one is a problem of its own
 * @throws WaybillError as the store does
 */
export async function findEvidence(
  store: ImageStore,
  digest: Hex,
  maxBytes = MAX_BUNDLE_BYTES,
): Promise<FoundEvidence> {
  const evidence: ImageEvidence[] = [];
  const reader = new PieceReader(store, maxBytes);
  let left = 0;
  for (const [suffix, kind] of [
    ["sig", "signature"],
    ["att", "attestation"],
  ] as const) {
    const tag = `sha256-${digest}.${suffix}`;
    const stored = await store.read(tag);
    if (!stored) continue;
    const layers =
      typeof stored.manifest === "string" || stored.manifest.isIndex ? [] : stored.manifest.blobs.slice(1);
    if (layers.length === 0) evidence.push({ layout: "tag", place: tag, problem: problemOf(stored) });
    for (const [i, layer] of layers.entries()) {
      if (evidence.length >= MAX_PIECES || reader.isFull) left += 1;
      else evidence.push(await reader.layer(layer, kind, `${tag}, layer ${i + 1}`));
    }
  }
  const referrers = (await store.referrers(digest)).toSorted((a, b) => likeliness(b) - likeliness(a));
  for (const [i, descriptor] of referrers.entries()) {
    if (i >= MAX_PIECES || reader.isFull) {
      left += referrers.length - i;
      break;
    }
    const piece = await reader.referrer(descriptor, digest);
    if (piece) evidence.push(piece);
  }
  return { evidence, left };
}

/** What a list says orders it and no more: an honest list may say nothing. */
export function likeliness({ artifactType }: Descriptor): number {
  if (artifactType !== undefined && BUNDLE_TYPE.test(artifactType)) return 2;
  return artifactType === undefined || artifactType === "application/vnd.oci.empty.v1+json" ? 1 : 0;
}

/** Reads pieces until it has as much of them as may be kept. */
class PieceReader {
  private readonly store: ImageStore;
  private readonly maxBytes: number;
  private bytes = 0;

  constructor(store: ImageStore, maxBytes: number) {
    this.store = store;
    this.maxBytes = maxBytes;
  }

  get isFull(): boolean {
    return this.bytes >= MAX_ALL;
  }

  async layer(layer: Descriptor, kind: "signature" | "attestation", place: string): Promise<ImageEvidence> {
    const at = { layout: "tag", place } as const;
    const wanted = kind === "signature" ? SIMPLE_SIGNING : DSSE_LAYER;
    if (layer.mediaType !== wanted)
      return { ...at, problem: `a layer of type ${safeText(layer.mediaType.slice(0, 100))}` };
    const bytes = await this.blob(layer, kind === "signature" ? MAX_SIMPLE_SIGNING : this.maxBytes);
    if ("problem" in bytes) return { ...at, ...bytes };
    const bundle = bundleOfLayer(kind, bytes.bytes, layer.annotations, { maxBytes: this.maxBytes });
    if ("problem" in bundle) return { ...at, problem: safeText(bundle.problem) };
    return { ...at, bundle, ...(kind === "signature" ? { payload: bytes.bytes } : {}) };
  }

  /** The bundle of a referrer; undefined for a referrer that is something else, such as a bare SBOM. */
  async referrer(descriptor: Descriptor, subject: Hex): Promise<ImageEvidence | undefined> {
    const at = { layout: "referrer", place: `referrer sha256:${descriptor.sha256}` } as const;
    const stored = await this.store.read(`sha256:${descriptor.sha256}`);
    if (!stored) return { ...at, problem: "it is listed and not there" };
    const { manifest } = stored;
    if (typeof manifest === "string") return { ...at, problem: safeText(manifest) };
    const layers = manifest.isIndex ? [] : manifest.blobs.slice(1);
    const layer = layers.find(({ mediaType }) => BUNDLE_TYPE.test(mediaType));
    if (!layer) return undefined;
    if (manifest.subject?.sha256 !== subject)
      return { ...at, problem: "it is listed and refers to another manifest" };
    if (layers.length !== 1) return { ...at, problem: `it has ${layers.length} layers and must have one` };
    const bytes = await this.blob(layer, this.maxBytes);
    if ("problem" in bytes) return { ...at, ...bytes };
    const bundle = parseBundle(bytes.bytes.toString("utf8"), { maxBytes: this.maxBytes });
    return "problem" in bundle ? { ...at, problem: safeText(bundle.problem) } : { ...at, bundle };
  }

  private async blob(layer: Descriptor, limit: number): Promise<{ bytes: Buffer } | { problem: string }> {
    const read = await readPiece(this.store, layer, limit);
    if ("bytes" in read) this.bytes += read.bytes.length;
    return read;
  }
}

/**
 * A blob that belongs to one piece of evidence. Where a registry does not have or does not hold to what it lists, that
 * piece is spoilt, not the whole job.
 *
 * @throws WaybillError as the store does where it fails altogether
 */
export async function readPiece(
  store: ImageStore,
  layer: Descriptor,
  limit: number,
): Promise<{ bytes: Buffer } | { problem: string }> {
  try {
    return { bytes: await store.blob({ digest: layer.sha256, size: layer.size }, limit) };
  } catch (error) {
    if (!(error instanceof WaybillError) || !SPOILT.has(error.code)) throw error;
    return { problem: error.message };
  }
}

const SPOILT: ReadonlySet<string> = new Set([
  "WB-NET-002",
  "WB-NET-004",
  "WB-NET-005",
  "WB-INPUT-003",
  "WB-INPUT-006",
]);

function problemOf({ manifest }: StoredManifest): string {
  if (typeof manifest === "string") return safeText(manifest);
  return manifest.isIndex ? "an index where a manifest belongs" : "a manifest without layers";
}

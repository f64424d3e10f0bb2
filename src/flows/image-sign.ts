import { sign } from "node:crypto";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { type Hex, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { encodeStatement, STATEMENT_TYPE, type Statement } from "../evidence/statement.ts";
import { EMPTY_TYPE, MAX_MANIFEST_BYTES, OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { BUNDLE_MEDIA_TYPE, parseBundle } from "../sign/bundle.ts";
import { DSSE_LAYER, SIGNATURE } from "../sign/cosign-layer.ts";
import { hashOf } from "../sign/dsse.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { makeSimpleSigning, SIMPLE_SIGNING } from "../sign/simple-signing.ts";
import type { SignedBundle, StatementSigner } from "../sign/statement-signer.ts";
import type { ImageStore, StoredManifest } from "../store/image-store.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { type OpenedImage, resolveImage } from "./open-image.ts";

/** cosign 2 looks at tags, cosign 3 at referrers. */
export type ImageLayout = "tag" | "referrer";

/** What was signed and where it lies. */
export interface ImageSigned {
  image: string;
  digest: Hex;
  predicateType: string;
  by: SignedBundle["by"];
  /** Tags and manifests that hold it. */
  places: { layout: ImageLayout; place: string }[];
}

/** Who signs: statements by any signer, the tag layout by a stored key alone. */
export interface ImageSigner {
  statements: StatementSigner;
  key?: SigningKey;
}

const EMPTY = Buffer.from("{}");

/** Tries to get into a tag while others write it too. */
const MAX_RACES = 5;

/**
 * Signs an image, or attests something about it, and stores that beside it. The statement is signed once, whatever the
 * layouts, so that a signer that logs has logged it. A signature of the tag layout is over another payload, which no
 * log of statements takes: the statement that goes with it says the same and is made for it too.
 *
 * @param layouts where it is stored
 * @param predicate absent for a signature as cosign makes it
 * @throws WaybillError WB-INPUT-001 no such image, WB-INPUT-007 the tag layout without a key, and as the store and
 *   the signer do
 */
export async function signImage(
  opened: OpenedImage,
  signer: ImageSigner,
  layouts: readonly ImageLayout[],
  now: Date,
  predicate?: { type: string; predicate: { [key: string]: Json } },
): Promise<ImageSigned> {
  const image = await resolveImage(opened);
  if (typeof image.manifest === "string")
    throw new WaybillError("WB-INPUT-006", `${safeText(opened.shown)}: ${safeText(image.manifest)}`, {
      hint: "is it an image?",
    });
  const subject = { digest: { sha256: image.digest } };
  const statement: Statement = predicate
    ? {
        _type: STATEMENT_TYPE,
        subject: [{ name: opened.repository, ...subject }],
        predicateType: predicate.type,
        predicate: predicate.predicate,
      }
    : { _type: STATEMENT_TYPE, subject: [subject], predicateType: IMAGE_SIGNATURE, predicate: {} };
  // Before anything is logged.
  const key = layouts.includes("tag") ? keyFor(signer) : undefined;
  const signed = await signer.statements.sign(encodeStatement(statement));
  const { predicateType } = statement;
  const places: ImageSigned["places"] = [];
  for (const layout of layouts) {
    const place =
      layout === "referrer"
        ? storeBundle(opened.store, image, predicateType, signed.bundle, now)
        : predicate
          ? storeEnvelope(opened.store, image, predicateType, signed.bundle)
          : storeSignature(opened, image, key!);
    places.push({ layout, place: await place });
  }
  return { image: opened.shown, digest: image.digest, predicateType, by: signed.by, places };
}

function keyFor({ key }: ImageSigner): SigningKey {
  if (key) return key;
  throw new WaybillError("WB-INPUT-007", "signatures in tags are made by a key here", {
    hint: "leave out --layout: keyless signatures are stored as referrers, which cosign 3 reads",
  });
}

/** A bundle as a referrer (cosign's BUNDLE_SPEC). */
async function storeBundle(
  store: ImageStore,
  image: StoredManifest,
  predicateType: string,
  text: string,
  now: Date,
): Promise<string> {
  const bundle = Buffer.from(text);
  await store.upload(bytesSource(EMPTY));
  await store.upload(bytesSource(bundle));
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: BUNDLE_MEDIA_TYPE,
    config: descriptor(EMPTY_TYPE, EMPTY),
    layers: [descriptor(BUNDLE_MEDIA_TYPE, bundle)],
    subject: { mediaType: image.mediaType, digest: `sha256:${image.digest}`, size: image.bytes.length },
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": predicateType,
      "org.opencontainers.image.created": now.toISOString().replace(/\.\d{3}Z$/, "Z"),
    },
  };
  const digest = await store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST);
  return `referrer sha256:${digest}`;
}

/** A simple signing payload under the tag `sha256-….sig` (cosign's SIGNATURE_SPEC). */
function storeSignature(
  { store, repository }: OpenedImage,
  image: StoredManifest,
  key: SigningKey,
): Promise<string> {
  const payload = makeSimpleSigning(repository, image.digest);
  const { privateKey } = key;
  const signature = sign(hashOf(privateKey), payload, { key: privateKey, dsaEncoding: "der" });
  const annotations = { [SIGNATURE]: signature.toString("base64") };
  return addLayer(store, `sha256-${image.digest}.sig`, SIMPLE_SIGNING, payload, annotations);
}

/** The envelope of a bundle under the tag `sha256-….att` (cosign's ATTESTATION_SPEC). */
function storeEnvelope(
  store: ImageStore,
  image: StoredManifest,
  predicateType: string,
  bundle: string,
): Promise<string> {
  const parsed = parseBundle(bundle);
  if ("problem" in parsed || parsed.content.kind !== "dsse") throw new TypeError("a signer made no bundle");
  const { envelope } = parsed.content;
  const signatures = envelope.signatures.map(({ sig }) => ({ keyid: "", sig }));
  const text = Buffer.from(JSON.stringify({ ...envelope, signatures }));
  const annotations = { [SIGNATURE]: "", predicateType };
  return addLayer(store, `sha256-${image.digest}.att`, DSSE_LAYER, text, annotations);
}

/** Appends a layer to what the tag holds; layers of others stay as they are. */
async function addLayer(
  store: ImageStore,
  tag: string,
  mediaType: string,
  bytes: Buffer,
  annotations: Record<string, string>,
): Promise<string> {
  await store.upload(bytesSource(bytes));
  const own = { ...descriptor(mediaType, bytes), annotations };
  for (let race = 0; race < MAX_RACES; race += 1) {
    const before = await store.read(tag);
    const others = before ? layersOf(before, tag) : [];
    if (others.some((layer) => canonicalJson(layer) === canonicalJson(own))) return tag;
    await storeLayers(store, tag, [...others, own]);
    // No registry compares before it replaces: whoever signed at the same moment may have taken ours away.
  }
  throw new WaybillError("WB-NET-001", `the tag ${tag} of ${store.name} is written by others all the time`, {
    hint: "run the command again",
  });
}

/** Layers as an image of which each is a file system, as registries of that time demanded. */
async function storeLayers(store: ImageStore, tag: string, layers: { [key: string]: Json }[]): Promise<void> {
  const diffIds = layers.map(({ digest }) => digest!);
  const rootfs = { type: "layers", diff_ids: diffIds };
  const config = Buffer.from(JSON.stringify({ architecture: "", os: "", config: {}, rootfs }));
  await store.upload(bytesSource(config));
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor("application/vnd.oci.image.config.v1+json", config),
    layers,
  };
  await store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, tag);
}

function layersOf(stored: StoredManifest, tag: string): { [key: string]: Json }[] {
  if (typeof stored.manifest === "string" || stored.manifest.isIndex)
    throw new WaybillError("WB-INPUT-006", `the tag ${tag} holds something else than signatures`, {
      hint: "find out who wrote it; then remove the tag",
    });
  const data = parseStrictJson(stored.bytes.toString("utf8"), { maxBytes: MAX_MANIFEST_BYTES });
  return (data as { layers: { [key: string]: Json }[] }).layers;
}

function descriptor(mediaType: string, bytes: Buffer): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
}

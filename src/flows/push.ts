import { createReadStream } from "node:fs";
import { join } from "node:path";
import { INTEGRITY_CHECKS } from "../checks/integrity.ts";
import { componentId } from "../core/component.ts";
import { type Hex, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { encodeLock, LOCK_FILE } from "../core/lock.ts";
import { MANIFEST_FILE } from "../core/manifest.ts";
import { encodeRelease } from "../core/release.ts";
import { type ReleaseLayer, releaseLayers } from "../core/release-layers.ts";
import { isLink } from "../core/tree.ts";
import { EMPTY_TYPE, MAX_MANIFEST_BYTES, OCI_MANIFEST } from "../formats/oci.ts";
import type { HashProgress } from "../hash/pool.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { type BlobSource, bytesSource } from "../net/oci/upload.ts";
import { BUNDLE_MEDIA_TYPE } from "../sign/bundle.ts";
import { openAgentFolder, readBundles } from "./agent-folder.ts";
import { collectFacts } from "./facts.ts";
import type { OpenedImage } from "./open-image.ts";
import {
  EVIDENCE_NAME,
  FILE_LAYER,
  LOCK_LAYER,
  MANIFEST_LAYER,
  PACK_LAYER,
  PREFIXES,
  RELEASE_ARTIFACT,
  TITLE,
} from "./release-artifact.ts";
import { openLocked } from "./sign.ts";

/** What `waybill push` did. */
export interface Pushed {
  agent: string;
  release: Hex;
  /** Of the artifact's manifest. */
  digest: Hex;
  /** Blobs that had to be sent, and those that were there. */
  sent: { blobs: number; bytes: number };
  there: number;
  /** Bundles that lie beside it as referrers. */
  evidence: number;
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

/** Blobs that are asked for and sent at a time. */
const AT_A_TIME = 4;

/**
 * Stores a locked release as one OCI artifact. Only a release whose bytes are the locked ones is sent; blobs that
 * the registry has are not sent again, so a new release costs what has changed.
 *
 * @throws WaybillError WB-INPUT-001, WB-INPUT-011 the bytes are not the locked ones, and as the store does
 */
export async function pushRelease(
  folder: string,
  opened: OpenedImage,
  options: { onProgress?: (progress: HashProgress) => void; signal?: AbortSignal } = {},
): Promise<Pushed> {
  const { path, lock, release } = openLocked(folder);
  const facts = await collectFacts(openAgentFolder(folder), { ...options, claimedOnly: true });
  const wrong = INTEGRITY_CHECKS.map((check) => check.run(facts)).flatMap((result) =>
    result.status === "fail" ? result.findings : [],
  );
  if (wrong.length > 0)
    throw new WaybillError(
      "WB-INPUT-011",
      wrong
        .slice(0, 5)
        .map((finding) => finding.message)
        .join("\n"),
      {
        hint: "waybill check tells all of it; then waybill lock, sign and push again",
      },
    );
  const sources = new Map<Hex, string>();
  const titles = new Map<Hex, string[]>();
  const prefixes: Record<string, string> = {};
  const extra: { path: string; bytes: Buffer }[] = [];
  for (const component of facts.components) {
    prefixes[component.id] = component.prefix;
    const locked = lock.components.find(({ leaf }) => componentId(leaf) === component.id);
    for (const leaf of locked?.files ?? []) {
      if (isLink(leaf)) continue;
      sources.set(leaf.sha256, component.sources.get(leaf.path)!);
      titles.set(leaf.sha256, [...(titles.get(leaf.sha256) ?? []), component.prefix + leaf.path]);
    }
    // They point at the image and are under no digest: whoever pulls has the image checked by its own.
    if (component.declared.kind === "image")
      for (const name of ["oci-layout", "index.json"]) {
        const file = component.prefix + name;
        extra.push({ path: file, bytes: readFileBounded(join(path, file), MAX_MANIFEST_BYTES) });
      }
  }
  const { store } = opened;
  const count = { there: 0, blobs: 0, bytes: 0 };
  const upload = async (source: BlobSource) => {
    if ((await store.upload(source)) === "there") count.there += 1;
    else {
      count.blobs += 1;
      count.bytes += source.size;
    }
  };
  const small = async (mediaType: string, bytes: Buffer, title: string): Promise<Descriptor> => {
    await upload(bytesSource(bytes));
    return {
      mediaType,
      digest: `sha256:${sha256(bytes)}`,
      size: bytes.length,
      annotations: { [TITLE]: title },
    };
  };
  const layers: Descriptor[] = [
    await small(LOCK_LAYER, Buffer.from(encodeLock(lock)), LOCK_FILE),
    await small(
      MANIFEST_LAYER,
      readFileBounded(join(path, MANIFEST_FILE), MAX_MANIFEST_BYTES),
      MANIFEST_FILE,
    ),
  ];
  for (const { path: title, bytes } of extra) layers.push(await small(FILE_LAYER, bytes, title));
  const planned = releaseLayers(lock);
  const stored: Descriptor[][] = [];
  let next = 0;
  const work = async () => {
    for (let i = next++; i < planned.length; i = next++) {
      options.signal?.throwIfAborted();
      const source = sourceOf(planned[i]!, sources);
      await upload(source);
      stored[i] = describe(planned[i]!, source, titles);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_A_TIME }, work));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  layers.push(...stored.flat());
  const config = Buffer.from(encodeRelease(release.document));
  await upload(bytesSource(config));
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: RELEASE_ARTIFACT,
      config: { mediaType: RELEASE_ARTIFACT, digest: `sha256:${release.digest}`, size: config.length },
      layers,
      annotations: { [TITLE]: lock.agent, [PREFIXES]: JSON.stringify(prefixes) },
    }),
  );
  if (manifest.length > MAX_MANIFEST_BYTES)
    throw new WaybillError("WB-INPUT-011", "the release has too many large files for one artifact", {
      hint: "declare fewer files, or put them into archives",
    });
  // Signatures first: whoever sees the tag sees them.
  const subject = { mediaType: OCI_MANIFEST, digest: `sha256:${sha256(manifest)}`, size: manifest.length };
  await store.write(manifest, OCI_MANIFEST);
  const evidence = await pushEvidence(path, opened, subject);
  const digest = await store.write(manifest, OCI_MANIFEST, opened.tag);
  return {
    agent: lock.agent,
    release: release.digest,
    digest,
    sent: { blobs: count.blobs, bytes: count.bytes },
    there: count.there,
    evidence,
  };
}

/** Each bundle of the folder as a referrer; the same bundle is the same manifest, however often it is pushed. */
async function pushEvidence(path: string, { store }: OpenedImage, subject: Descriptor): Promise<number> {
  const empty = Buffer.from("{}");
  const bundles = readBundles(path).filter(({ problem }) => problem === undefined);
  if (bundles.length > 0) await store.upload(bytesSource(empty));
  for (const { file, text } of bundles) {
    const bytes = Buffer.from(text);
    await store.upload(bytesSource(bytes));
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: BUNDLE_MEDIA_TYPE,
      config: { mediaType: EMPTY_TYPE, digest: `sha256:${sha256(empty)}`, size: empty.length },
      layers: [{ mediaType: BUNDLE_MEDIA_TYPE, digest: `sha256:${sha256(bytes)}`, size: bytes.length }],
      subject,
      annotations: {
        "dev.sigstore.bundle.content": "dsse-envelope",
        [EVIDENCE_NAME]: file.slice(file.indexOf("/") + 1),
      },
    };
    await store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST);
  }
  return bundles.length;
}

/** The bytes of a layer. A pack is put together in memory: it has 64 MiB at the most. */
function sourceOf(layer: ReleaseLayer, sources: ReadonlyMap<Hex, string>): BlobSource {
  if (layer.kind === "file") {
    const path = sources.get(layer.sha256)!;
    return { digest: layer.sha256, size: layer.size, open: (start) => createReadStream(path, { start }) };
  }
  const parts = layer.files.map((file) => {
    const bytes = readFileBounded(sources.get(file.sha256)!, file.size, { follow: true });
    if (sha256(bytes) === file.sha256) return bytes;
    throw new WaybillError("WB-INPUT-011", `${sources.get(file.sha256)} changed while it was pushed`, {
      hint: "push again when nothing writes there",
    });
  });
  return bytesSource(Buffer.concat(parts));
}

function describe(layer: ReleaseLayer, source: BlobSource, titles: ReadonlyMap<Hex, string[]>): Descriptor[] {
  const described = { digest: `sha256:${source.digest}`, size: source.size };
  if (layer.kind === "pack") return [{ mediaType: PACK_LAYER, ...described }];
  return titles
    .get(layer.sha256)!
    .map((title) => ({ mediaType: FILE_LAYER, ...described, annotations: { [TITLE]: title } }));
}

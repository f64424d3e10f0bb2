import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { checkPlan, type PlannedFile } from "../act/copy-plan.ts";
import { isReserved } from "../components/ignore.ts";
import { componentId } from "../core/component.ts";
import { type Hex, sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { LOCK_FILE, type Lock, MAX_LOCK_BYTES, parseLock, releaseOf } from "../core/lock.ts";
import { lockContradictions } from "../core/lock-contradictions.ts";
import { MANIFEST_FILE, type ManifestSource, parseManifest } from "../core/manifest.ts";
import { releaseLayers } from "../core/release-layers.ts";
import { safeText } from "../core/safe-text.ts";
import { settingsDigest, settingsOf } from "../core/settings.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { isLink } from "../core/tree.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { EVIDENCE_FOLDER, parseEvidenceFileName } from "../evidence/files.ts";
import { artifactTypeOf, type Descriptor, MAX_MANIFEST_BYTES, type OciManifest } from "../formats/oci.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { judgeLink } from "../hash/links.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { BUNDLE_MEDIA_TYPE, MAX_BUNDLE_BYTES } from "../sign/bundle.ts";
import type { ImageStore, StoredManifest } from "../store/image-store.ts";
import { type Judgement, type JudgeOptions, judge } from "./judge.ts";
import { type OpenedImage, resolveImage } from "./open-image.ts";
import {
  allowedPrefixes,
  EVIDENCE_NAME,
  FILE_LAYER,
  LOCK_LAYER,
  MANIFEST_LAYER,
  PACK_LAYER,
  PREFIXES,
  RELEASE_ARTIFACT,
  TITLE,
} from "./release-artifact.ts";

/** Bundles beside a release that are fetched. */
const MAX_EVIDENCE = 64;

export interface PullOptions extends Omit<JudgeOptions, "folder" | "door"> {
  /** Where the release goes; must not exist. */
  dir: string;
}

/** What `waybill pull` did. */
export interface Pulled {
  digest: Hex;
  release: Hex;
  dir: string;
  /** False where the verdict forbids it: nothing is at `dir` then. */
  placed: boolean;
  bytes: number;
  judgement: Judgement;
}

/**
 * Fetches a release into a folder beside its place, each blob checked against the lock while it comes, judges it
 * at the door `pull`, and only then gives it its name. What was fetched stays when the connection breaks, and the
 * next call goes on there.
 *
 * @throws WaybillError WB-INPUT-010 the place is taken, WB-INPUT-006 no release or one that contradicts itself,
 *   WB-STORE-001/002, and as the store and `judge` do
 */
export async function pullRelease(opened: OpenedImage, options: PullOptions): Promise<Pulled> {
  const dir = resolve(options.dir);
  if (lstatSync(dir, { throwIfNoEntry: false }))
    throw new WaybillError("WB-INPUT-010", `${options.dir} exists already`, {
      hint: "choose another folder: --dir DIR",
    });
  const { store } = opened;
  const stored = await resolveImage(opened);
  const { lock, lockText, manifestText, prefixes, extra } = await readRelease(store, stored);
  const work = `${dir}.waybill-pull`;
  const hint = "check that you may write there";
  makeFolder(join(work, "blobs"), { mode: 0o700, hint });
  const blobs = join(realpathSync(work), "blobs");
  const tree = join(realpathSync(work), "tree");
  rmSync(tree, { recursive: true, force: true });
  try {
    const bytes = await fetchBlobs(store, stored.manifest as OciManifest, lock, blobs, options.signal);
    mkdirSync(tree, { mode: 0o755 });
    assemble(tree, blobs, lock, prefixes, extra);
    writeFileAtomic(join(tree, LOCK_FILE), lockText);
    writeFileAtomic(join(tree, MANIFEST_FILE), manifestText);
    await fetchEvidence(store, stored.digest, tree);
    const judgement = await judge({ ...options, folder: tree, door: "pull" });
    const placed = judgement.verdict.outcome === "allow";
    const release = releaseOf(lock).digest;
    if (placed) renameSync(tree, dir);
    rmSync(work, { recursive: true, force: true });
    return { digest: stored.digest, release, dir: options.dir, placed, bytes, judgement };
  } catch (error) {
    rmSync(tree, { recursive: true, force: true });
    throw storeError(error, options.dir);
  }
}

interface ReadRelease {
  lock: Lock;
  lockText: string;
  manifestText: string;
  /** What stands before the paths of each component, by its id. */
  prefixes: ReadonlyMap<string, string>;
  /** Files of image layouts that the lock does not name. */
  extra: { path: string; bytes: Buffer }[];
}

/** Reads what tells all the rest, and holds it against the release digest, which is the digest of the config. */
async function readRelease(store: ImageStore, { manifest }: StoredManifest): Promise<ReadRelease> {
  if (typeof manifest === "string" || manifest.isIndex || artifactTypeOf(manifest) !== RELEASE_ARTIFACT)
    throw noRelease("it is no release of an agent", "a container image is fetched with docker or podman");
  const [config, ...layers] = manifest.blobs as [Descriptor, ...Descriptor[]];
  const only = async (mediaType: string, limit: number): Promise<string> => {
    const found = layers.filter((layer) => layer.mediaType === mediaType);
    if (found.length !== 1) throw noRelease(`it has ${found.length} layers of type ${mediaType}`);
    const { sha256: digest, size } = found[0]!;
    return (await store.blob({ digest, size }, limit)).toString("utf8");
  };
  const lockText = await only(LOCK_LAYER, MAX_LOCK_BYTES);
  const manifestText = await only(MANIFEST_LAYER, MAX_YAML_BYTES);
  const lock = parseLock(lockText);
  const source = parseManifest(manifestText);
  if (lockContradictions(lock).length > 0) throw noRelease("its lock contradicts itself");
  const release = releaseOf(lock);
  if (release.digest !== config.sha256)
    throw noRelease("its lock makes another release than its config names");
  if (settingsDigest(settingsOf(source.manifest)) !== release.document.settings)
    throw noRelease("its waybill.yaml says something else than its lock");
  const prefixes = prefixesOf(manifest, lock, source);
  const extra: ReadRelease["extra"] = [];
  for (const { leaf } of lock.components.filter(({ leaf: { kind } }) => kind === "image"))
    for (const name of ["oci-layout", "index.json"]) {
      const path = `${prefixes.get(componentId(leaf))}${name}`;
      const layer = layers.find(
        ({ mediaType, annotations }) => mediaType === FILE_LAYER && annotations[TITLE] === path,
      );
      if (!layer) throw noRelease(`${path} is missing`);
      const { sha256: digest, size } = layer;
      extra.push({ path, bytes: await store.blob({ digest, size }, MAX_MANIFEST_BYTES) });
    }
  return { lock, lockText, manifestText, prefixes, extra };
}

/** The prefixes as the artifact states them, as far as the declarations allow them. */
function prefixesOf(
  manifest: OciManifest,
  lock: Lock,
  { manifest: { components } }: ManifestSource,
): Map<string, string> {
  let stated: unknown;
  try {
    stated = parseStrictJson(manifest.annotations?.[PREFIXES] ?? "{}", { maxDepth: 2 });
  } catch {
    throw noRelease(`its annotation ${PREFIXES} is not JSON`);
  }
  const prefixes = new Map<string, string>();
  for (const { leaf, files } of lock.components) {
    const id = componentId(leaf);
    const declared = components.find((each) => componentId(each) === id);
    if (!declared) throw noRelease(`${id} is locked and not declared`);
    const allowed = allowedPrefixes(declared, files);
    const said = Object.hasOwn(stated as object, id) ? (stated as Record<string, unknown>)[id] : allowed[0];
    const prefix = allowed.find((each) => each === said);
    if (prefix === undefined) throw noRelease(`it puts ${id} where its declaration does not`);
    prefixes.set(id, prefix);
  }
  return prefixes;
}

/** Brings every content of the lock into the folder, under its digest; gives how many bytes had to be fetched. */
async function fetchBlobs(
  store: ImageStore,
  manifest: OciManifest,
  lock: Lock,
  blobs: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const packs = manifest.blobs.slice(1).filter(({ mediaType }) => mediaType === PACK_LAYER);
  let fetched = 0;
  for (const layer of releaseLayers(lock)) {
    signal?.throwIfAborted();
    if (layer.kind === "file") {
      fetched += await fetchBlob(store, { digest: layer.sha256, size: layer.size }, blobs);
      continue;
    }
    const pack = packs.shift();
    if (pack?.size !== layer.size) throw noRelease("its packs are not those of its lock");
    if (layer.files.every((file) => isThere(blobs, file.sha256, file.size))) continue;
    fetched += await fetchBlob(store, { digest: pack.sha256, size: pack.size }, blobs);
    const bytes = readFileBounded(join(blobs, pack.sha256), pack.size);
    let at = 0;
    for (const { sha256: digest, size } of layer.files) {
      const part = bytes.subarray(at, at + size);
      at += size;
      if (sha256(part) !== digest) throw noRelease(`a pack holds other bytes where sha256:${digest} belongs`);
      writeFileAtomic(join(blobs, digest), part);
    }
    rmSync(join(blobs, pack.sha256));
  }
  return fetched;
}

/** One blob, from where an earlier try ended; its name without `.part` says that it was checked. */
async function fetchBlob(
  store: ImageStore,
  blob: { digest: Hex; size: number },
  blobs: string,
): Promise<number> {
  if (isThere(blobs, blob.digest, blob.size)) return 0;
  const path = join(blobs, blob.digest);
  const part = `${path}.part`;
  const before = lstatSync(part, { throwIfNoEntry: false });
  let have = before?.isFile() ? before.size : 0;
  if ((before && !before.isFile()) || have > blob.size) {
    rmSync(part, { force: true, recursive: true });
    have = 0;
  }
  const hash = createHash("sha256");
  if (have > 0) for await (const chunk of createReadStream(part)) hash.update(chunk);
  const fd = openSync(part, "a", 0o600);
  try {
    const write = (chunk: Uint8Array) => {
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
    };
    await store.download(blob, { have, hash, write, restart: () => truncateSync(part, 0) });
  } finally {
    closeSync(fd);
  }
  renameSync(part, path);
  return blob.size - have;
}

function isThere(blobs: string, digest: Hex, size: number): boolean {
  const stat = lstatSync(join(blobs, digest), { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size === size;
}

/** Puts the files where they belong; links come last, when nothing is written through them any more. */
function assemble(
  tree: string,
  blobs: string,
  lock: Lock,
  prefixes: ReadonlyMap<string, string>,
  extra: ReadRelease["extra"],
): void {
  const files: PlannedFile[] = [];
  const links: { path: string; link: string }[] = [];
  for (const { leaf: component, files: leaves } of lock.components)
    for (const leaf of leaves) {
      const path = prefixes.get(componentId(component)) + leaf.path;
      // What verification leaves out must not come along unseen: a trust policy, hooks of git.
      if (isReserved(path.toLowerCase()) || path.toLowerCase().split("/")[0] === ".git")
        throw noRelease(`${path} is no place for a file of an agent`);
      if (isLink(leaf)) links.push({ path, link: leaf.link });
      else files.push({ ...leaf, path, source: join(blobs, leaf.sha256) });
    }
  const texts = [LOCK_FILE, MANIFEST_FILE].map((path) => ({ path, data: "" }));
  const reserved = extra.map(({ path, bytes }) => ({ path, data: bytes }));
  const plan = checkPlan({
    releaseDigest: releaseOf(lock).digest,
    files,
    links,
    extra: [...texts, ...reserved],
  });
  if (!plan.ok) throw noRelease(`${plan.path} cannot be placed: ${plan.expected}, ${plan.found}`);
  for (const folder of plan.folders) mkdirSync(join(tree, folder));
  const uses = new Map<string, number>();
  for (const { source } of plan.files) uses.set(source, (uses.get(source) ?? 0) + 1);
  for (const { path, source, executable } of plan.files) {
    const left = uses.get(source)! - 1;
    uses.set(source, left);
    // The last one takes the file itself: a release is not stored twice.
    if (left === 0) renameSync(source, join(tree, path));
    else copyFileSync(source, join(tree, path));
    chmodSync(join(tree, path), executable ? 0o755 : 0o644);
  }
  for (const { path, bytes } of extra) writeFileAtomic(join(tree, path), bytes);
  for (const { path, link } of plan.links) symlinkSync(link, join(tree, path));
  for (const { path } of plan.links) {
    const verdict = judgeLink(join(tree, path), path, { root: tree, hub: false });
    if (verdict.is === "problem") throw noRelease(`the link ${safeText(path)}: ${verdict.detail}`);
  }
}

/** Brings the bundles that lie beside the release into waybill.evidence. What is none is left where it is. */
async function fetchEvidence(store: ImageStore, digest: Hex, tree: string): Promise<void> {
  const folder = join(tree, EVIDENCE_FOLDER);
  let count = 0;
  for (const { sha256: referrer } of await store.referrers(digest)) {
    if (count >= MAX_EVIDENCE) return;
    const stored = await store.read(`sha256:${referrer}`);
    if (!stored || typeof stored.manifest === "string" || stored.manifest.subject?.sha256 !== digest)
      continue;
    const { blobs, annotations } = stored.manifest;
    const layer = blobs.slice(1).find(({ mediaType }) => mediaType === BUNDLE_MEDIA_TYPE);
    if (!layer || layer.size > MAX_BUNDLE_BYTES) continue;
    const bytes = await store.blob({ digest: layer.sha256, size: layer.size }, MAX_BUNDLE_BYTES);
    const named = annotations?.[EVIDENCE_NAME] ?? "";
    const free = parseEvidenceFileName(named) !== undefined && !existsSync(join(folder, named));
    makeFolder(folder, { hint: "check that you may write there" });
    writeFileAtomic(join(folder, free ? named : `${layer.sha256}.sigstore.json`), bytes);
    count += 1;
  }
}

function noRelease(why: string, hint = "ask whoever pushed it to push it again"): WaybillError {
  return new WaybillError("WB-INPUT-006", `not a release that can be pulled: ${safeText(why)}`, { hint });
}

function storeError(error: unknown, dir: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (error instanceof WaybillError || code === undefined || syscall === undefined) return error;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new WaybillError(full ? "WB-STORE-002" : "WB-STORE-001", `cannot write ${dir}: ${message}`, {
    hint: "free some space or choose another folder, and run the command again: it goes on where it stopped",
    cause: error,
  });
}

import { componentId } from "../core/component.ts";
import { WaybillError } from "../core/errors.ts";
import { type Lock, MAX_LOCK_BYTES, parseLock, releaseOf } from "../core/lock.ts";
import { lockContradictions } from "../core/lock-contradictions.ts";
import { type ManifestSource, parseManifest } from "../core/manifest.ts";
import { safeText } from "../core/safe-text.ts";
import { settingsDigest, settingsOf } from "../core/settings.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { artifactTypeOf, type Descriptor, MAX_MANIFEST_BYTES, type OciManifest } from "../formats/oci.ts";
import type { ImageStore, StoredManifest } from "../store/image-store.ts";
import {
  allowedPrefixes,
  FILE_LAYER,
  LOCK_LAYER,
  MANIFEST_LAYER,
  PREFIXES,
  RELEASE_ARTIFACT,
  TITLE,
} from "./release-artifact.ts";

/** What tells all the rest of a release in a store. */
export interface ReadRelease {
  lock: Lock;
  lockText: string;
  manifestText: string;
  /** What stands before the paths of each component, by its id. */
  prefixes: ReadonlyMap<string, string>;
  /** Files of image layouts that the lock does not name. */
  extra: { path: string; bytes: Buffer }[];
}

/**
 * Reads what tells all the rest, and holds it against the release digest, which is the digest of the config.
 *
 * @throws WaybillError WB-INPUT-006 no release or one that contradicts itself, and as the store does
 */
export async function readRelease(store: ImageStore, { manifest }: StoredManifest): Promise<ReadRelease> {
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
      // They are under no digest of the release: two of a name could be one for each reader.
      const named = layers.filter(
        ({ mediaType, annotations }) => mediaType === FILE_LAYER && annotations[TITLE] === path,
      );
      if (named.length !== 1) throw noRelease(`it has ${named.length} layers called ${path}`);
      const { sha256: digest, size } = named[0]!;
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

/** The error for an artifact that cannot be placed as a release. */
export function noRelease(why: string, hint = "ask whoever pushed it to push it again"): WaybillError {
  return new WaybillError("WB-INPUT-006", `not a release that can be pulled: ${safeText(why)}`, { hint });
}

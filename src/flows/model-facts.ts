import { basename, dirname, join } from "node:path";
import type { FolderFacts } from "../checks/check.ts";
import { isObservedLink, type ObservedComponent, type ObservedFile } from "../components/observed.ts";
import { cleanPath } from "../components/select.ts";
import { componentId } from "../core/component.ts";
import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import type { LinkLeaf } from "../core/tree.ts";
import { linkResolver } from "../core/tree-links.ts";
import { EVIDENCE_FOLDER, parseEvidenceFileName } from "../evidence/files.ts";
import type { OmsManifest } from "../evidence/oms.ts";
import { readOmsBundle } from "../evidence/oms-bundle.ts";
import { needsOnlySha256, resourceKey } from "../evidence/oms-compare.ts";
import { SINGLE_FILE } from "../evidence/oms-names.ts";
import type { RangeAlgorithm } from "../hash/range-hasher.ts";
import { hashRanges, type RangeRequest } from "../hash/ranges.ts";
import type { WalkedFile } from "../hash/walk.ts";
import { MAX_NAMED_BUNDLE_BYTES, parseBundle } from "../sign/bundle.ts";
import type { ModelBundleText, SignedModel } from "../verify/model-step.ts";
import { type BundleText, judge } from "../verify/signed.ts";
import type { Trust } from "../verify/trust.ts";
import { type AgentFolder, optionalText } from "./agent-folder.ts";
import { isSingleFile } from "./oms-sign.ts";

/** Default name of a signature in model_signing. */
export const MODEL_SIGNATURE = "model.sig";

/** The hash of each hash type; OMS means BLAKE2b with 512 bits. */
const ALGORITHMS: Readonly<Record<OmsManifest["hashType"], RangeAlgorithm>> = {
  sha256: "sha256",
  blake2b: "blake2b512",
  blake3: "blake3",
};

/**
 * The models of a release with the signatures that may be about them: in waybill.evidence those that are named after
 * the model, and any OMS bundle whose root is the model's; beside the model `model.sig`, for a single file also
 * `FILE.sig`. Shards, BLAKE2b and BLAKE3 are hashed here, for signers that trust names alone: whoever can put a file
 * there must not choose how often a model is read.
 *
 * @param bundles those of waybill.evidence
 * @param options `trust`, `now`: who may sign models
 */
export async function signedModels(
  agent: AgentFolder,
  facts: Pick<FolderFacts, "components" | "lock">,
  bundles: readonly BundleText[],
  options: { trust: Trust; now: Date; signal?: AbortSignal },
): Promise<SignedModel[]> {
  const { agent: name } = agent.manifest.manifest;
  const counts = (text: string): boolean => {
    const bundle = parseBundle(text, { maxBytes: MAX_NAMED_BUNDLE_BYTES });
    if ("problem" in bundle) return false;
    return judge({ bundle }, { evidence: "model", agent: name }, options.trust, options.now).ok;
  };
  const observed = facts.components.filter(({ declared }) => declared.kind === "model");
  const evidence = observed.length === 0 ? [] : modelEvidence(bundles);
  const models: SignedModel[] = [];
  for (const component of observed) {
    const locked = facts.lock?.components.find(({ leaf }) => componentId(leaf) === component.id);
    const files = component.entries.filter((entry): entry is ObservedFile => !isObservedLink(entry));
    const single = isSingleFile(agent.path, component.declared, locked ?? { files: [] });
    const found = [
      ...evidence
        .filter(({ name, root }) =>
          name === undefined
            ? root !== undefined && root === locked?.leaf.also?.oms
            : name === component.declared.name,
        )
        .map(({ bundle }) => bundle),
      ...besideModel(agent.path, component, single),
    ];
    const withDigests: ModelBundleText[] = [];
    for (const bundle of found) {
      const computed = counts(bundle.text)
        ? await computedFor(bundle.text, component, files, options)
        : undefined;
      withDigests.push(computed ? { ...bundle, computed } : bundle);
    }
    models.push({
      id: component.id,
      prefix: component.prefix,
      model: { files, links: component.entries.filter(isObservedLink), isSingleFile: single },
      bundles: withDigests,
    });
  }
  return models;
}

/** The bundles that may be model signatures, with the model that the file's name says, or the root that is signed. */
function modelEvidence(
  bundles: readonly BundleText[],
): { bundle: BundleText; name?: string; root?: string }[] {
  return bundles.flatMap((bundle): ReturnType<typeof modelEvidence> => {
    const named = parseEvidenceFileName(bundle.file.slice(EVIDENCE_FOLDER.length + 1));
    if (named) return named.evidence === "model" ? [{ bundle, name: named.name }] : [];
    const read = readOmsBundle(bundle.text);
    return "problem" in read ? [] : [{ bundle, root: read.manifest.root }];
  });
}

function besideModel(folder: string, component: ObservedComponent, single: boolean): ModelBundleText[] {
  const { path } = component.declared;
  if (path === undefined) return [];
  const at = cleanPath(path);
  const places = single ? [`${at}.sig`, join(dirname(at), MODEL_SIGNATURE)] : [join(at, MODEL_SIGNATURE)];
  return places.flatMap((place): ModelBundleText[] => {
    const file = safeText(place);
    const own = single ? {} : { signature: basename(place) };
    try {
      const text = optionalText(join(folder, place), MAX_NAMED_BUNDLE_BYTES);
      return text === undefined ? [] : [{ file, text, ...own }];
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      return [{ file, text: "", problem: error.message, ...own }];
    }
  });
}

/** The digests that a statement asks for beyond plain SHA-256; undefined where it asks for none of these. */
async function computedFor(
  text: string,
  { sources, entries }: ObservedComponent,
  files: readonly ObservedFile[],
  options: { signal?: AbortSignal },
): Promise<ReadonlyMap<string, string> | undefined> {
  const read = readOmsBundle(text);
  if ("problem" in read || needsOnlySha256(read.manifest)) return undefined;
  const at = (path: string) => sources.get(path);
  return hashResources(
    read.manifest,
    {
      files: files.map(({ path, size }) => ({ path, size, absolute: at(path) ?? "" })),
      links: entries.filter(isObservedLink),
    },
    options,
  );
}

/** A file of a model, to be read. */
export type HashedSource = Pick<WalkedFile, "path" | "size" | "absolute"> & { dev?: bigint; ino?: bigint };

/**
 * Computes what a statement's resources should have, by their paths in the model (`resourceKey`): whole files and
 * shards. Files that are not there and shards that pass a file's end have no digest.
 */
export async function hashResources(
  manifest: OmsManifest,
  { files, links }: { files: readonly HashedSource[]; links: readonly LinkLeaf[] },
  options: { signal?: AbortSignal } = {},
): Promise<Map<string, string>> {
  const computed = new Map<string, string>();
  const byPath = new Map(files.map((file) => [file.path, file]));
  const resolve = linkResolver([
    ...links,
    ...files.map(({ path, size }) => ({ path, size, sha256: "", executable: false })),
  ]);
  const only = files.length === 1 ? files[0] : undefined;
  const keys: string[] = [];
  const requests: RangeRequest[] = [];
  for (const { path, range } of manifest.resources) {
    const file = path === SINGLE_FILE ? only : byPath.get(resolve(path)?.path ?? path);
    if (!file || (range && range.end > file.size)) continue;
    keys.push(resourceKey({ path: file.path, ...(range ? { range } : {}) }));
    requests.push({ ...file, start: range?.start ?? 0, end: range?.end ?? file.size });
  }
  const hashed = await hashRanges(requests, ALGORITHMS[manifest.hashType], options);
  hashed.forEach((result, i) => {
    // What cannot be read is not the signed bytes: the reason stands where a digest would.
    computed.set(keys[i]!, result.ok ? result.digest : result.detail);
  });
  return computed;
}

import { lstatSync, opendirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { LOCK_FILE, type Lock, MAX_LOCK_BYTES, parseLock } from "../core/lock.ts";
import { MANIFEST_FILE, type ManifestSource, parseManifest } from "../core/manifest.ts";
import { safeText } from "../core/safe-text.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { EVIDENCE_FOLDER } from "../evidence/files.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { MAX_BUNDLE_BYTES } from "../sign/bundle.ts";
import type { BundleText } from "../verify/signed.ts";

/** Bundles of one folder that are read at the most, and their bytes in all. */
const MAX_BUNDLES = 64;
const MAX_BUNDLES_BYTES = 16 << 20;

/** An agent's folder with its manifest and, where there is one, its lock. */
export interface AgentFolder {
  /** Absolute, links resolved. */
  path: string;
  manifest: ManifestSource;
  lock: Lock | undefined;
}

/**
 * Opens an agent's folder.
 *
 * @param options `tolerateLock`: a damaged lock is as good as none, for whoever writes a new one
 * @throws WaybillError WB-INPUT-001 when there is no folder or no waybill.yaml; WB-INPUT-002 to -006 for what
 * is in them (see `parseManifest` and `parseLock`)
 */
export function openAgentFolder(directory: string, options: { tolerateLock?: boolean } = {}): AgentFolder {
  let path: string;
  try {
    path = realpathSync(directory);
  } catch (cause) {
    throw new WaybillError("WB-INPUT-001", `${directory} is no folder`, { hint: "check --dir", cause });
  }
  const text = optionalText(join(path, MANIFEST_FILE), MAX_YAML_BYTES);
  if (text === undefined)
    throw new WaybillError("WB-INPUT-001", `there is no ${MANIFEST_FILE} in ${directory}`, {
      hint: "waybill init",
    });
  const lockText = optionalText(join(path, LOCK_FILE), MAX_LOCK_BYTES);
  const manifest = parseManifest(text);
  return { path, manifest, lock: lockText === undefined ? undefined : readLock(lockText, options) };
}

function readLock(text: string, options: { tolerateLock?: boolean }): Lock | undefined {
  try {
    return parseLock(text);
  } catch (error) {
    if (options.tolerateLock && error instanceof WaybillError) return undefined;
    throw error;
  }
}

/**
 * The bundles in waybill.evidence, by name: at most 64 and 16 MiB. A file there that cannot be read as text is one
 * that is malformed, and so is what is over the limit: one entry without a text stands for all of it.
 *
 * @param path the agent's folder, absolute
 * @throws WaybillError WB-INPUT-002 when waybill.evidence is no folder, a link to one among them
 */
export function readBundles(path: string): BundleText[] {
  const { names, more } = bundleNames(join(path, EVIDENCE_FOLDER));
  const bundles: BundleText[] = [];
  let bytes = 0;
  for (const name of names) {
    const file = safeText(`${EVIDENCE_FOLDER}/${name}`);
    try {
      const text = readTextBounded(join(path, EVIDENCE_FOLDER, name), MAX_BUNDLE_BYTES);
      bytes += Buffer.byteLength(text);
      if (bytes > MAX_BUNDLES_BYTES) break;
      bundles.push({ file, text });
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      bundles.push({ file, text: "", problem: error.message });
    }
  }
  const rest = more + names.length - bundles.length;
  if (rest > 0)
    bundles.push({
      file: `${EVIDENCE_FOLDER}/ (${rest} more file${rest === 1 ? "" : "s"})`,
      text: "",
      problem: `not read: at most ${MAX_BUNDLES} bundles and ${MAX_BUNDLES_BYTES >> 20} MiB are`,
    });
  return bundles;
}

/** By name, model signatures last: where there are too many, the release and its channels are still read. */
function byUse(a: string, b: string): number {
  const isModel = (name: string) => Number(name.startsWith("model."));
  return isModel(a) - isModel(b) || (a < b ? -1 : 1);
}

/** The first names of bundles in their order, and how many there are beside them; a folder of any size. */
function bundleNames(folder: string): { names: string[]; more: number } {
  let names: string[] = [];
  let count = 0;
  try {
    // Never through a link: what it leads to belongs to another folder, and its owner would speak here.
    if (!lstatSync(folder).isDirectory()) throw new Error("not a folder");
    const entries = opendirSync(folder);
    try {
      for (let entry = entries.readSync(); entry; entry = entries.readSync()) {
        if (!entry.name.endsWith(".sigstore.json")) continue;
        count += 1;
        names.push(entry.name);
        if (names.length === 32 * MAX_BUNDLES) names = names.toSorted(byUse).slice(0, MAX_BUNDLES);
      }
    } finally {
      entries.closeSync();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { names: [], more: 0 };
    throw new WaybillError("WB-INPUT-002", `${EVIDENCE_FOLDER} cannot be read`, {
      hint: "it is a folder of bundles, and no link to one",
      cause: error,
    });
  }
  names = names.toSorted(byUse).slice(0, MAX_BUNDLES);
  return { names, more: count - names.length };
}

/** A text, or undefined where there is no such file. */
export function optionalText(path: string, limit: number): string | undefined {
  try {
    return readTextBounded(path, limit);
  } catch (error) {
    if (error instanceof WaybillError && error.code === "WB-INPUT-001") return undefined;
    throw error;
  }
}

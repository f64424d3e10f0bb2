import { readdirSync, realpathSync } from "node:fs";
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

/** Bundles of one folder that are read at the most. */
const MAX_BUNDLES = 1000;

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

/** The bundles in waybill.evidence, by name. A file there that cannot be read as text is one that is malformed. */
export function readBundles(path: string): BundleText[] {
  let names: string[];
  try {
    names = readdirSync(join(path, EVIDENCE_FOLDER));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new WaybillError("WB-INPUT-002", `${EVIDENCE_FOLDER} cannot be read`, {
      hint: "it is a folder of bundles",
      cause: error,
    });
  }
  return names
    .filter((name) => name.endsWith(".sigstore.json"))
    .toSorted()
    .slice(0, MAX_BUNDLES)
    .map((name) => {
      const file = safeText(`${EVIDENCE_FOLDER}/${name}`);
      try {
        return { file, text: readTextBounded(join(path, EVIDENCE_FOLDER, name), MAX_BUNDLE_BYTES) };
      } catch (error) {
        if (!(error instanceof WaybillError)) throw error;
        return { file, text: "" };
      }
    });
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

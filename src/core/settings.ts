import { canonicalJson, type Json } from "./canonical-json.ts";
import { compareComponents } from "./component.ts";
import { compareUtf8, type Hex, sha256 } from "./digest.ts";
import type { Manifest } from "./manifest.ts";

/** The settings document: everything that the manifest says beside the agent's name (docs/formats/release.md). */
export type Settings = { [key: string]: Json };

/**
 * Normalises a manifest to its settings document: defaults filled in, components by kind and name, sets
 * (egress, listen, denied codes, ignore) sorted without repetitions, order kept where it has a meaning
 * (command, paths, mounts, pact). Two manifests that differ in comments, quoting or key order have one
 * settings document.
 */
export function settingsOf(manifest: Manifest): Settings {
  const { start } = manifest;
  return {
    components: manifest.components.toSorted(compareComponents).map(placed),
    start: {
      command: start.command,
      env: defined(start.env),
      egress: unique(start.egress),
      listen: [...new Set(start.listen)].toSorted((a, b) => a - b),
      mounts: start.mounts.map((mount) => defined(mount)),
      ...(start.user === undefined ? {} : { user: start.user }),
    },
    runtime: manifest.runtime as Json,
    rollout: manifest.rollout as Json,
    policy: { level: manifest.policy.level, deny: unique(manifest.policy.deny) },
    pact: manifest.pact as Json,
    ignore: unique(manifest.ignore),
  };
}

/** SHA-256 of the RFC 8785 bytes of a settings document, hex. */
export function settingsDigest(settings: Settings): Hex {
  return sha256(canonicalJson(settings));
}

/** One value that differs between two settings documents, by its path; undefined where it is absent. */
export interface SettingsDifference {
  path: (string | number)[];
  signed: Json | undefined;
  found: Json | undefined;
}

/** Every leaf value in which two settings documents differ. */
export function diffSettings(signed: Json | undefined, found: Json | undefined): SettingsDifference[] {
  const differences: SettingsDifference[] = [];
  const walk = (a: Json | undefined, b: Json | undefined, path: (string | number)[]): void => {
    if (isContainer(a) && isContainer(b) && Array.isArray(a) === Array.isArray(b)) {
      const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
      for (const key of keys) walk(own(a, key), own(b, key), [...path, Array.isArray(a) ? Number(key) : key]);
      return;
    }
    const same = a === undefined || b === undefined ? a === b : canonicalJson(a) === canonicalJson(b);
    if (!same) differences.push({ path, signed: a, found: b });
  };
  walk(signed, found, []);
  return differences;
}

/** `model/` and `model` are one place. */
function placed(declared: Manifest["components"][number]): Settings {
  const clean = (path: string) => path.replace(/\/$/, "");
  return defined({
    ...declared,
    path: declared.path === undefined ? undefined : clean(declared.path),
    paths: declared.paths?.map(clean),
  });
}

/** An own member: a key may be called like one that every object inherits. */
function own(container: Json[] | { [key: string]: Json }, key: string): Json | undefined {
  return Object.hasOwn(container, key) ? (container as Settings)[key] : undefined;
}

function isContainer(value: Json | undefined): value is Json[] | { [key: string]: Json } {
  return typeof value === "object" && value !== null;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)].toSorted(compareUtf8);
}

function defined(value: object): Settings {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as Settings;
}

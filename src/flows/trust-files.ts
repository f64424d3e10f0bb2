import { lstatSync, opendirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Hex } from "../core/digest.ts";
import { safeText } from "../core/safe-text.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { MAX_BUNDLE_BYTES } from "../sign/bundle.ts";
import type { BundleText } from "../verify/signed.ts";
import { parseTrust, type Trust } from "../verify/trust.ts";
import { MAX_VERSIONS } from "../verify/trust-version.ts";

// Beside a policy FILE, flat, so that it all fits a Kubernetes ConfigMap: `FILE.v3.<key>.sigstore.json` are the
// signatures on version 3, `FILE.v2` is the text of version 2.

/** Signatures that are read at the most, and the bytes of all that is read beside a policy. */
const MAX_SIGNATURES = 1000;
const MAX_BYTES = 64 << 20;

const NAME = /^\.v([1-9]\d{0,15})(?:\.([0-9a-f]{12})\.sigstore\.json)?$/;

/** Where a former version of a policy lies. */
export function versionFile(file: string, version: number): string {
  return `${file}.v${version}`;
}

/** Where a key's signature on a version of a policy lies. */
export function signatureFile(file: string, version: number, keyId: Hex): string {
  return `${file}.v${version}.${keyId.slice(0, 12)}.sigstore.json`;
}

/**
 * Reads what lies beside a policy: former versions, and signatures on these and later ones. Names only choose
 * what is read; content alone counts.
 *
 * @param file the policy's real path
 * @param above versions up to this one are not read
 * @param options `signaturesOnly`: no former versions
 * @throws WaybillError as `parseTrust` for a former version that is none, and those of reading
 */
export function readBeside(
  file: string,
  above: number,
  options: { signaturesOnly?: boolean } = {},
): { signatures: BundleText[]; history: Map<number, Trust> } {
  const signatures: BundleText[] = [];
  const history = new Map<number, Trust>();
  let left = MAX_BYTES;
  const read = (name: string, limit: number) => {
    const text = readTextBounded(join(dirname(file), name), Math.min(limit, left));
    left -= Buffer.byteLength(text);
    return text;
  };
  for (const { name, version, key } of namesBeside(file)) {
    if (key !== undefined && version >= above && signatures.length < MAX_SIGNATURES)
      signatures.push({ file: safeText(name), text: read(name, MAX_BUNDLE_BYTES) });
    if (key === undefined && !options.signaturesOnly && version > above && history.size < MAX_VERSIONS)
      history.set(version, parseTrust(read(name, MAX_YAML_BYTES), safeText(name)));
  }
  return { signatures, history };
}

/** The files beside a policy that belong to it, the lowest version first. */
function namesBeside(file: string): { name: string; version: number; key: string | undefined }[] {
  const base = basename(file);
  const found: { name: string; version: number; key: string | undefined }[] = [];
  const folder = opendirSync(dirname(file));
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) {
      if (!entry.name.startsWith(`${base}.v`)) continue;
      const match = NAME.exec(entry.name.slice(base.length));
      // A link may lead anywhere; whoever wants a file here puts it here.
      if (!match || !lstatSync(join(dirname(file), entry.name)).isFile()) continue;
      found.push({ name: entry.name, version: Number(match[1]), key: match[2] });
    }
  } finally {
    folder.closeSync();
  }
  return found.toSorted((a, b) => a.version - b.version);
}

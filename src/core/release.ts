import { canonicalJson } from "./canonical-json.ts";
import { type ComponentLeaf, compareComponents, componentId, encodeComponentLeaf } from "./component.ts";
import { type Hex, sha256 } from "./digest.ts";
import { leafHash, merkleRoot } from "./merkle.ts";

export const RELEASE_TYPE = "urn:waybill:release:v1";

/** The document whose SHA-256 is the release digest (docs/formats/release.md). */
export interface ReleaseDocument {
  type: typeof RELEASE_TYPE;
  agent: string;
  hash: "sha256";
  /** RFC 6962 root over the component leaves, hex. */
  root: Hex;
  /** Number of component leaves. */
  count: number;
  /** SHA-256 of the settings document, hex. */
  settings: Hex;
}

/** A release document with its digest and its bytes. */
export interface Release {
  digest: Hex;
  document: ReleaseDocument;
}

/**
 * Makes the release of an agent.
 *
 * @param agent the agent's name
 * @param components its component leaves, in any order; at least one, no two with one kind and name
 * @param settings SHA-256 of the settings document (`settingsDigest`)
 * @returns the document and its digest
 * @throws RangeError for no component or a duplicate
 */
export function makeRelease(agent: string, components: readonly ComponentLeaf[], settings: Hex): Release {
  if (components.length === 0) throw new RangeError("a release has at least one component");
  const sorted = components.toSorted(compareComponents);
  sorted.forEach((leaf, i) => {
    if (i > 0 && compareComponents(sorted[i - 1]!, leaf) === 0)
      throw new RangeError(`component ${componentId(leaf)} stands twice`);
  });
  const hashes = sorted.map((leaf) => leafHash(Buffer.from(encodeComponentLeaf(leaf))));
  const document: ReleaseDocument = {
    type: RELEASE_TYPE,
    agent,
    hash: "sha256",
    root: Buffer.from(merkleRoot(hashes)).toString("hex"),
    count: sorted.length,
    settings,
  };
  return { digest: releaseDigest(document), document };
}

/** The release digest: SHA-256 of the RFC 8785 bytes of the release document, hex. */
export function releaseDigest(document: ReleaseDocument): Hex {
  return sha256(encodeRelease(document));
}

/** The bytes that the release digest is taken of. */
export function encodeRelease(document: ReleaseDocument): string {
  return canonicalJson({
    type: document.type,
    agent: document.agent,
    hash: document.hash,
    root: document.root,
    count: document.count,
    settings: document.settings,
  });
}

import { canonicalJson, type Json } from "./canonical-json.ts";
import { compareUtf8, type Digest, isHex, parseDigest } from "./digest.ts";

/** The nine kinds of which an agent is made, in the order in which people think of them. */
export const KINDS = [
  "model",
  "dataset",
  "prompt",
  "tool",
  "corpus",
  "code",
  "dependencies",
  "image",
  "infra",
] as const;

export type Kind = (typeof KINDS)[number];

/** How a component is named in messages and statements, such as `prompt/system`. */
export type ComponentId = `${Kind}/${string}`;

/** One part of an agent as the release digest covers it (docs/formats/release.md). */
export interface ComponentLeaf {
  kind: Kind;
  name: string;
  mediaType: string;
  digest: Digest;
  /** Sum of the sizes of the component's files, in bytes. */
  size: number;
  /** Where the bytes came from, as the manifest declares it. */
  origin?: string;
  /** The digests by which other tools know the same bytes, such as `oms`. */
  also?: Record<string, string>;
}

/** The id of a component. */
export function componentId(component: { kind: Kind; name: string }): ComponentId {
  return `${component.kind}/${component.name}`;
}

/** The bytes of a component leaf: RFC 8785 of exactly its defined fields. */
export function encodeComponentLeaf(leaf: ComponentLeaf): string {
  return canonicalJson({
    kind: leaf.kind,
    name: leaf.name,
    mediaType: leaf.mediaType,
    digest: leaf.digest,
    size: leaf.size,
    ...(leaf.origin === undefined ? {} : { origin: leaf.origin }),
    ...(leaf.also === undefined ? {} : { also: leaf.also as Json }),
  });
}

/** Order of component leaves: bytes of the kind, then UTF-8 bytes of the name. */
export function compareComponents(
  a: { kind: string; name: string },
  b: { kind: string; name: string },
): number {
  return compareUtf8(a.kind, b.kind) || compareUtf8(a.name, b.name);
}

/** Says why a digest cannot stand in a component leaf, or undefined. */
export function digestProblem(digest: string): string | undefined {
  const parsed = parseDigest(digest);
  if (!parsed || !isHex(parsed.hex)) return "not of the form algorithm:64 lower-case hex digits";
  if (parsed.algorithm !== "sha256" && parsed.algorithm !== "waybill-tree-v1")
    return `unknown digest algorithm '${parsed.algorithm}'`;
  return undefined;
}

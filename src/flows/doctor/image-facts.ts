import type { BundleFacts } from "./anatomy.ts";

/** How a signature is attached to an image. */
export type Layout =
  /** cosign 2: the tag `sha256-<hex>.sig`. */
  | "tag .sig"
  /** cosign 2: the tag `sha256-<hex>.att`. */
  | "tag .att"
  /** cosign 3, BUNDLE_SPEC: a manifest that refers to the image. */
  | "referrer"
  /** The same, listed in the tag `sha256-<hex>`, where a registry has no referrers API. */
  | "fallback tag";

/** One signature or attestation that was found beside an image. Nothing in it has been verified. */
export interface FoundSignature {
  layout: Layout;
  /** For people: the tag or manifest. */
  place: string;
  /** A signature says no more than that the image was signed. */
  kind: "signature" | "attestation";
  predicateType?: string;
  /** As the list of referrers states it; consumers that filter on it see no other. */
  listedType?: string;
  /** In the bundle layouts; a problem in any. */
  bundle?: BundleFacts | { problem: string };
  /** In the tag layouts: what its annotations carry. */
  carries?: { log: boolean; certificate: boolean; timestamp: boolean };
}

/** An image and what was found beside it. */
export interface ImageFacts {
  /** As the caller wrote it. */
  given: string;
  /** `registry/repository@sha256:…`; absent for a layout on disk. */
  reference?: string;
  /** Its registry may be spoken to without TLS. */
  plainHttp?: boolean;
  found: FoundSignature[];
}

import { isUtf8 } from "node:buffer";
import type { Json } from "../core/canonical-json.ts";
import { type Hex, parseDigest } from "../core/digest.ts";
import { parseStrictJson } from "../core/strict-json.ts";

/** Media type of a layer that holds such a payload (cosign's SIGNATURE_SPEC). */
export const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";

/** Largest payload that is read, in bytes. */
export const MAX_SIMPLE_SIGNING = 65_536;

const TYPE = "cosign container image signature";

/** What a payload says is signed. */
export interface SimpleSigning {
  /** The image's manifest. */
  digest: Hex;
  /** The repository that the signer had in mind; may be another one after a copy. */
  dockerReference: string;
}

/**
 * The payload that cosign 2 signs: "simple signing" (containers/image, docs/containers-signature.5.md) with
 * cosign's type.
 *
 * @param dockerReference registry and repository
 */
export function makeSimpleSigning(dockerReference: string, digest: Hex): Buffer {
  // The order of keys is cosign's: some tools compare texts.
  const payload = {
    critical: {
      identity: { "docker-reference": dockerReference },
      image: { "docker-manifest-digest": `sha256:${digest}` },
      type: TYPE,
    },
    optional: null,
  };
  return Buffer.from(JSON.stringify(payload));
}

/** Reads such a payload strictly. Verify the signature over these very bytes. Never throws for any bytes. */
export function parseSimpleSigning(bytes: Uint8Array): SimpleSigning | { problem: string } {
  const problem = (what: string) => ({ problem: `not a simple signing payload: ${what}` });
  if (!isUtf8(bytes)) return problem("not UTF-8");
  let data: Json;
  try {
    data = parseStrictJson(Buffer.from(bytes).toString("utf8"), {
      maxBytes: MAX_SIMPLE_SIGNING,
      maxDepth: 16,
    });
  } catch (error) {
    return problem((error as Error).message);
  }
  const critical = at(data, "critical");
  if (at(critical, "type") !== TYPE) return problem(`critical.type is not "${TYPE}"`);
  const digest = at(at(critical, "image"), "docker-manifest-digest");
  const parsed = typeof digest === "string" ? parseDigest(digest) : undefined;
  if (parsed?.algorithm !== "sha256")
    return problem("critical.image.docker-manifest-digest is no sha256 digest");
  const reference = at(at(critical, "identity"), "docker-reference");
  if (typeof reference !== "string") return problem("critical.identity.docker-reference is missing");
  return { digest: parsed.hex, dockerReference: reference };
}

function at(value: Json | undefined, name: string): Json | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

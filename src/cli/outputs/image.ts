import { z } from "zod";
import {
  certificateIdentity,
  count,
  digest,
  finding,
  hex,
  instant,
  predicateType,
  signedBy,
} from "./shared.ts";

/** `sign IMAGE`, and `attest` with an image. */
export const imageSignOutputSchema = z.strictObject({
  image: z.string(),
  digest,
  predicateType,
  ...signedBy,
  places: z.array(
    z.strictObject({
      layout: z.enum(["tag", "referrer"]),
      place: z.string().meta({ description: "the tag or manifest that holds it" }),
    }),
  ),
});

/** `attest` with a file or a folder. */
export const attestOutputSchema = z.strictObject({
  name: z.string(),
  digest,
  predicateType,
  ...signedBy,
  file: z.string().meta({ description: "the bundle" }),
});

/** `verify IMAGE`. */
export const imageVerifyOutputSchema = z.strictObject({
  outcome: z.enum(["allow", "deny"]),
  image: z.string(),
  digest: digest.meta({ description: "of what the reference names" }),
  platform: z
    .strictObject({ name: z.string(), digest })
    .exactOptional()
    .meta({ description: "with --platform: the manifest that the index names for it" }),
  accepted: z.array(
    z.strictObject({
      layout: z.enum(["tag", "referrer"]),
      place: z.string(),
      type: predicateType,
      digest: digest.meta({ description: "what it is about: the manifest, or the index that names it" }),
      by: z.string().meta({ description: "the principal, key or identity" }),
      signer: z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("key"), keyId: hex }),
        z.strictObject({ kind: z.literal("certificate"), identity: certificateIdentity }),
      ]),
      times: z.array(
        z.strictObject({
          at: instant,
          by: z.enum(["rfc3161", "rekor-set", "witness"]),
          authority: z.string(),
        }),
      ),
      logged: z.array(
        z.strictObject({
          origin: z.string(),
          logId: z.string(),
          index: count,
          witnesses: z.array(z.string()),
        }),
      ),
    }),
  ),
  findings: z.array(finding).meta({ description: "why it is denied, or what else does not count" }),
  notes: z.array(z.string()),
});

/** `push`. */
export const pushOutputSchema = z.strictObject({
  agent: z.string(),
  release: digest,
  artifact: digest.meta({ description: "of the artifact's manifest" }),
  sent: z.strictObject({ blobs: count, bytes: count }),
  there: count.meta({ description: "blobs that the registry had" }),
  evidence: count.meta({ description: "bundles stored as referrers" }),
});

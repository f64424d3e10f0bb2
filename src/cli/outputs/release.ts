import { z } from "zod";
import { componentId, count, digest, hex, instant, kind } from "./shared.ts";

/** `lock`. */
export const lockOutputSchema = z.strictObject({
  agent: z.string(),
  release: digest,
  changed: z.boolean().meta({ description: "false: waybill.lock said exactly this already" }),
  files: count,
  components: z.array(
    z.strictObject({
      kind,
      name: z.string(),
      mediaType: z.string(),
      digest,
      size: count.meta({ description: "bytes" }),
      origin: z.string().exactOptional(),
      also: z.record(z.string(), z.string()).exactOptional(),
      files: count,
    }),
  ),
  checksums: z.string().exactOptional().meta({ description: "with --sha256sums: the file written" }),
});

/** `sign`. */
export const signOutputSchema = z.strictObject({
  agent: z.string(),
  release: digest,
  key: z.strictObject({ name: z.string(), keyId: hex }).exactOptional(),
  identity: z
    .strictObject({ subject: z.string(), issuer: z.string() })
    .exactOptional()
    .meta({ description: "with --keyless, whom the certificate names" }),
  file: z.string().meta({ description: "the bundle, relative to the agent's folder" }),
  models: z
    .array(
      z.union([
        z.strictObject({
          component: componentId,
          file: z.string().meta({ description: "its model signature (OMS), relative to the agent's folder" }),
        }),
        z.strictObject({
          component: componentId,
          problem: z.string().meta({ description: "why it has none" }),
        }),
      ]),
    )
    .meta({ description: "one entry for each model of the release" }),
});

/** `channel allow`. */
export const channelAllowOutputSchema = z.strictObject({
  agent: z.string(),
  target: z.string(),
  seq: z.int().min(1),
  expires: instant,
  releases: z.array(hex).min(1).meta({ description: "the allowed releases, the newest first" }),
  file: z.string().meta({ description: "the bundle, relative to the agent's folder" }),
});

/** `init`. */
export const initOutputSchema = z.strictObject({
  file: z.string().nullable().meta({ description: "the manifest written; null with --print" }),
  components: z.array(
    z.strictObject({
      kind,
      name: z.string(),
      path: z.string().exactOptional(),
      paths: z.array(z.string()).exactOptional(),
      origin: z.string().exactOptional(),
      snapshot: z.string().exactOptional(),
      ref: z.string().exactOptional(),
      because: z.string().meta({ description: "why it is proposed" }),
    }),
  ),
  ignore: z.array(z.string()),
  text: z.string().meta({ description: "the manifest" }),
});

import { z } from "zod";
import { errorOutputSchema } from "./error.ts";
import { verdictSchema } from "./verdict.ts";

export const claim = z.strictObject({
  name: z.string(),
  holds: z.boolean(),
  grade: z.enum([
    "kernel-observed",
    "process-mutable",
    "kubelet-claimed",
    "api-declared",
    "canary-tested",
    "unobservable",
  ]),
  reason: z.string(),
});

export const refused = <T extends string>(reason: T) => ({
  event: z.literal("refused"),
  reason: z.literal(reason),
});

/** One line of `run`, on standard error: JSON Lines. Standard output is the command's own. */
export const runOutputSchema = z.union([
  z.strictObject({
    event: z.literal("copied"),
    folder: z.string(),
    files: z.int(),
    bytes: z.int(),
    claims: z.array(claim),
  }),
  z.strictObject({
    event: z.literal("started"),
    pid: z.int(),
    claims: z.array(claim),
    environment: z.array(
      z.strictObject({
        name: z.string(),
        kind: z.enum(["literal", "inherited", "secret", "waybill"]),
        from: z.string().exactOptional(),
        absent: z.literal(true).exactOptional(),
        without: z.array(z.string()).exactOptional(),
      }),
    ),
  }),
  z.strictObject({ event: z.literal("ended"), code: z.int().nullable(), signal: z.string().nullable() }),
  z.strictObject({ ...refused("denied"), verdict: verdictSchema }),
  z.strictObject({ ...refused("other-command"), declared: z.array(z.string()), asked: z.array(z.string()) }),
  z.strictObject({ ...refused("mismatch"), path: z.string(), expected: z.string(), found: z.string() }),
  z.strictObject({ ...refused("expired"), validUntil: z.number() }),
  z.strictObject({ ...refused("interrupted"), signal: z.string() }),
  z.strictObject({ ...refused("error"), error: z.lazy(() => errorOutputSchema.shape.error) }),
]);

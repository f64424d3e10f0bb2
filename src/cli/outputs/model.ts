import { z } from "zod";
import type { ModelVerdict } from "../../flows/model-verify.ts";
import { count, finding, hex } from "./shared.ts";

/** `model sign`. */
export const modelSignOutputSchema = z.strictObject({
  file: z.string().meta({ description: "the signature" }),
  root: hex.meta({ description: "SHA-256 over the files' digests, as OMS defines it" }),
  files: count.meta({ description: "signed names" }),
  links: count.meta({ description: "links among them; then verifiers must allow links" }),
  key: z.strictObject({ name: z.string(), keyId: hex }),
});

/** `model verify`. */
export const modelVerifyOutputSchema = z.strictObject({
  outcome: z.enum(["allow", "deny", "cannot-tell"]),
  model: z.string(),
  signature: z.string(),
  signedBy: z.string().exactOptional(),
  signed: z
    .strictObject({
      root: hex,
      method: z.enum(["files", "shards"]),
      hashType: z.enum(["sha256", "blake2b", "blake3"]),
      resources: count,
    })
    .exactOptional()
    .meta({ description: "present where the signer is the expected one" }),
  compared: count.meta({ description: "resources whose digests were computed and compared" }),
  findings: z.array(finding).meta({ description: "what denies" }),
  advisory: z.array(finding),
  notEvaluated: z.array(z.string()),
}) satisfies z.ZodType<ModelVerdict>;

import { z } from "zod";
import type { BundleOutcome } from "../../flows/verify-bundles.ts";
import { certificateIdentity, count, finding, hex, instant } from "./shared.ts";

/** `verify` with operands: an entry a bundle. */
export const bundlesOutputSchema = z.array(
  z.strictObject({
    file: z.string(),
    accepted: z.boolean(),
    signer: z
      .discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("key"), keyId: hex }),
        z.strictObject({ kind: z.literal("certificate"), identity: certificateIdentity }),
      ])
      .exactOptional()
      .meta({ description: "absent where the signature was not established" }),
    principal: z.string().exactOptional().meta({ description: "with a trust policy: whose signature it is" }),
    times: z.array(
      z.strictObject({ at: instant, by: z.enum(["rfc3161", "rekor-set", "witness"]), authority: z.string() }),
    ),
    logged: z.array(
      z.strictObject({ origin: z.string(), logId: z.string(), index: count, witnesses: z.array(z.string()) }),
    ),
    predicateType: z.string().exactOptional(),
    findings: z.array(finding),
    notEvaluated: z.array(z.string()).meta({ description: "what was not looked at" }),
  } satisfies Record<keyof BundleOutcome, z.ZodType>),
) satisfies z.ZodType<BundleOutcome[]>;

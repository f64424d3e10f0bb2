import { z } from "zod";

/** `doctor`. */
export const doctorOutputSchema = z.strictObject({
  target: z.string(),
  outcome: z.enum(["allow", "deny", "cannot-tell"]).meta({ description: "deny: at least one refuses" }),
  diagnoses: z.array(
    z.strictObject({
      consumer: z.enum(["waybill", "cosign2", "cosign3", "model_signing", "policy-controller", "kyverno"]),
      version: z.string().exactOptional().meta({ description: "of the program, or of the rules" }),
      how: z.enum(["run", "by its rules", "not installed"]),
      outcome: z.enum(["accepts", "refuses", "cannot tell"]),
      command: z.string().exactOptional().meta({ description: "to be pasted into a shell" }),
      why: z.array(z.string()).meta({ description: "why it refuses, or on what condition it accepts" }),
      fix: z.array(z.string()),
      said: z
        .string()
        .exactOptional()
        .meta({ description: "the program's last line: for people, no evidence" }),
    }),
  ),
});

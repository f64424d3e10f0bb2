import { z } from "zod";
import { JOB_ERRORS, type JobErrorCode } from "../../core/errors.ts";

/** Any command whose job could not be done. Exit code 2 for WB-INPUT-007, else 4. */
export const errorOutputSchema = z.strictObject({
  error: z.strictObject({
    code: z.enum(Object.keys(JOB_ERRORS) as [JobErrorCode, ...JobErrorCode[]]),
    message: z.string(),
    hint: z.string(),
  }),
});

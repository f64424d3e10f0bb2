import { z } from "zod";
import type { Rule } from "../../core/finding.ts";
import { code } from "./shared.ts";

const listed = z.strictObject({ code, title: z.string() });

const rule = z.strictObject({
  code,
  title: z.string(),
  why: z.string(),
  fix: z.string(),
  group: z.enum(["integrity", "signature", "trust", "freshness", "hygiene"]),
  blocksAt: z.enum(["baseline", "strict"]),
  example: z
    .strictObject({ file: z.string().exactOptional(), bad: z.string(), good: z.string() })
    .exactOptional(),
} satisfies Record<keyof Rule, z.ZodType>) satisfies z.ZodType<Rule>;

/** `explain`: all codes as a list; one code as its rule, or as a job error, which has only a title. */
export const explainOutputSchema = z.union([z.array(listed), rule, listed]);

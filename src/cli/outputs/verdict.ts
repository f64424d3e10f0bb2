import { z } from "zod";
import { type CheckResult, DOORS, LEVELS } from "../../core/finding.ts";
import type { Verdict } from "../../core/verdict.ts";
import { code, finding, hex, instant } from "./shared.ts";

const checked = { code, coverage: z.string().meta({ description: "what was looked at" }) };

const checkResult = z.discriminatedUnion("status", [
  z.strictObject({ ...checked, status: z.literal("pass") }),
  z.strictObject({ ...checked, status: z.literal("fail"), findings: z.array(finding) }),
  z.strictObject({ ...checked, status: z.literal("not-evaluated"), reason: z.string() }),
]) satisfies z.ZodType<CheckResult>;

/** `check` and `verify`. */
export const verdictSchema = z.strictObject({
  outcome: z.enum(["allow", "deny", "cannot-tell"]),
  reason: z.string().meta({ description: "the one sentence that decides it" }),
  door: z.enum(DOORS),
  target: z.string(),
  level: z.enum(LEVELS),
  agent: z.string(),
  release: hex.exactOptional().meta({ description: "the release digest, SHA-256 in hex" }),
  trust: z.strictObject({
    origin: z.enum(["operator", "self-asserted", "none"]),
    file: z.string().exactOptional(),
  }),
  signedBy: z.array(
    z.strictObject({
      principal: z.string(),
      key: hex.exactOptional().meta({ description: "key id" }),
      identity: z.string().exactOptional().meta({ description: "subject of the certificate (issuer)" }),
    }),
  ),
  blocking: z.array(finding).meta({ description: "findings that deny at this level" }),
  advisory: z.array(finding).meta({ description: "findings that do not" }),
  notEvaluated: z.array(
    z.strictObject({
      code,
      reason: z.string(),
      coverage: z.string(),
      required: z.boolean().meta({ description: "true: it alone makes `cannot-tell`" }),
    }),
  ),
  results: z.array(checkResult).meta({ description: "every result, in the order of evaluation" }),
  notes: z.array(z.string()).meta({ description: "what the verdict rests on and cannot prove" }),
  decidedAt: instant,
  validUntil: instant.exactOptional(),
} satisfies Record<keyof Verdict, z.ZodType>) satisfies z.ZodType<Verdict>;

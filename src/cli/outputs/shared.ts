import { z } from "zod";
import { KINDS } from "../../core/component.ts";
import type { Hex } from "../../core/digest.ts";
import type { Finding } from "../../core/finding.ts";

// Parts of what commands print with `--format json`.

export const hex = z.string().regex(/^[0-9a-f]{64}$/) satisfies z.ZodType<Hex>;

export const digest = z.string().regex(/^(sha256|waybill-tree-v1):[0-9a-f]{64}$/);

export const code = z.string().regex(/^WB-[A-Z]+-\d{3}$/);

export const count = z.int().min(0);

export const instant = z.string().meta({ format: "date-time" });

export const kind = z.enum(KINDS);

export const componentId = z.templateLiteral([kind, "/", z.string()]);

export const sourceRange = z.strictObject({
  file: z.string(),
  line: z.int().min(1).meta({ description: "from 1" }),
  column: z.int().min(1).meta({ description: "from 1" }),
  length: count.meta({ description: "characters to underline" }),
});

export const finding = z.strictObject({
  code: code.meta({ description: "permanent; `waybill explain CODE`" }),
  message: z.string().meta({ description: "what is wrong" }),
  component: componentId.exactOptional().meta({ description: "kind/name" }),
  path: z.string().exactOptional().meta({ description: "relative to the agent's folder" }),
  where: sourceRange.exactOptional(),
  label: z.string().exactOptional(),
  expected: z.string().exactOptional(),
  found: z.string().exactOptional(),
  details: z.array(z.string()).exactOptional(),
  why: z.string(),
  fix: z.string(),
  final: z.boolean().exactOptional().meta({ description: "true: no exception can pass it" }),
} satisfies Record<keyof Finding, z.ZodType>) satisfies z.ZodType<Finding>;

export const certificateIdentity = z.strictObject({
  issuer: z.string().exactOptional().meta({ description: "who vouches for it, as the certificate says" }),
  subjects: z.array(z.string()),
  root: z.string().meta({ description: "the trusted root whose authority issued the certificate" }),
  notBefore: z.int().meta({ description: "milliseconds since 1970" }),
  notAfter: z.int(),
});

export const predicateType = z.string().meta({ description: "in-toto predicate type" });

export const signedBy = {
  key: z.strictObject({ name: z.string(), keyId: hex }).exactOptional(),
  identity: z.strictObject({ subject: z.string(), issuer: z.string() }).exactOptional(),
};

import { z } from "zod";
import { code, count, digest, finding, hex, instant } from "./shared.ts";

const trustFile = {
  file: z.string(),
  version: z.int().min(1),
  digest: digest.meta({ description: "sha256 of the parsed policy in RFC 8785: what its roots sign" }),
};

/** `trust add`, `trust retire` and `trust update`. */
export const trustChangeOutputSchema = z.strictObject({
  ...trustFile,
  kept: z.string().exactOptional().meta({ description: "where the former version lies" }),
});

/** `trust sign`. */
export const trustSignOutputSchema = z.strictObject({
  ...trustFile,
  file: z.string().meta({ description: "the bundle" }),
  key: z.strictObject({ name: z.string(), keyId: hex }),
});

const span = { notBefore: instant.exactOptional(), notAfter: instant.exactOptional() };

export const group = { principals: z.array(z.string()), threshold: z.int().min(1) };

/** `trust show`. */
export const trustShowOutputSchema = z.strictObject({
  ...trustFile,
  expires: instant,
  principals: z.array(
    z.strictObject({
      name: z.string(),
      keys: z.array(z.strictObject({ keyId: hex, ...span, revoked: z.boolean() })),
      identities: z.array(
        z.strictObject({
          issuer: z.string().exactOptional(),
          subject: z.string().exactOptional(),
          subjectPattern: z.string().exactOptional(),
          roots: z.array(z.string()).meta({ description: "trusted roots whose authorities may issue it" }),
          ...span,
        }),
      ),
    }),
  ),
  rules: z.array(
    z.strictObject({
      evidence: z.string(),
      agents: z.array(z.string()),
      targets: z.array(z.string()),
      ...group,
    }),
  ),
  roots: z.strictObject(group).exactOptional().meta({ description: "who signs versions of the policy" }),
  trustedRoots: z.array(
    z.strictObject({
      name: z.string(),
      certificateAuthorities: count,
      logs: count,
      timestampAuthorities: count,
    }),
  ),
  witnesses: z.strictObject({ threshold: z.int().min(1), names: z.array(z.string()) }).exactOptional(),
  revoked: z.array(
    z.strictObject({
      key: hex.exactOptional(),
      identity: z.strictObject({ issuer: z.string().exactOptional(), subject: z.string() }).exactOptional(),
      compromisedSince: instant.exactOptional(),
      reason: z.string(),
    }),
  ),
  findings: z.array(z.strictObject({ code, message: z.string(), fix: z.string() })),
});

/** `trust plan`. */
export const trustPlanOutputSchema = z.strictObject({
  refused: z.array(finding).meta({ description: "why doors would not take the new policy over" }),
  statements: z.array(
    z.strictObject({
      files: z.array(z.string()),
      claim: z.strictObject({
        evidence: z.string(),
        agent: z.string().exactOptional(),
        target: z.string().exactOptional(),
      }),
      before: z.string().nullable().meta({ description: "why it does not count; null: it does" }),
      after: z.string().nullable(),
      change: z.enum(["stops", "starts", "same"]),
    }),
  ),
  unread: z.array(z.strictObject({ file: z.string(), problem: z.string() })),
  stops: z.boolean().meta({ description: "something that verifies now would not under the new policy" }),
});

import { z } from "zod";
import { MAX_IDENTITY } from "../core/identity-pattern.ts";
import { hexSchema, nameSchema } from "../evidence/predicate.ts";
import { timestamp } from "../evidence/timestamp.ts";

const nameOrAny = z.union([z.literal("*"), nameSchema]);
const window = {
  notBefore: timestamp.exactOptional().meta({ description: "counts from this instant" }),
  notAfter: timestamp.exactOptional().meta({ description: "no longer counts from this instant" }),
};

/** Plain http only to this machine: an issuer that is fetched in the clear says whatever the way between says. */
const ISSUER = /^(?:https:\/\/[^\s/?#@]+|http:\/\/(?:127\.0\.0\.1|localhost)(?::\d{1,5})?)(?:\/[^\s?#]*)?$/;

const issuer = z
  .string()
  .max(MAX_IDENTITY)
  .regex(ISSUER, "the https:// address of an OIDC issuer, as its tokens state it")
  .meta({ description: "OIDC issuer; absent only for certificates of an authority that states none" });
const subject = z.string().min(1).max(MAX_IDENTITY);
const threshold = z.int().min(1);

const key = z.strictObject({
  publicKey: z.string().max(4096).meta({ description: "PEM (SPKI), ECDSA P-256, P-384 or P-521" }),
  ...window,
});

const identity = z.strictObject({
  issuer: issuer.exactOptional(),
  subject: subject.exactOptional().meta({ description: "exactly this subject alternative name" }),
  subjectPattern: subject
    .exactOptional()
    .meta({ description: "instead of subject: the whole name; * within a path segment, ** anything" }),
  roots: z
    .array(nameSchema)
    .min(1)
    .max(100)
    .exactOptional()
    .meta({ description: "trusted roots whose authorities may issue it; needed when there are several" }),
  ...window,
});

/** The schema of `waybill.trust.yaml`; published as docs/schemas/waybill.trust.schema.json. */
export const trustSchema = z.strictObject({
  waybillTrust: z.literal("v1").meta({ description: "version of this format" }),
  version: z.int().min(1).meta({ description: "rises with every change" }),
  expires: timestamp.meta({ description: "from then on this file trusts no one" }),
  principals: z
    .array(
      z.strictObject({
        name: nameSchema.meta({
          description: "a person or workload; thresholds count these, never keys or identities",
        }),
        keys: z.array(key).max(100).default([]),
        identities: z.array(identity).max(100).default([]),
      }),
    )
    .max(1000),
  rules: z
    .array(
      z.strictObject({
        evidence: z
          .string()
          .max(64)
          .meta({ description: "short name of a kind of evidence: release, channel, sbom…" }),
        agents: z.array(nameOrAny).min(1).max(1000).meta({ description: 'exact names, or "*"' }),
        targets: z.array(nameOrAny).min(1).max(1000).default(["*"]).meta({ description: "for channel only" }),
        principals: z.array(nameSchema).max(1000),
        threshold: threshold.meta({ description: "distinct principals that must have signed" }),
      }),
    )
    .max(1000),
  roots: z
    .strictObject({
      principals: z.array(nameSchema).min(1).max(1000),
      threshold: threshold.meta({ description: "distinct principals that must sign a version" }),
    })
    .exactOptional()
    .meta({ description: "who signs versions of this file; absent: whoever can write it" }),
  trustedRoots: z
    .array(
      z.strictObject({
        name: nameSchema.meta({ description: "by which identities refer to it" }),
        root: z
          .record(z.string().max(64), z.json())
          .meta({ description: "a Sigstore trusted_root.json: authorities, logs, timestamp authorities" }),
      }),
    )
    .max(20)
    .default([]),
  witnesses: z
    .strictObject({
      threshold: threshold.meta({ description: "distinct witnesses that must have cosigned, at strict" }),
      keys: z
        .array(z.string().max(1024).meta({ description: "C2SP verifier key: name+hash+base64" }))
        .min(1)
        .max(100),
    })
    .exactOptional(),
  revoked: z
    .array(
      z.strictObject({
        key: hexSchema.exactOptional().meta({ description: "hex SHA-256 of the key's SPKI in DER" }),
        identity: z
          .strictObject({ issuer: issuer.exactOptional(), subject })
          .exactOptional()
          .meta({ description: "instead of key" }),
        compromisedSince: timestamp
          .exactOptional()
          .meta({ description: "signatures proved to be older still count" }),
        reason: z.string().min(1).max(1024),
      }),
    )
    .max(10_000)
    .default([]),
});

export type TrustDocument = z.infer<typeof trustSchema>;

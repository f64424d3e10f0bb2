import { z } from "zod";
import { KINDS } from "../core/component.ts";
import type { Hex } from "../core/digest.ts";
import { JOB_ERRORS, type JobErrorCode } from "../core/errors.ts";
import { type CheckResult, DOORS, type Finding, LEVELS, type Rule } from "../core/finding.ts";
import type { Verdict } from "../core/verdict.ts";
import type { EntrySummary, JournalView } from "../flows/journal.ts";
import type { UploadedBundle } from "../flows/journal-upload.ts";
import type { ModelVerdict } from "../flows/model-verify.ts";
import type { BundleOutcome } from "../flows/verify-bundles.ts";
import type { JournalReport } from "../journal/fsck.ts";

// What each command prints with `--format json`, published as docs/schemas/output/*.json. Where a type of `core/`
// says the same, it stands behind `satisfies`, with all its fields, so that the two cannot drift apart unseen.

const hex = z.string().regex(/^[0-9a-f]{64}$/) satisfies z.ZodType<Hex>;
const digest = z.string().regex(/^(sha256|waybill-tree-v1):[0-9a-f]{64}$/);
const code = z.string().regex(/^WB-[A-Z]+-\d{3}$/);
const count = z.int().min(0);
const instant = z.string().meta({ format: "date-time" });
const kind = z.enum(KINDS);
const componentId = z.templateLiteral([kind, "/", z.string()]);

const sourceRange = z.strictObject({
  file: z.string(),
  line: z.int().min(1).meta({ description: "from 1" }),
  column: z.int().min(1).meta({ description: "from 1" }),
  length: count.meta({ description: "characters to underline" }),
});

const finding = z.strictObject({
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

const certificateIdentity = z.strictObject({
  issuer: z.string().exactOptional().meta({ description: "who vouches for it, as the certificate says" }),
  subjects: z.array(z.string()),
  root: z.string().meta({ description: "the trusted root whose authority issued the certificate" }),
  notBefore: z.int().meta({ description: "milliseconds since 1970" }),
  notAfter: z.int(),
});

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

/** `lock`. */
export const lockOutputSchema = z.strictObject({
  agent: z.string(),
  release: digest,
  changed: z.boolean().meta({ description: "false: waybill.lock said exactly this already" }),
  files: count,
  components: z.array(
    z.strictObject({
      kind,
      name: z.string(),
      mediaType: z.string(),
      digest,
      size: count.meta({ description: "bytes" }),
      origin: z.string().exactOptional(),
      also: z.record(z.string(), z.string()).exactOptional(),
      files: count,
    }),
  ),
  checksums: z.string().exactOptional().meta({ description: "with --sha256sums: the file written" }),
});

/** `sign`. */
export const signOutputSchema = z.strictObject({
  agent: z.string(),
  release: digest,
  key: z.strictObject({ name: z.string(), keyId: hex }).exactOptional(),
  identity: z
    .strictObject({ subject: z.string(), issuer: z.string() })
    .exactOptional()
    .meta({ description: "with --keyless, whom the certificate names" }),
  file: z.string().meta({ description: "the bundle, relative to the agent's folder" }),
  models: z
    .array(
      z.union([
        z.strictObject({
          component: componentId,
          file: z.string().meta({ description: "its model signature (OMS), relative to the agent's folder" }),
        }),
        z.strictObject({
          component: componentId,
          problem: z.string().meta({ description: "why it has none" }),
        }),
      ]),
    )
    .meta({ description: "one entry for each model of the release" }),
});

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

/** `channel allow`. */
export const channelAllowOutputSchema = z.strictObject({
  agent: z.string(),
  target: z.string(),
  seq: z.int().min(1),
  expires: instant,
  releases: z.array(hex).min(1).meta({ description: "the allowed releases, the newest first" }),
  file: z.string().meta({ description: "the bundle, relative to the agent's folder" }),
});

/** `keys create` prints one object, `keys show` a list with the public keys. */
export const keysOutputSchema = z.union([
  z.strictObject({ name: z.string(), keyId: hex }),
  z.array(
    z.strictObject({ name: z.string(), keyId: hex, publicKey: z.string().meta({ description: "PEM" }) }),
  ),
]);

/** `init`. */
export const initOutputSchema = z.strictObject({
  file: z.string().nullable().meta({ description: "the manifest written; null with --print" }),
  components: z.array(
    z.strictObject({
      kind,
      name: z.string(),
      path: z.string().exactOptional(),
      paths: z.array(z.string()).exactOptional(),
      origin: z.string().exactOptional(),
      snapshot: z.string().exactOptional(),
      ref: z.string().exactOptional(),
      because: z.string().meta({ description: "why it is proposed" }),
    }),
  ),
  ignore: z.array(z.string()),
  text: z.string().meta({ description: "the manifest" }),
});

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
const group = { principals: z.array(z.string()), threshold: z.int().min(1) };

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

const claim = z.strictObject({
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
const refused = <T extends string>(reason: T) => ({ event: z.literal("refused"), reason: z.literal(reason) });

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

const entrySummary = z.strictObject({
  index: count,
  leaf: hex.meta({ description: "RFC 6962 leaf hash" }),
  keyId: hex.exactOptional().meta({ description: "of the key that signed" }),
  predicateType: z.string().exactOptional(),
  subjects: z
    .array(z.strictObject({ name: z.string().exactOptional(), digest: z.record(z.string(), z.string()) }))
    .exactOptional(),
  unknown: z.string().exactOptional().meta({ description: "why nothing more is known" }),
} satisfies Record<keyof EntrySummary, z.ZodType>) satisfies z.ZodType<EntrySummary>;

/** `journal init`. */
export const journalInitOutputSchema = z.strictObject({
  origin: z.string(),
  folder: z.string(),
  size: count,
  verifierKey: z.string().meta({ description: "C2SP verifier key" }),
  logId: hex,
  trustedRoot: z.string().meta({ description: "file of the Sigstore trusted root that names this log" }),
});

/** `journal show`. */
export const journalShowOutputSchema = z.strictObject({
  origin: z.string(),
  size: count,
  root: hex,
  checkpoint: z.string().meta({ description: "the signed note" }),
  verifierKey: z.string().meta({ description: "C2SP verifier key" }),
  logId: hex,
  entries: z.array(entrySummary).meta({ description: "the newest last" }),
} satisfies Record<keyof JournalView, z.ZodType>) satisfies z.ZodType<JournalView>;

/** `journal prove`. */
export const journalProveOutputSchema = z.strictObject({
  origin: z.string(),
  size: count,
  root: hex,
  entry: entrySummary,
  proof: z.array(hex).meta({ description: "RFC 6962 path, from the leaf up" }),
  tlogEntry: z.json().meta({ description: "Sigstore TransparencyLogEntry, as bundles carry it" }),
});

/** `journal fsck` and `fsck`. */
export const journalFsckOutputSchema = z.strictObject({
  origin: z.string().exactOptional(),
  size: count.exactOptional(),
  root: hex.exactOptional(),
  findings: z.array(finding).meta({ description: "at most 1,000" }),
  found: count.meta({ description: "findings in all" }),
  notes: z.array(z.string()),
  verified: count.meta({ description: "envelopes whose signature was verified" }),
  external: z.array(z.strictObject({ index: count, leaf: hex, verifier: hex })),
  erased: z.array(z.strictObject({ index: count, leaf: hex, by: hex, reason: z.string(), at: instant })),
} satisfies Record<keyof JournalReport, z.ZodType>) satisfies z.ZodType<JournalReport>;

/** `journal upload`. */
export const journalUploadOutputSchema = z.array(
  z.strictObject({
    file: z.string(),
    index: count,
    leaf: hex,
    known: z.boolean().meta({ description: "its envelope was there before" }),
  } satisfies Record<keyof UploadedBundle, z.ZodType>),
) satisfies z.ZodType<UploadedBundle[]>;

/** `journal cosign`. */
export const journalCosignOutputSchema = z.strictObject({
  origin: z.string(),
  size: count,
  checkpoint: z.string().meta({ description: "the signed note, with the cosignatures" }),
  witnesses: z.array(
    z.strictObject({
      name: z.string(),
      cosigned: z.boolean(),
      at: instant.exactOptional(),
      seen: count.exactOptional().meta({ description: "size that it has cosigned" }),
      ahead: z
        .boolean()
        .exactOptional()
        .meta({ description: "it has cosigned a larger tree: the log was rolled back, or forked" }),
      problem: z.string().exactOptional(),
    }),
  ),
});

/** Any command whose job could not be done. Exit code 2 for WB-INPUT-007, else 4. */
export const errorOutputSchema = z.strictObject({
  error: z.strictObject({
    code: z.enum(Object.keys(JOB_ERRORS) as [JobErrorCode, ...JobErrorCode[]]),
    message: z.string(),
    hint: z.string(),
  }),
});

const predicateType = z.string().meta({ description: "in-toto predicate type" });
const signedBy = {
  key: z.strictObject({ name: z.string(), keyId: hex }).exactOptional(),
  identity: z.strictObject({ subject: z.string(), issuer: z.string() }).exactOptional(),
};

/** `sign IMAGE`, and `attest` with an image. */
export const imageSignOutputSchema = z.strictObject({
  image: z.string(),
  digest,
  predicateType,
  ...signedBy,
  places: z.array(
    z.strictObject({
      layout: z.enum(["tag", "referrer"]),
      place: z.string().meta({ description: "the tag or manifest that holds it" }),
    }),
  ),
});

/** `attest` with a file or a folder. */
export const attestOutputSchema = z.strictObject({
  name: z.string(),
  digest,
  predicateType,
  ...signedBy,
  file: z.string().meta({ description: "the bundle" }),
});

/** `verify IMAGE`. */
export const imageVerifyOutputSchema = z.strictObject({
  outcome: z.enum(["allow", "deny"]),
  image: z.string(),
  digest: digest.meta({ description: "of what the reference names" }),
  platform: z
    .strictObject({ name: z.string(), digest })
    .exactOptional()
    .meta({ description: "with --platform: the manifest that the index names for it" }),
  accepted: z.array(
    z.strictObject({
      layout: z.enum(["tag", "referrer"]),
      place: z.string(),
      type: predicateType,
      digest: digest.meta({ description: "what it is about: the manifest, or the index that names it" }),
      by: z.string().meta({ description: "the principal, key or identity" }),
      signer: z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("key"), keyId: hex }),
        z.strictObject({ kind: z.literal("certificate"), identity: certificateIdentity }),
      ]),
      times: z.array(
        z.strictObject({
          at: instant,
          by: z.enum(["rfc3161", "rekor-set", "witness"]),
          authority: z.string(),
        }),
      ),
      logged: z.array(
        z.strictObject({
          origin: z.string(),
          logId: z.string(),
          index: count,
          witnesses: z.array(z.string()),
        }),
      ),
    }),
  ),
  findings: z.array(finding).meta({ description: "why it is denied, or what else does not count" }),
  notes: z.array(z.string()),
});

/** `push`. */
export const pushOutputSchema = z.strictObject({
  agent: z.string(),
  release: digest,
  artifact: digest.meta({ description: "of the artifact's manifest" }),
  sent: z.strictObject({ blobs: count, bytes: count }),
  there: count.meta({ description: "blobs that the registry had" }),
  evidence: count.meta({ description: "bundles stored as referrers" }),
});

/** Every output by the name of its schema file, with what it is. */
export const OUTPUT_SCHEMAS: Readonly<Record<string, { schema: z.ZodType; title: string }>> = {
  verdict: { schema: verdictSchema, title: "what `waybill check` and `waybill verify` print" },
  bundles: { schema: bundlesOutputSchema, title: "what `waybill verify BUNDLE…` prints" },
  lock: { schema: lockOutputSchema, title: "what `waybill lock` prints" },
  sign: { schema: signOutputSchema, title: "what `waybill sign` prints" },
  attest: { schema: attestOutputSchema, title: "what `waybill attest FILE` prints" },
  "image-sign": {
    schema: imageSignOutputSchema,
    title: "what `waybill sign IMAGE` and `waybill attest IMAGE` print",
  },
  "image-verify": { schema: imageVerifyOutputSchema, title: "what `waybill verify IMAGE` prints" },
  push: { schema: pushOutputSchema, title: "what `waybill push` prints" },
  "model-sign": { schema: modelSignOutputSchema, title: "what `waybill model sign` prints" },
  "model-verify": { schema: modelVerifyOutputSchema, title: "what `waybill model verify` prints" },
  "channel-allow": { schema: channelAllowOutputSchema, title: "what `waybill channel allow` prints" },
  run: { schema: runOutputSchema, title: "what `waybill run` prints on standard error, an object a line" },
  keys: { schema: keysOutputSchema, title: "what `waybill keys create` and `waybill keys show` print" },
  init: { schema: initOutputSchema, title: "what `waybill init` prints" },
  doctor: { schema: doctorOutputSchema, title: "what `waybill doctor` prints" },
  "journal-init": { schema: journalInitOutputSchema, title: "what `waybill journal init` prints" },
  "journal-show": { schema: journalShowOutputSchema, title: "what `waybill journal show` prints" },
  "journal-prove": { schema: journalProveOutputSchema, title: "what `waybill journal prove` prints" },
  "journal-fsck": { schema: journalFsckOutputSchema, title: "what `waybill journal fsck` prints" },
  "journal-upload": { schema: journalUploadOutputSchema, title: "what `waybill journal upload` prints" },
  "journal-cosign": { schema: journalCosignOutputSchema, title: "what `waybill journal cosign` prints" },
  "trust-change": {
    schema: trustChangeOutputSchema,
    title: "what `waybill trust add`, `trust retire` and `trust update` print",
  },
  "trust-sign": { schema: trustSignOutputSchema, title: "what `waybill trust sign` prints" },
  "trust-show": { schema: trustShowOutputSchema, title: "what `waybill trust show` prints" },
  "trust-plan": { schema: trustPlanOutputSchema, title: "what `waybill trust plan` prints" },
  explain: { schema: explainOutputSchema, title: "what `waybill explain` prints" },
  error: { schema: errorOutputSchema, title: "what any command prints when its job could not be done" },
};

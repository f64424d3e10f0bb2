import { z } from "zod";
import { KINDS } from "../core/component.ts";
import type { Hex } from "../core/digest.ts";
import { JOB_ERRORS, type JobErrorCode } from "../core/errors.ts";
import { type CheckResult, DOORS, type Finding, LEVELS, type Rule } from "../core/finding.ts";
import type { Verdict } from "../core/verdict.ts";

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
  signedBy: z.array(z.strictObject({ principal: z.string(), key: z.string() })),
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
  key: z.strictObject({ name: z.string(), keyId: hex }),
  file: z.string().meta({ description: "the bundle, relative to the agent's folder" }),
});

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

/** Any command whose job could not be done. Exit code 2 for WB-INPUT-007, else 4. */
export const errorOutputSchema = z.strictObject({
  error: z.strictObject({
    code: z.enum(Object.keys(JOB_ERRORS) as [JobErrorCode, ...JobErrorCode[]]),
    message: z.string(),
    hint: z.string(),
  }),
});

/** Every output by the name of its schema file, with what it is. */
export const OUTPUT_SCHEMAS: Readonly<Record<string, { schema: z.ZodType; title: string }>> = {
  verdict: { schema: verdictSchema, title: "what `waybill check` and `waybill verify` print" },
  lock: { schema: lockOutputSchema, title: "what `waybill lock` prints" },
  sign: { schema: signOutputSchema, title: "what `waybill sign` prints" },
  "channel-allow": { schema: channelAllowOutputSchema, title: "what `waybill channel allow` prints" },
  run: { schema: runOutputSchema, title: "what `waybill run` prints on standard error, an object a line" },
  keys: { schema: keysOutputSchema, title: "what `waybill keys create` and `waybill keys show` print" },
  init: { schema: initOutputSchema, title: "what `waybill init` prints" },
  explain: { schema: explainOutputSchema, title: "what `waybill explain` prints" },
  error: { schema: errorOutputSchema, title: "what any command prints when its job could not be done" },
};

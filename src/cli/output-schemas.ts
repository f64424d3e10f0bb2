import type { z } from "zod";
import { bundlesOutputSchema } from "./outputs/bundles.ts";
import { doctorOutputSchema } from "./outputs/doctor.ts";
import { errorOutputSchema } from "./outputs/error.ts";
import { explainOutputSchema } from "./outputs/explain.ts";
import {
  attestOutputSchema,
  imageSignOutputSchema,
  imageVerifyOutputSchema,
  pushOutputSchema,
} from "./outputs/image.ts";
import {
  journalCosignOutputSchema,
  journalFsckOutputSchema,
  journalInitOutputSchema,
  journalProveOutputSchema,
  journalShowOutputSchema,
  journalUploadOutputSchema,
} from "./outputs/journal.ts";
import { keysOutputSchema } from "./outputs/keys.ts";
import { modelSignOutputSchema, modelVerifyOutputSchema } from "./outputs/model.ts";
import {
  channelAllowOutputSchema,
  initOutputSchema,
  lockOutputSchema,
  signOutputSchema,
} from "./outputs/release.ts";
import { runOutputSchema } from "./outputs/run.ts";
import {
  trustChangeOutputSchema,
  trustPlanOutputSchema,
  trustShowOutputSchema,
  trustSignOutputSchema,
} from "./outputs/trust.ts";
import { verdictSchema } from "./outputs/verdict.ts";

// What each command prints with `--format json`, published as docs/schemas/output/*.json. Where a type of `core/`
// says the same, it stands behind `satisfies`, with all its fields, so that the two cannot drift apart unseen.

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

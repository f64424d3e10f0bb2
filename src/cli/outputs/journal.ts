import { z } from "zod";
import type { EntrySummary, JournalView } from "../../flows/journal.ts";
import type { UploadedBundle } from "../../flows/journal-upload.ts";
import type { JournalReport } from "../../journal/fsck.ts";
import { count, finding, hex, instant } from "./shared.ts";

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

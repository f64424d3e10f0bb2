import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import type { Hex } from "../core/digest.ts";
import { parseStrictJson } from "../core/strict-json.ts";

/** An entry's envelope was taken out on purpose (docs/formats/journal.md, "Erasure"). */
export const ERASURE_TYPE = "urn:waybill:erasure:v1";

/** An entry came from outside, without its envelope. */
export const EXTERNAL_TYPE = "urn:waybill:external-entry:v1";

const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";

/** What a journal's own statement says of one of its entries. */
export type OwnStatement =
  | { type: typeof ERASURE_TYPE; index: number; leaf: Hex; reason: string; at: string }
  | { type: typeof EXTERNAL_TYPE; index: number; leaf: Hex; verifier: Hex };

const leaf = z.string().regex(/^[0-9a-f]{64}$/);
const index = z.int().min(0);
/** What an erasure says. */
export const erasureSchema = z.strictObject({
  index,
  leaf,
  reason: z.string().min(1).max(1000),
  at: z.iso.datetime(),
});
export type Erasure = z.infer<typeof erasureSchema>;

/** What is said of an entry from outside: `verifier` is the id of the key that it names. */
export const externalSchema = z.strictObject({ index, leaf, verifier: leaf });
export type ExternalEntry = z.infer<typeof externalSchema>;

const statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.object({ name: z.string(), digest: z.record(z.string(), z.string()) })).length(1),
  predicateType: z.enum([ERASURE_TYPE, EXTERNAL_TYPE]),
  predicate: z.unknown(),
});

/**
 * The statement that erases an envelope, to be signed by the maker of the erased one or by the journal's operator,
 * and logged.
 *
 * @param entry index and leaf hash of the erased entry; `digest` and its algorithm as in that entry, lower-case hex
 * @returns RFC 8785 JSON
 */
export function makeErasureStatement(
  entry: { index: number; leaf: Hex; algorithm: "sha256" | "sha384" | "sha512"; digest: string },
  why: { reason: string; at: string },
): string {
  const predicate = erasureSchema.parse({ index: entry.index, leaf: entry.leaf, ...why });
  const subject = [{ name: "entry", digest: { [entry.algorithm]: entry.digest } }];
  return canonicalJson({
    _type: STATEMENT_TYPE,
    subject,
    predicateType: ERASURE_TYPE,
    predicate,
  } as unknown as Json);
}

/**
 * The statement that an operator signs about an entry from outside.
 *
 * @param subject the digest that the entry was made over, by its algorithm, lower-case hex
 * @returns RFC 8785 JSON
 */
export function makeExternalStatement(subject: Record<string, string>, entry: ExternalEntry): string {
  return canonicalJson({
    _type: STATEMENT_TYPE,
    subject: [{ name: "entry", digest: subject }],
    predicateType: EXTERNAL_TYPE,
    predicate: externalSchema.parse(entry),
  } as unknown as Json);
}

/**
 * What a logged payload says of another entry: its erasure, or that it came from outside, with the digest that it names
 * as its subject. Undefined for every other statement; a problem for a malformed one. Never throws.
 */
export function readOwnStatement(
  payload: Uint8Array,
): (OwnStatement & { subject: Record<string, string> }) | { problem: string } | undefined {
  // Most payloads are others': told apart without parsing them.
  const bytes = Buffer.from(payload);
  if (!bytes.includes(ERASURE_TYPE) && !bytes.includes(EXTERNAL_TYPE)) return undefined;
  if (!isUtf8(bytes)) return undefined;
  let data: Json;
  try {
    data = parseStrictJson(bytes.toString("utf8"), { maxBytes: 1 << 20 });
  } catch {
    return undefined;
  }
  const type = (data as { predicateType?: unknown } | null)?.predicateType;
  if (type !== ERASURE_TYPE && type !== EXTERNAL_TYPE) return undefined;
  const read = statement.safeParse(data);
  const predicate = (type === ERASURE_TYPE ? erasureSchema : externalSchema).safeParse(read.data?.predicate);
  if (!read.success || !predicate.success) return { problem: `a malformed ${type} statement` };
  return { type, ...predicate.data, subject: read.data.subject[0]!.digest } as OwnStatement & {
    subject: Record<string, string>;
  };
}

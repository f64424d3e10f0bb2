import { isUtf8 } from "node:buffer";
import { z } from "zod";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import type { Hex } from "../core/digest.ts";
import { parseStrictJson } from "../core/strict-json.ts";

export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";

/** `cosign attest` 2.6 still writes this one; the fields are the same. Read, never written. */
const STATEMENT_V01 = "https://in-toto.io/Statement/v0.1";

/** Largest statement that is read where nobody says more, in bytes; a bundle of 1 MiB cannot hold more. */
export const MAX_STATEMENT_BYTES = 1 << 20;

/** What a statement is about (in-toto ResourceDescriptor v1, as far as it identifies). */
export interface Subject {
  name?: string;
  uri?: string;
  /** Values by algorithm, `sha256` in hex. */
  digest: Record<string, string>;
}

/** An in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md). */
export interface Statement {
  _type: typeof STATEMENT_TYPE | typeof STATEMENT_V01;
  subject: Subject[];
  predicateType: string;
  predicate: { [key: string]: Json };
}

// Fields that are not known are ignored, as in-toto's parsing rules demand; our own predicates are strict instead.
const statementSchema = z.object({
  _type: z.enum([STATEMENT_TYPE, STATEMENT_V01]),
  subject: z
    .array(
      z.object({
        name: z.string().max(4096).exactOptional(),
        uri: z.string().max(4096).exactOptional(),
        digest: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/), z.string().min(1).max(1024)),
      }),
    )
    .min(1)
    .max(1000),
  predicateType: z.string().min(1).max(1024),
  // Kept as it is: a copy made by a schema could drop what the predicate's own schema must see. Unset is the same
  // as empty (in-toto, "predicate"): cosign's signatures of images have none.
  predicate: z
    .custom<{ [key: string]: Json }>(
      (value) => typeof value === "object" && value !== null && !Array.isArray(value),
      "an object",
    )
    .nullish()
    .transform((value) => value ?? {}),
});

/** The text of a statement that is signed: RFC 8785 JSON. */
export function encodeStatement(statement: Statement): string {
  return canonicalJson(statement as unknown as Json);
}

/**
 * Reads the payload of an envelope: UTF-8, I-JSON, at least one subject. Verify the signature over these very bytes
 * first. Never throws for any bytes.
 *
 * @param limits.maxBytes 1 MiB when not given
 */
export function parseStatement(
  payload: Uint8Array,
  { maxBytes = MAX_STATEMENT_BYTES }: { maxBytes?: number } = {},
): Statement | { problem: string } {
  if (!isUtf8(payload)) return { problem: "not a statement: not UTF-8" };
  let data: Json;
  try {
    data = parseStrictJson(Buffer.from(payload).toString("utf8"), { maxBytes });
  } catch (error) {
    return { problem: `not a statement: ${(error as Error).message}` };
  }
  const result = statementSchema.safeParse(data);
  return result.success
    ? (result.data as Statement)
    : { problem: `not a statement: ${firstIssue(result.error)}` };
}

/** The sole digest of a subject when it is a SHA-256 and nothing else: what Waybill's own predicates use. */
export function sha256Subject(subject: Subject): Hex | undefined {
  const { sha256, ...others } = subject.digest;
  if (sha256 === undefined || Object.keys(others).length > 0) return undefined;
  return /^[0-9a-f]{64}$/.test(sha256) ? sha256 : undefined;
}

/** The first departure from a schema, with its place, in one line. */
export function firstIssue(error: z.ZodError): string {
  const { path, message } = error.issues[0]!;
  return `${path.join(".") || "document"}: ${message}`;
}

import { z } from "zod";
import type { Hex } from "../core/digest.ts";
import { hexSchema, makeStatement, type PredicateType, readPredicate } from "./predicate.ts";
import { type Statement, sha256Subject } from "./statement.ts";

/** `urn:waybill:external-entry:v1`: the journal took this entry through Rekor's API, without its envelope. */
export interface ExternalEntryPredicate {
  /** Index of the entry in the journal. */
  index: number;
  /** RFC 6962 leaf hash of the entry. */
  leaf: Hex;
  /** Id of the key that the entry names as its verifier, or of the certificate's key. */
  verifier: Hex;
}

export const externalEntryPredicate: PredicateType<ExternalEntryPredicate> = {
  uri: "urn:waybill:external-entry:v1",
  short: "external-entry",
  title: "an entry of this journal came from outside, without its envelope",
  schema: z.strictObject({ index: z.int().min(0), leaf: hexSchema, verifier: hexSchema }),
};

/**
 * The statement that the journal's writer signs after it took an entry from outside.
 *
 * @param digest SHA-256 that the entry was made over, hex: its subject
 */
export function makeExternalEntryStatement(digest: Hex, entry: ExternalEntryPredicate): Statement {
  return makeStatement(externalEntryPredicate, [{ name: "entry", digest: { sha256: digest } }], entry);
}

/** Reads an external-entry statement. Says nothing of who signed it. */
export function readExternalEntryStatement(
  statement: Statement,
): (ExternalEntryPredicate & { digest: Hex }) | { problem: string } {
  const read = readPredicate(externalEntryPredicate, statement);
  if ("problem" in read) return read;
  const digest = statement.subject.length === 1 ? sha256Subject(statement.subject[0]!) : undefined;
  if (digest === undefined) return { problem: "an external-entry statement has one sha256 subject" };
  return { ...read.predicate, digest };
}

import { z } from "zod";
import type { Hex } from "../core/digest.ts";
import { hexSchema, makeStatement, type PredicateType, readPredicate } from "./predicate.ts";
import { type Statement, sha256Subject } from "./statement.ts";

export const TRUST_VERSION_TYPE = "urn:waybill:trust:v1";

/** `urn:waybill:trust:v1` (DESIGN §4 "Trust"): the subject is this version of a trust policy. */
export interface TrustVersionPredicate {
  /** The policy's own `version`. */
  version: number;
  /** Digest of the version before it, where there is one. */
  previous?: Hex;
}

/** A signed version as it is used. */
export interface TrustVersion extends TrustVersionPredicate {
  /** SHA-256 of the policy's parsed document in RFC 8785. */
  digest: Hex;
}

export const trustVersionPredicate: PredicateType<TrustVersionPredicate> = {
  uri: TRUST_VERSION_TYPE,
  short: "trust",
  title: "this is a version of the trust policy",
  schema: z.strictObject({
    version: z.int().min(1),
    previous: hexSchema.exactOptional(),
  }),
};

/** The name of the only subject. */
const SUBJECT = "waybill.trust.yaml";

/**
 * The statement that a root of trust signs about one version of the policy.
 *
 * @throws RangeError for a field outside the schema
 */
export function makeTrustVersionStatement({ digest, version, previous }: TrustVersion): Statement {
  const statement = makeStatement(
    trustVersionPredicate,
    [{ name: SUBJECT, digest: { sha256: digest } }],
    previous === undefined ? { version } : { version, previous },
  );
  const read = readTrustVersionStatement(statement);
  if ("problem" in read) throw new RangeError(read.problem);
  return statement;
}

/** Reads a statement about a version of a trust policy. Says nothing of who signed it. */
export function readTrustVersionStatement(statement: Statement): TrustVersion | { problem: string } {
  const read = readPredicate(trustVersionPredicate, statement);
  if ("problem" in read) return read;
  const [subject, ...others] = statement.subject;
  const digest = subject && sha256Subject(subject);
  if (digest === undefined || others.length > 0)
    return { problem: "a trust statement whose only subject is not the digest of a policy" };
  return { ...read.predicate, digest };
}

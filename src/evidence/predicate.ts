import { z } from "zod";
import type { Json } from "../core/canonical-json.ts";
import { firstIssue, STATEMENT_TYPE, type Statement, type Subject } from "./statement.ts";

/** One kind of evidence that Waybill defines. One file each, one line in `registry.ts`. */
export interface PredicateType<P = unknown> {
  /** The in-toto `predicateType`. */
  uri: string;
  /** Its name in trust policies and file names. */
  short: string;
  /** One line for people: what is claimed. */
  title: string;
  /** The predicate, strictly: a field that a reader does not know could restrict what it claims. */
  schema: z.ZodType<P>;
}

/** Names of agents and targets, as in `waybill.yaml`: fit for file names. */
export const nameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/, "lower-case letters, digits, '.', '_', '-'; at most 64");

/** A SHA-256 in lower-case hex. */
export const hexSchema = z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hex digits");

/** A statement of this type. Throws RangeError for a predicate that its own schema refuses: a mistake of the caller. */
export function makeStatement<P>(type: PredicateType<P>, subject: Subject[], predicate: P): Statement {
  const result = type.schema.safeParse(predicate);
  if (!result.success) throw new RangeError(`not a ${type.short} predicate: ${firstIssue(result.error)}`);
  return {
    _type: STATEMENT_TYPE,
    subject,
    predicateType: type.uri,
    predicate: result.data as unknown as { [key: string]: Json },
  };
}

/** The predicate of a statement of this type, or why it is none. */
export function readPredicate<P>(
  type: PredicateType<P>,
  statement: Statement,
): { predicate: P } | { problem: string } {
  if (statement.predicateType !== type.uri)
    return { problem: `a statement of type ${statement.predicateType}, not ${type.uri}` };
  const result = type.schema.safeParse(statement.predicate);
  if (!result.success) return { problem: `not a ${type.short} statement: ${firstIssue(result.error)}` };
  return { predicate: result.data };
}

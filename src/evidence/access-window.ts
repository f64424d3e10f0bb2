import { z } from "zod";
import type { Hex } from "../core/digest.ts";
import { isHex } from "../core/digest.ts";
import { makeStatement, nameSchema, type PredicateType, readPredicate } from "./predicate.ts";
import type { Statement } from "./statement.ts";
import { timestamp } from "./timestamp.ts";

/** The digest algorithm of a window's root: RFC 6962 over leaves tagged `waybill-access` (docs/formats/journal.md). */
export const ACCESS_ALGORITHM = "waybill-access-v1";

/** `urn:waybill:access-window:v1`: these accesses, and no others, were seen by a service between two instants. */
export interface AccessWindowPredicate {
  service: string;
  /** Of the first and the last record, RFC 3339. */
  from: string;
  to: string;
  /** Records beneath the root. */
  count: number;
  /** Refusals of callers that nobody knows: counted alone, else anyone could fill the journal. */
  refused: number;
}

export const accessWindowPredicate: PredicateType<AccessWindowPredicate> = {
  uri: "urn:waybill:access-window:v1",
  short: "access-window",
  title: "who asked a service for what, in one short span of time",
  schema: z.strictObject({
    service: nameSchema,
    from: timestamp,
    to: timestamp,
    count: z.int().min(1),
    refused: z.int().min(0),
  }),
};

/** The statement that an observing service signs over one window; `root` is that of its salted leaves. */
export function makeAccessWindowStatement(root: Hex, window: AccessWindowPredicate): Statement {
  return makeStatement(
    accessWindowPredicate,
    [{ name: window.service, digest: { [ACCESS_ALGORITHM]: root } }],
    window,
  );
}

/** Reads an access-window statement. Says nothing of who signed it. */
export function readAccessWindowStatement(
  statement: Statement,
): (AccessWindowPredicate & { root: Hex }) | { problem: string } {
  const read = readPredicate(accessWindowPredicate, statement);
  if ("problem" in read) return read;
  const { subject } = statement;
  const root = subject.length === 1 ? subject[0]!.digest[ACCESS_ALGORITHM] : undefined;
  if (root === undefined || !isHex(root) || Object.keys(subject[0]!.digest).length !== 1)
    return { problem: `an access window has one ${ACCESS_ALGORITHM} subject` };
  if (subject[0]!.name !== read.predicate.service)
    return { problem: "an access window's subject is named by its service" };
  return { ...read.predicate, root };
}

import { z } from "zod";
import type { Hex } from "../core/digest.ts";
import { makeStatement, nameSchema, type PredicateType, readPredicate } from "./predicate.ts";
import { type Statement, sha256Subject } from "./statement.ts";
import { timestamp } from "./timestamp.ts";

export const CHANNEL_TYPE = "urn:waybill:channel:v1";

/** The highest number of a statement: far above what anyone signs, and far below where numbers end. */
export const MAX_SEQ = 1_000_000_000_000;

/** Releases that one channel statement may allow. */
export const MAX_CHANNEL_RELEASES = 100;

/** `urn:waybill:channel:v1` (DESIGN §4): until when the releases in the subjects may run for an agent at a target. */
export interface ChannelPredicate {
  agent: string;
  target: string;
  /** Rises with every statement for one agent and target; from 1. A lower one is refused by whoever saw a higher. */
  seq: number;
  /** RFC 3339, UTC: the first instant at which it no longer counts. */
  expires: string;
}

/** A channel statement as it is used. */
export interface Channel extends ChannelPredicate {
  /** Digests of the allowed releases, the newest first, 1 to 100. */
  releases: Hex[];
}

export const channelPredicate: PredicateType<ChannelPredicate> = {
  uri: CHANNEL_TYPE,
  short: "channel",
  title: "these releases may run for the agent at a target, until a date",
  schema: z.strictObject({
    agent: nameSchema,
    target: nameSchema,
    seq: z.int().min(1).max(MAX_SEQ),
    expires: timestamp,
  }),
};

/**
 * The statement that a releaser signs to allow releases.
 *
 * @throws RangeError for no release, over 100, a duplicate, or a field outside the schema
 */
export function makeChannelStatement(channel: Channel): Statement {
  const { agent, target, seq, expires, releases } = channel;
  const subject = releases.map((sha256) => ({ name: agent, digest: { sha256 } }));
  const statement = makeStatement(channelPredicate, subject, { agent, target, seq, expires });
  // What is written is what can be read: one place knows the rules about subjects.
  const read = readChannelStatement(statement);
  if ("problem" in read) throw new RangeError(read.problem);
  return statement;
}

/** Reads a channel statement. Says nothing of who signed it, nor whether it is expired or superseded. */
export function readChannelStatement(statement: Statement): Channel | { problem: string } {
  const read = readPredicate(channelPredicate, statement);
  if ("problem" in read) return read;
  const { agent } = read.predicate;
  const { subject: subjects } = statement;
  if (subjects.length === 0 || subjects.length > MAX_CHANNEL_RELEASES)
    return {
      problem: `a channel statement allows 1 to ${MAX_CHANNEL_RELEASES} releases, not ${subjects.length}`,
    };
  const releases: Hex[] = [];
  for (const subject of subjects) {
    const digest = sha256Subject(subject);
    if (digest === undefined)
      return { problem: "a channel statement with a subject that is no release digest" };
    if (subject.name !== agent)
      return { problem: `a channel statement with a subject that is not named ${agent}` };
    if (releases.includes(digest))
      return { problem: `a channel statement that names release ${digest} twice` };
    releases.push(digest);
  }
  return { ...read.predicate, releases };
}

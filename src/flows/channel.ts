import type { KeyObject } from "node:crypto";
import { WaybillError } from "../core/errors.ts";
import {
  CHANNEL_TYPE,
  type Channel,
  makeChannelStatement,
  readChannelStatement,
} from "../evidence/channel.ts";
import { evidenceFileName } from "../evidence/files.ts";
import { encodeStatement } from "../evidence/statement.ts";
import type { StatementSigner } from "../sign/statement-signer.ts";
import { isSignedBy, judge, readStatements, type SignedStatement } from "../verify/signed.ts";
import type { Trust } from "../verify/trust.ts";
import { readBundles } from "./agent-folder.ts";
import { DoorMemory } from "./door-memory.ts";
import { openLocked, writeBundle } from "./sign.ts";

export interface ChannelOptions {
  folder: string;
  target: string;
  /** How long the statement counts, in days. */
  days: number;
  /** Earlier releases that stay allowed. */
  retain: number;
  signer: StatementSigner;
  /** The signer's key, where it signs with one: its own earlier statements count. */
  ownKey?: KeyObject | undefined;
  /** The operator's trust policy: statements of other releasers whom it names count too. */
  trust?: Trust | undefined;
  home: string;
  now: Date;
}

/**
 * Signs the next channel statement: the locked release and the newest retained ones may run at this target until
 * then. Its number is one more than the highest that lies in the folder or that this machine's doors have seen, and the
 * retained releases are those of that statement. Only the signer's own statements, or those by releasers whom the given
 * trust names, are looked at: anybody can put one there.
 *
 * @throws WaybillError as `openLocked` and the signer
 */
export async function allowRelease(options: ChannelOptions): Promise<{ channel: Channel; file: string }> {
  const { path, channel } = nextChannel(options);
  const { bundle, signerId } = await options.signer.sign(encodeStatement(makeChannelStatement(channel)));
  const name = evidenceFileName({ evidence: "channel", target: options.target }, signerId);
  return { channel, file: writeBundle(path, name, bundle) };
}

function nextChannel(options: ChannelOptions): { path: string; channel: Channel } {
  const { path, lock, release } = openLocked(options.folder);
  const { target, now } = options;
  const known = [...readBundles(path), ...new DoorMemory(options.home).recall(lock.agent, target)];
  const unread = known.find((bundle) => bundle.problem !== undefined);
  if (unread)
    throw new WaybillError("WB-INPUT-003", `${unread.file}: ${unread.problem}`, {
      hint: "remove what does not belong there: the newest statement must be among those that are read",
    });
  const claim = { evidence: "channel", agent: lock.agent, target };
  const counts = (signed: SignedStatement): boolean =>
    (options.ownKey !== undefined && isSignedBy(signed, options.ownKey)) ||
    (options.trust !== undefined && judge(signed, claim, options.trust, now).ok);
  const earlier = readStatements(known)
    .statements.filter((s) => s.statement.predicateType === CHANNEL_TYPE && counts(s))
    .map((s) => readChannelStatement(s.statement))
    .filter((c): c is Channel => !("problem" in c) && c.agent === lock.agent && c.target === target)
    .toSorted((a, b) => b.seq - a.seq);
  const kept = (earlier[0]?.releases ?? [])
    .filter((digest) => digest !== release.digest)
    .slice(0, options.retain);
  const expires = new Date(now.getTime() + options.days * 86_400_000).toISOString().replace(/\.\d{3}Z$/, "Z");
  const channel: Channel = {
    agent: lock.agent,
    target,
    seq: (earlier[0]?.seq ?? 0) + 1,
    expires,
    releases: [release.digest, ...kept],
  };
  return { path, channel };
}

import { WaybillError } from "../core/errors.ts";
import {
  CHANNEL_TYPE,
  type Channel,
  makeChannelStatement,
  readChannelStatement,
} from "../evidence/channel.ts";
import { evidenceFileName } from "../evidence/files.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { isSignedBy, judge, readStatements, type SignedStatement } from "../verify/signed.ts";
import type { Trust } from "../verify/trust.ts";
import { readBundles } from "./agent-folder.ts";
import { DoorMemory } from "./door-memory.ts";
import { openLocked, writeEvidence } from "./sign.ts";

export interface ChannelOptions {
  folder: string;
  target: string;
  /** How long the statement counts, in days. */
  days: number;
  /** Earlier releases that stay allowed. */
  retain: number;
  key: SigningKey;
  /** The operator's trust policy: statements of other releasers whom it names count too. */
  trust?: Trust | undefined;
  home: string;
  now: Date;
}

/**
 * Signs a channel statement with a stored key; see `nextChannel`.
 *
 * @throws WaybillError as `nextChannel`
 */
export function allowRelease(options: ChannelOptions): { channel: Channel; file: string } {
  const { key, target } = options;
  const { path, channel } = nextChannel({ ...options, isOwn: (signed) => isSignedBy(signed, key.publicKey) });
  const name = evidenceFileName({ evidence: "channel", target }, key.keyId);
  return { channel, file: writeEvidence(path, name, makeChannelStatement(channel), key) };
}

/**
 * The next channel statement: the locked release and the newest retained ones may run at this target until then.
 * Its number is one more than the highest that lies in the folder or that this machine's doors have seen, and
 * the retained releases are those of that statement. Only the signer's own statements, or those by releasers whom the
 * given trust names, are looked at: anybody can put one there.
 *
 * @returns with the agent's folder, absolute
 * @throws WaybillError as `openLocked`
 */
export function nextChannel(
  options: Omit<ChannelOptions, "key"> & { isOwn(signed: SignedStatement): boolean },
): { path: string; channel: Channel } {
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
    options.isOwn(signed) || (options.trust !== undefined && judge(signed, claim, options.trust, now).ok);
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

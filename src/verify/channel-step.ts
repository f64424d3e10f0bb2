import { shortDigest } from "../core/digest.ts";
import type { CheckResult, Finding } from "../core/finding.ts";
import type { Release } from "../core/release.ts";
import { CHANNEL_TYPE, type Channel, readChannelStatement } from "../evidence/channel.ts";
import { parseTimestamp } from "../evidence/timestamp.ts";
import type { Established, LogInclusion } from "../sign/established.ts";
import { hasQuorum } from "./quorum.ts";
import { VERIFY_RULES } from "./rules.ts";
import { type BundleText, judge, readStatements, type SignedStatement } from "./signed.ts";
import { failed, notEvaluated, passed, ruleFinding } from "./step-results.ts";
import type { Trust } from "./trust.ts";
import { missingSigners } from "./trust-judge.ts";

type RuleName = keyof typeof VERIFY_RULES;

const STEP: readonly RuleName[] = [
  "noChannel",
  "channelSigner",
  "replayed",
  "equivocation",
  "channelExpired",
  "notInChannel",
];

/** A channel statement that enough trusted releasers signed. */
interface TrustedChannel {
  channel: Channel;
  content: string;
  bundles: SignedStatement[];
  /** Where its signatures were proved to be logged. */
  logged: LogInclusion[];
}

/** What the step found, and what the door should remember. */
export interface ChannelStep {
  results: CheckResult[];
  /** Bundles of the highest statement that verifies, to be kept by the door. */
  remember: BundleText[];
  /** End of the current statement, in milliseconds since 1970. */
  expires: number;
  /** What the results rest on and cannot prove, for people. */
  notes: string[];
  /** Where the current statement was proved to be logged. */
  logged: LogInclusion[];
}

/**
 * Freshness: the releaser's newest word at this target names this release. What the door remembers is verified
 * again with today's trust, so that a statement by a key since revoked cannot hold a door for ever.
 *
 * @param options `strict`: an absent statement fails instead of being not evaluated, and the quorum of witnesses, where
 *   trust names one, must have seen it logged
 */
export function channelFreshness(
  release: Release,
  target: string,
  statements: readonly SignedStatement[],
  remembered: readonly BundleText[],
  trust: Trust | undefined,
  options: { now: Date; strict: boolean },
): ChannelStep {
  const { now, strict } = options;
  const { agent } = release.document;
  const here = statements.filter((s) => isChannelFor(s, agent, target));
  const skip = (reason: string): ChannelStep => ({
    results: STEP.map((name) => notEvaluated(VERIFY_RULES[name], reason)),
    remember: [],
    expires: Number.POSITIVE_INFINITY,
    notes: [],
    logged: [],
  });
  if (!trust) return skip("no trust policy says who may sign channels");
  const kept = trustedChannels(readStatements(remembered).statements, agent, target, trust, {
    now,
    seen: true,
  });
  if (here.length === 0 && kept.length === 0) {
    if (!strict) return skip(`no channel statement for ${target}; strict demands one`);
    return one("noChannel", target, `no channel statement says what may run at ${target}`);
  }
  const valid = trustedChannels(here, agent, target, trust, { now, witnessed: strict });
  const current = newest(valid);
  const floor = newest(kept);
  if (!current) {
    if (here.length === 0)
      return one("noChannel", target, `no channel statement says what may run at ${target}`);
    const judged = judge(here[0]!, { evidence: "channel", agent, target }, trust, now);
    const detail = judged.ok ? tooFew(trust, judged.established) : judged.detail;
    return one("channelSigner", target, `the channel statement ${here[0]!.file} does not count: ${detail}`);
  }
  const findings: { rule: RuleName; finding: Finding }[] = [];
  const add = (rule: RuleName, message: string, more: Partial<Finding> = {}) =>
    findings.push({
      rule,
      finding: finding(rule, target, message, { path: current.bundles[0]!.file, ...more }),
    });

  const { seq } = current.channel;
  if (floor && seq < floor.channel.seq)
    add("replayed", `the channel statement is number ${seq}; this door has seen ${floor.channel.seq}`, {
      expected: `seq ${floor.channel.seq} or higher`,
      found: `seq ${seq}`,
    });
  const rivals = [...valid, ...kept].filter(
    (other) => other.channel.seq === current.channel.seq && other.content !== current.content,
  );
  if (rivals.length > 0)
    add("equivocation", `two different channel statements bear the number ${current.channel.seq}`);
  const expires = parseTimestamp(current.channel.expires) ?? 0;
  if (!(now.getTime() < expires))
    add("channelExpired", `the channel statement for ${target} ended at ${current.channel.expires}`);
  if (!current.channel.releases.includes(release.digest))
    add("notInChannel", `the channel for ${target} does not allow release ${shortDigest(release.digest)}`, {
      expected: current.channel.releases.map((digest) => `sha256:${digest}`).join(", "),
      found: `sha256:${release.digest}`,
    });
  const coverage = `statement ${current.channel.seq} for ${target}, ${current.channel.releases.length} releases`;
  const results = STEP.map((name): CheckResult => {
    const own = findings.filter((f) => f.rule === name).map((f) => f.finding);
    const rule = VERIFY_RULES[name];
    return own.length > 0 ? failed(rule, own, coverage) : passed(rule, coverage);
  });
  const advance = findings.every((f) => f.rule === "channelExpired" || f.rule === "notInChannel");
  const rises = !floor || current.channel.seq > floor.channel.seq;
  const remember = advance && rises ? current.bundles.map(({ file, text }) => ({ file, text })) : [];
  const notes = floor
    ? []
    : [
        `this door remembers no channel statement for ${target}: only its end, ${current.channel.expires}, keeps an older one out`,
      ];
  return { results, remember, expires, notes, logged: current.logged };
}

/**
 * Statements that meet a threshold of trust, each with the bundles that sign the same bytes.
 *
 * @param how `seen`: these were accepted before: that a signer's key has expired since does not undo them;
 *   `witnessed`: only signatures count that the quorum of witnesses has seen logged
 */
function trustedChannels(
  statements: readonly SignedStatement[],
  agent: string,
  target: string,
  trust: Trust,
  how: { now: Date; seen?: boolean; witnessed?: boolean },
): TrustedChannel[] {
  const claim = { evidence: "channel", agent, target };
  const byContent = Map.groupBy(
    statements.filter((s) => isChannelFor(s, agent, target)),
    (s) => s.content,
  );
  const trusted: TrustedChannel[] = [];
  for (const [content, bundles] of byContent) {
    const logged: LogInclusion[] = [];
    const principals = bundles.flatMap((bundle) => {
      const signer = judge(bundle, claim, trust, how.now);
      if (signer.ok) {
        if (how.witnessed && !hasQuorum(trust, signer.established)) return [];
        logged.push(...signer.established.logged);
        return [signer.principal];
      }
      // What was accepted within the key's window was said then; only revocation takes it back.
      const late = how.seen === true && (signer.rule === "expiredKey" || signer.rule === "notYetValid");
      return late && signer.principal !== undefined ? [signer.principal] : [];
    });
    const channel = readChannelStatement(bundles[0]!.statement);
    if (!("problem" in channel) && missingSigners(trust, claim, principals) === null)
      trusted.push({ channel, content, bundles, logged });
  }
  return trusted;
}

/** Why a statement by a trusted releaser does not meet the threshold. */
function tooFew(trust: Trust, established: Established): string {
  return hasQuorum(trust, established)
    ? "too few releasers signed it"
    : `fewer than ${trust.witnesses?.threshold} witnesses have seen it logged`;
}

function newest(channels: readonly TrustedChannel[]): TrustedChannel | undefined {
  return channels.toSorted((a, b) => b.channel.seq - a.channel.seq)[0];
}

function isChannelFor({ statement }: SignedStatement, agent: string, target: string): boolean {
  if (statement.predicateType !== CHANNEL_TYPE) return false;
  return statement.predicate.agent === agent && statement.predicate.target === target;
}

function one(rule: RuleName, target: string, message: string): ChannelStep {
  const results = STEP.map((name): CheckResult => {
    if (name !== rule) return notEvaluated(VERIFY_RULES[name], `${VERIFY_RULES[rule].code} failed first`);
    return failed(VERIFY_RULES[rule], [finding(rule, target, message)], "no statement counts");
  });
  return { results, remember: [], expires: Number.POSITIVE_INFINITY, notes: [], logged: [] };
}

function finding(name: RuleName, target: string, message: string, more: Partial<Finding> = {}): Finding {
  const rule = VERIFY_RULES[name];
  return ruleFinding(rule, message, { fix: rule.fix.replace("TARGET", target), ...more });
}

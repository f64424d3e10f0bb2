import { lstatSync } from "node:fs";
import type { Finding } from "../core/finding.ts";
import { safeText } from "../core/safe-text.ts";
import { readChannelStatement } from "../evidence/channel.ts";
import { evidenceByUri } from "../evidence/predicate-names.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { MAX_BUNDLE_BYTES } from "../sign/bundle.ts";
import { type BundleText, judge, readStatements, type SignedStatement } from "../verify/signed.ts";
import type { Trust } from "../verify/trust.ts";
import { type Claim, missingSigners, trustExpired } from "../verify/trust-judge.ts";
import { trustVersion } from "../verify/trust-version.ts";
import { openAgentFolder, readBundles } from "./agent-folder.ts";
import { readBeside } from "./trust-files.ts";

/** What becomes of one statement when the policy is replaced; its bundles count together. */
export interface PlannedStatement {
  /** The bundles that sign it. */
  files: string[];
  claim: Claim;
  /** Why it does not count, or null where it does. */
  before: string | null;
  after: string | null;
  change: "stops" | "starts" | "same";
}

/** What replacing a trust policy would do. */
export interface TrustPlan {
  /** Why doors would not take the new policy over after the old one; then everything stops at them. */
  refused: Finding[];
  statements: PlannedStatement[];
  /** Files that are no statement, with the reason; no policy changes that. */
  unread: { file: string; problem: string }[];
}

/**
 * Says what would stop and what would start to verify if a policy took the place of another one: for every
 * statement in these folders and bundles, whether enough principals have signed it under each. It looks at
 * signatures alone; files are not hashed.
 *
 * @param next the new policy and its real path, beside which its signatures lie
 * @param paths agents' folders, and bundles
 * @throws WaybillError for a path that cannot be read
 */
export function planTrust(
  current: Trust,
  next: { policy: Trust; path: string },
  paths: readonly string[],
  now: Date,
): TrustPlan {
  const beside = readBeside(next.path, current.version);
  const step = trustVersion(next.policy, { ...beside, remembered: current }, now);
  const refused = step.results.flatMap((result) => (result.status === "fail" ? result.findings : []));
  const plan: TrustPlan = { refused, statements: [], unread: [] };
  for (const path of paths) {
    const { agent, bundles } = bundlesAt(path);
    const { statements, malformed } = readStatements(bundles);
    plan.unread.push(...malformed);
    for (const same of Map.groupBy(statements, (s) => s.content).values()) {
      const claim = claimOf(same[0]!, agent);
      if (!claim) {
        const { predicateType } = same[0]!.statement;
        plan.unread.push(
          ...same.map(({ file }) => ({ file, problem: `no rule speaks of ${safeText(predicateType)}` })),
        );
        continue;
      }
      const [before, after] = [current, next.policy].map((trust) => refusal(same, claim, trust, now)) as [
        string | null,
        string | null,
      ];
      const change = (before === null) === (after === null) ? "same" : before === null ? "stops" : "starts";
      plan.statements.push({ files: same.map(({ file }) => file), claim, before, after, change });
    }
  }
  return plan;
}

/** Why a statement does not count under a policy, or null. */
function refusal(same: readonly SignedStatement[], claim: Claim, trust: Trust, now: Date): string | null {
  const ended = trustExpired(trust, now);
  if (ended !== null) return ended;
  const problems: string[] = [];
  const principals = same.flatMap((signed) => {
    const signer = judge(signed, claim, trust, now);
    if (signer.ok) return [signer.principal];
    problems.push(signer.detail);
    return [];
  });
  const missing = missingSigners(trust, claim, principals);
  return missing === null ? null : [...problems, missing].join("; ");
}

function bundlesAt(path: string): { agent?: string; bundles: BundleText[] } {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    const agent = openAgentFolder(path, { tolerateLock: true });
    return { agent: agent.manifest.manifest.agent, bundles: readBundles(agent.path) };
  }
  return { bundles: [{ file: path, text: readTextBounded(path, MAX_BUNDLE_BYTES, { follow: true }) }] };
}

/** What a statement is to count for: what it says of itself, in its agent's folder only of that agent. */
function claimOf({ statement }: SignedStatement, agent: string | undefined): Claim | undefined {
  const type = evidenceByUri(statement.predicateType);
  if (!type || type.short === "trust") return undefined;
  if (type.short === "channel") {
    const channel = readChannelStatement(statement);
    if ("problem" in channel) return undefined;
    return { evidence: "channel", agent: agent ?? channel.agent, target: channel.target };
  }
  const named = agent ?? (type.short === "release" ? statement.subject[0]?.name : undefined);
  return { evidence: type.short, ...(named === undefined ? {} : { agent: named }) };
}

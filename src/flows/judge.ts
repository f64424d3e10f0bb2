import type { Check, FolderFacts } from "../checks/check.ts";
import { INTEGRITY_CHECKS } from "../checks/integrity.ts";
import { WaybillError } from "../core/errors.ts";
import type { CheckResult, Door, Level, Rule } from "../core/finding.ts";
import type { Release } from "../core/release.ts";
import type { Verdict } from "../core/verdict.ts";
import type { Allowed } from "../policy/allowed.ts";
import { decide } from "../policy/decide.ts";
import { LOG_RULE } from "../verify/log-step.ts";
import { MODEL_RULES } from "../verify/model-rules.ts";
import { asksForModels } from "../verify/model-step.ts";
import { VERIFY_RULES } from "../verify/rules.ts";
import { verify } from "../verify/verify.ts";
import { type AgentFolder, openAgentFolder, readBundles } from "./agent-folder.ts";
import { DoorMemory } from "./door-memory.ts";
import { collectFacts, type FactsOptions } from "./facts.ts";
import { LogMemory } from "./log-memory.ts";
import { signedModels } from "./model-facts.ts";
import { recordVerdict } from "./record-verdict.ts";
import { rememberTrust } from "./trust-memory.ts";
import { findTrust, type TrustSource, trustVersions } from "./trust-source.ts";

/** What a door is told by whoever stands at it. */
export interface JudgeOptions extends FactsOptions {
  folder: string;
  door: Door;
  target: string;
  level: Level;
  /** File of the operator's trust policy. */
  trust?: string | undefined;
  /** Digest of the first policy that this door may accept, `sha256:…`. */
  trustDigest?: string | undefined;
  /** Waybill's home folder, where doors remember. */
  home: string;
  env: NodeJS.ProcessEnv;
  now: Date;
  /** Without it the checks beside integrity and signatures run too. */
  only?: "verify";
}

/** A verdict with what it was made of. */
export interface Judgement {
  verdict: Verdict;
  /** Present only where the release may be acted on. */
  allowed?: Allowed<Release>;
  agent: AgentFolder;
  facts: FolderFacts;
  /** The level that the door was told to demand. */
  level: Level;
  /** The rules that the verdict can name, by code. */
  rules: ReadonlyMap<string, Rule>;
}

/**
 * Stands at a door: collects the facts, verifies, checks, decides; the door then remembers the channel
 * statement it has seen.
 *
 * @throws WaybillError when the folder, lock, trust policy or the door's memory cannot be read
 */
export async function judge(options: JudgeOptions): Promise<Judgement> {
  const agent = openAgentFolder(options.folder);
  const trust = findTrust(agent.path, options.trust, options.env);
  const facts = await collectFacts(agent, { ...options, claimedOnly: options.only === "verify" });
  const { judgement, keep } = await consider(agent, facts, trust, options);
  await keep();
  return judgement;
}

/**
 * What a door decides by these facts. Nothing is remembered and nothing is logged before `keep` is called.
 *
 * @param options `unfetched`: the facts have the locked bytes for granted, for nothing of them is there yet; results
 *   that rest on bytes are then not evaluated
 * @throws WaybillError when the trust policy's versions or the door's memory cannot be read
 */
export async function consider(
  agent: AgentFolder,
  facts: FolderFacts,
  trust: TrustSource,
  options: JudgeOptions & { unfetched?: boolean },
): Promise<{ judgement: Judgement; keep(): Promise<void> }> {
  const { door, target, level, now, unfetched = false } = options;
  const memory = new DoorMemory(options.home);
  const logMemory = new LogMemory(options.home);
  // Loaded when they are asked for: a start must not wait for what only a review needs.
  const checks: readonly Check[] =
    options.only === "verify" ? [] : (await import("../checks/registry.ts")).CHECKS;
  const { manifest } = agent.manifest;
  const atCi = door === "ci";
  const versions = atCi ? undefined : trustVersions(trust, { ...options, digest: options.trustDigest });
  const bundles = atCi ? [] : readBundles(agent.path);
  const verification = verify({
    folder: facts,
    bundles,
    models:
      !unfetched && !atCi && trust.policy && asksForModels(trust.policy, manifest.agent)
        ? await signedModels(agent, facts, bundles, { ...options, trust: trust.policy })
        : [],
    trust: versions ? { ...trust, versions } : trust,
    logs: await logMemory.facts(bundles),
    remembered: atCi ? [] : memory.recall(manifest.agent, target),
    door,
    target,
    level: manifest.policy.level === "strict" ? "strict" : level,
    now,
  });
  const rules = new Map(
    [
      ...Object.values(VERIFY_RULES),
      LOG_RULE,
      ...Object.values(MODEL_RULES),
      ...[...INTEGRITY_CHECKS, ...checks].map((check) => check.rule),
    ].map((rule) => [rule.code, rule] as const),
  );
  const decision = decide({
    agent: manifest.agent,
    release: verification.release,
    verified: verification.verified,
    results: unfetched
      ? withoutBytes(verification.results)
      : [...verification.results, ...checks.map((check) => check.run(facts))],
    rules,
    door,
    target,
    level,
    policy: manifest.policy,
    notes: verification.notes,
    trust: { origin: trust.origin, ...(trust.file === undefined ? {} : { file: trust.file }) },
    now: now.getTime(),
  });
  const keep = async () => {
    const { notes } = decision.verdict;
    if (verification.acceptTrust) notes.push(...rememberTrust(trust, versions, options.home));
    notes.push(
      ...keeping(`the channel statement for ${target}: only its end keeps an older one out`, () =>
        memory.keep(manifest.agent, target, verification.remember),
      ),
      ...keeping("how far the logs have grown", () => logMemory.keep(verification.rememberHeads)),
    );
    const unlogged = await recordVerdict(decision.verdict, {
      home: options.home,
      manifest: agent.manifest.source.text,
      policy: trust.policy?.source.text ?? "",
    });
    if (unlogged !== undefined) notes.push(unlogged);
  };
  return { judgement: { ...decision, agent, facts, level, rules }, keep };
}

/** A door whose home cannot be written goes by what lies there, and says so (DESIGN §4, "Freshness"). */
function keeping(what: string, keep: () => void): string[] {
  try {
    keep();
    return [];
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    return [`this door cannot remember ${what}`];
  }
}

/** Results of which none says of bytes that they are the locked ones; those that say so come last, unanswered. */
function withoutBytes(results: readonly CheckResult[]): CheckResult[] {
  const isAboutBytes = ({ code, status }: CheckResult) => status === "pass" && INTEGRITY_CODES.has(code);
  return [
    ...results.filter((result) => !isAboutBytes(result)),
    ...results.filter(isAboutBytes).map(
      ({ code }): CheckResult => ({
        code,
        status: "not-evaluated",
        coverage: "nothing fetched",
        reason: "signatures and trust come first, and nothing was fetched",
      }),
    ),
  ];
}

/** Codes of the checks that hold bytes against the lock. */
export const INTEGRITY_CODES: ReadonlySet<string> = new Set(INTEGRITY_CHECKS.map(({ rule }) => rule.code));

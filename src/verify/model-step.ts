import type { ComponentId } from "../core/component.ts";
import type { CheckResult, Finding, Rule } from "../core/finding.ts";
import { parseOms } from "../evidence/oms.ts";
import { readOmsBundle } from "../evidence/oms-bundle.ts";
import { compareOms, type ModelAtHand } from "../evidence/oms-compare.ts";
import { MAX_NAMED_BUNDLE_BYTES, parseBundle } from "../sign/bundle.ts";
import { comparisonFindings, type ModelPlace, modelFinding } from "./model-findings.ts";
import { MODEL_RULES } from "./model-rules.ts";
import { type BundleText, judge } from "./signed.ts";
import type { Trust } from "./trust.ts";
import { missingSigners } from "./trust-judge.ts";

type RuleName = keyof typeof MODEL_RULES;

/** A signature that lies where one of a model may lie. */
export interface ModelBundleText extends BundleText {
  /** Its own path in the model, where it lies there. */
  signature?: string;
  /** Digests that its statement asks for and a file's SHA-256 does not answer; see `ModelAtHand`. */
  computed?: ReadonlyMap<string, string>;
}

/** A model of the release with the signatures that may be about it. */
export interface SignedModel {
  id: ComponentId;
  /** Makes a path in the model relative to the agent's folder. */
  prefix: string;
  model: Pick<ModelAtHand, "files" | "links" | "isSingleFile">;
  bundles: readonly ModelBundleText[];
}

/** What the signatures of one model have shown. */
interface ModelOutcome {
  findings: { rule: RuleName; finding: Finding }[];
  /** Why something could not be looked at. */
  unread: { rule: RuleName; reason: string }[];
  isSigned: boolean;
}

/**
 * Holds the signatures of each model against its bytes and its signers against trust. Only where trust has a rule for
 * `model` and this agent is anything asked: else nobody says whose word on a model counts, and the release's own
 * signature covers the bytes. Per model one satisfied rule of trust is enough, and then its other signatures do not
 * matter.
 *
 * @returns a result for each rule that had something to look at; none where nothing is asked
 */
export function modelSignatures(
  models: readonly SignedModel[],
  agent: string,
  trust: Trust | undefined,
  now: Date,
): CheckResult[] {
  if (trust === undefined || models.length === 0 || !asksForModels(trust, agent)) return [];
  const outcomes = models.map((model) => judgeModel(model, agent, trust, now));
  const signed = outcomes.filter(({ isSigned }) => isSigned).length;
  const coverage = `${signed} of ${models.length} models signed by whom trust names`;
  return (Object.entries(MODEL_RULES) as [RuleName, Rule][]).flatMap(([name, { code }]): CheckResult[] => {
    const findings = outcomes.flatMap((o) => o.findings.filter((f) => f.rule === name).map((f) => f.finding));
    if (findings.length > 0) return [{ code, status: "fail", coverage, findings }];
    const unread = outcomes.flatMap((o) => o.unread.filter((u) => u.rule === name));
    if (unread.length > 0) return [{ code, status: "not-evaluated", coverage, reason: unread[0]!.reason }];
    return signed === models.length ? [{ code, status: "pass", coverage }] : [];
  });
}

/** Whether trust says who signs the models of this agent. */
export function asksForModels(trust: Trust | undefined, agent: string): boolean {
  return (trust?.rules ?? []).some(
    ({ evidence, agents }) => evidence === "model" && (agents.includes("*") || agents.includes(agent)),
  );
}

function judgeModel(
  { id, prefix, model, bundles }: SignedModel,
  agent: string,
  trust: Trust,
  now: Date,
): ModelOutcome {
  const claim = { evidence: "model", agent };
  if (bundles.length === 0)
    return {
      findings: [],
      unread: [{ rule: "absent", reason: `${id} has no model signature; the release's covers its bytes` }],
      isSigned: false,
    };
  const failed: ModelOutcome["findings"] = [];
  const ignored: ModelOutcome["findings"] = [];
  const unread: ModelOutcome["unread"] = [];
  const principals: string[] = [];
  for (const bundle of bundles) {
    const { file } = bundle;
    const place: ModelPlace = { model: id, component: id, prefix, file };
    const refuse = (rule: RuleName, message: string, more: Partial<Finding> = {}) =>
      failed.push({
        rule,
        finding: modelFinding(MODEL_RULES[rule], place, message, { path: file, ...more }),
      });
    const parsed =
      bundle.problem === undefined
        ? parseBundle(bundle.text, { maxBytes: MAX_NAMED_BUNDLE_BYTES })
        : { problem: bundle.problem };
    if ("problem" in parsed || parsed.content.kind !== "dsse") {
      const why = "problem" in parsed ? parsed.problem : "it signs a file, not a statement";
      refuse("signer", `${file} is no model signature: ${why}`);
      continue;
    }
    const signer = judge({ bundle: parsed }, claim, trust, now);
    if (!signer.ok) {
      refuse("signer", `the model signature ${file} does not count: ${signer.detail}`);
      continue;
    }
    const manifest = parseOms(parsed.content.payload);
    const form = readOmsBundle(bundle.text);
    if ("problem" in manifest || "problem" in form) {
      const why = "problem" in manifest ? manifest.problem : (form as { problem: string }).problem;
      refuse("malformed", `${file} is no model signature: ${why}`, { final: true });
      continue;
    }
    const comparison = compareOms(manifest, {
      ...model,
      signature: bundle.signature,
      ...(bundle.computed ? { computed: bundle.computed } : {}),
    });
    const findings = comparisonFindings(comparison, place);
    for (const finding of findings) {
      const [rule] = Object.entries(MODEL_RULES).find(([, { code }]) => code === finding.code)!;
      (rule === "ignored" ? ignored : failed).push({ rule: rule as RuleName, finding });
    }
    if (comparison.differences.length > 0) continue;
    if (comparison.unread.length === 0) principals.push(signer.principal);
    else {
      const reason = `${manifest.hashType} digests of ${file} were not computed: ${comparison.unread.length} of ${manifest.resources.length}`;
      unread.push({ rule: "absent", reason });
    }
  }
  const missing = missingSigners(trust, claim, principals);
  if (missing === null) return { findings: ignored, unread: [], isSigned: true };
  if (principals.length > 0 && failed.length + unread.length === 0) {
    const finding = modelFinding(
      MODEL_RULES.signer,
      { component: id },
      `${id}: not enough principals have signed: ${missing}`,
    );
    failed.push({ rule: "signer", finding });
  }
  return { findings: [...failed, ...ignored], unread, isSigned: false };
}

import { RELEASE_TYPE } from "../core/release.ts";
import { safeText } from "../core/safe-text.ts";
import { CHANNEL_TYPE } from "../evidence/channel.ts";
import { evidenceByUri } from "../evidence/predicate-names.ts";
import { parseStatement } from "../evidence/statement.ts";
import { VERIFY_RULES } from "../verify/rules.ts";
import { authorityOf } from "../verify/signed.ts";
import { judgeSigner } from "../verify/trust-judge.ts";
import { currentTrust } from "./operator-trust.ts";
import type { BundlesRequest, LoadedPolicy } from "./verify-bundles.ts";

const REFUSED = {
  revoked: VERIFY_RULES.revokedKey,
  "unknown-key": VERIFY_RULES.someoneElse,
  "unknown-identity": VERIFY_RULES.someoneElse,
  ambiguous: VERIFY_RULES.ambiguousSigner,
  "not-allowed": VERIFY_RULES.notAllowed,
  "not-yet-valid": VERIFY_RULES.notYetValid,
  expired: VERIFY_RULES.expiredKey,
} as const;

/**
 * The operator's trust policy as what bundles are verified against: its roots, keys and witnesses, and its rules for
 * the type of each statement. Thresholds are not asked: each bundle is one signature.
 *
 * @throws WaybillError as `currentTrust`
 */
export function trustPolicy({ now, requireLog, signer }: BundlesRequest): LoadedPolicy {
  if (signer.by !== "trust") throw new TypeError("not a request with a trust policy");
  const trust = currentTrust(signer.file, { home: signer.home, digest: signer.digest, now });
  return {
    authority: { ...authorityOf(trust), requireLog },
    judge: (found, { predicateType, time, payload }) => {
      const evidence = predicateType === undefined ? undefined : evidenceByUri(predicateType);
      if (evidence === undefined)
        return {
          refused: VERIFY_RULES.notAllowed,
          detail:
            predicateType === undefined
              ? "a trust policy says who may sign statements; this is a signature over a file"
              : `a trust policy has no name for statements of type ${predicateType}`,
        };
      const about = agentOf(payload);
      if (signer.agent !== undefined && about !== undefined && about !== signer.agent)
        return { refused: VERIFY_RULES.otherAgent, detail: `it is about another agent, ${safeText(about)}` };
      const claim = {
        evidence: evidence.short,
        ...(signer.agent === undefined ? {} : { agent: signer.agent }),
      };
      const judged = judgeSigner(trust, { ...claim, signer: found, time, now });
      if (judged.status === "trusted") return { principal: judged.principal };
      return { refused: REFUSED[judged.status], detail: judged.detail };
    },
  };
}

/** The agent that a release or channel statement names; other statements name none. */
function agentOf(payload: Buffer | undefined): string | undefined {
  const statement = payload && parseStatement(payload);
  if (!statement || "problem" in statement) return undefined;
  const { predicateType, predicate, subject } = statement;
  if (predicateType === RELEASE_TYPE) return subject[0]?.name;
  return predicateType === CHANNEL_TYPE ? String(predicate.agent) : undefined;
}

import { evidenceByUri } from "../evidence/predicate-names.ts";
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
  const trust = currentTrust(signer.file, { home: signer.home, now });
  return {
    authority: { ...authorityOf(trust), requireLog },
    judge: (found, { predicateType, time }) => {
      const evidence = predicateType === undefined ? undefined : evidenceByUri(predicateType);
      if (evidence === undefined)
        return {
          refused: VERIFY_RULES.notAllowed,
          detail:
            predicateType === undefined
              ? "a trust policy says who may sign statements; this is a signature over a file"
              : `a trust policy has no name for statements of type ${predicateType}`,
        };
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

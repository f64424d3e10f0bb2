import type { Signer } from "../sign/established.ts";
import { certificateHolder } from "../sign/verify-bundle.ts";
import type { Trust } from "./trust.ts";
import { describeSigner, judgeHolder, trustExpired } from "./trust-judge.ts";

/** Whom an entry of a log says its maker is: the id of a key, or a certificate in DER. */
export type NamedMaker = { keyId: string } | { certificate: Buffer };

/**
 * The principal whose key or certificate this is at a moment, for a log that takes entries only of makers whom trust
 * names. What an entry is about is not known then, so the policy's rules are not asked.
 *
 * @param now the log's clock: the entry is handed in now
 * @returns the principal; else a sentence for the client. Never throws for any bytes.
 */
export function makerOf(
  trust: Trust,
  maker: NamedMaker,
  now: Date,
): { principal: string } | { problem: string } {
  const ended = trustExpired(trust, now);
  if (ended !== null) return { problem: ended };
  const signer: Signer | { problem: { detail: string } } =
    "keyId" in maker
      ? { kind: "key", keyId: maker.keyId }
      : certificateHolder(maker.certificate, trust.trustedRoots, now.getTime());
  if ("problem" in signer) return { problem: signer.problem.detail };
  const judged = judgeHolder(trust, { signer, now });
  if (judged.status === "trusted") return { principal: judged.principal };
  const name = describeSigner(signer);
  return { problem: judged.detail.includes(name) ? judged.detail : `${name}: ${judged.detail}` };
}

import type { KeyObject } from "node:crypto";
import type { Finding } from "../core/finding.ts";
import { IDENTITY_RULE, lintIdentity } from "../core/identity-lint.ts";
import type { NoteVerifier } from "../core/note.ts";
import { safeText } from "../core/safe-text.ts";
import { evidenceByUri } from "../evidence/predicate-names.ts";
import { type Established, earliestTime } from "../sign/established.ts";
import type { NamedRoot } from "../sign/trusted-root.ts";
import type { AcceptedEvidence } from "../verify/image-judge.ts";
import { describeSigner, judgeSigner, missingSigners } from "../verify/trust-judge.ts";
import { currentTrust } from "./operator-trust.ts";
import { loadRoot } from "./trusted-root-file.ts";
import type { ExpectedSigner } from "./verify-bundles.ts";

/** Who may have signed an image. */
export interface ImageSigners {
  keys: readonly KeyObject[];
  roots: readonly NamedRoot[];
  witnesses?: readonly NoteVerifier[];
  requireLog: boolean;
  whois(established: Established, type: string): { name: string } | { problem: string };
  /** What is missing where several must have signed; null when it is enough. */
  missing?(accepted: readonly AcceptedEvidence[]): string | null;
  /** What is odd about the question itself, told where nothing counts. */
  doubts?: readonly Finding[];
}

/**
 * The signers that an operator names: a key, an identity, or those of a trust policy.
 *
 * @param trustedRoot a file or `sigstore-public`; with a trust policy its own roots count
 * @throws WaybillError as `loadRoot` and `parseTrust`; WB-INPUT-006 for a policy that counts no longer
 */
export async function imageSigners(
  signer: ExpectedSigner,
  options: { trustedRoot: string | undefined; requireLog: boolean; now: Date },
): Promise<ImageSigners> {
  const { trustedRoot, requireLog } = options;
  if (signer.by === "trust") return trustSigners(signer, options);
  const roots = trustedRoot === undefined ? [] : [await loadRoot(trustedRoot)];
  if (signer.by === "key") return { ...keySigners([signer.publicKey], roots), requireLog };
  const { subject, issuer } = signer;
  // A certificate's issuer is trusted not to sign unseen: where there are logs, it must be in one.
  const logs = roots.some(({ root }) => root.tlogs.length > 0);
  return {
    keys: [],
    roots,
    requireLog: requireLog || logs,
    whois: (established) => {
      const found = established.signer;
      const same =
        found.kind === "certificate" &&
        found.identity.issuer === issuer &&
        found.identity.subjects.includes(subject);
      return same ? { name: describeSigner(found) } : { problem: `signed by ${describeSigner(found)}` };
    },
    doubts: lintIdentity({ issuer, subject }).map(({ problem, corrected }) => ({
      code: IDENTITY_RULE.code,
      message: `the identity that is asked for can match no certificate: ${problem}`,
      expected: safeText(corrected?.subject ?? corrected?.pattern ?? corrected?.issuer ?? "another identity"),
      found: safeText(corrected?.issuer === undefined ? subject : issuer),
      why: IDENTITY_RULE.why,
      fix: corrected?.subject === undefined ? IDENTITY_RULE.fix : `--identity ${safeText(corrected.subject)}`,
    })),
  };
}

/** Signers that are exactly these keys; no time and no log is asked for. */
export function keySigners(keys: readonly KeyObject[], roots: readonly NamedRoot[] = []): ImageSigners {
  return {
    keys,
    roots,
    requireLog: false,
    whois: ({ signer }) =>
      signer.kind === "key"
        ? { name: describeSigner(signer) }
        : { problem: "signed by a certificate, and a key was asked for" },
  };
}

function trustSigners(
  { file, agent, digest, home }: Extract<ExpectedSigner, { by: "trust" }>,
  { requireLog, now }: { requireLog: boolean; now: Date },
): ImageSigners {
  const trust = currentTrust(file, { home, digest, now });
  const claimOf = (type: string) => {
    const evidence = evidenceByUri(type)?.short;
    return evidence === undefined ? undefined : { evidence, ...(agent === undefined ? {} : { agent }) };
  };
  return {
    keys: trust.keys.map(({ publicKey }) => publicKey),
    roots: trust.trustedRoots,
    ...(trust.witnesses ? { witnesses: trust.witnesses.keys } : {}),
    requireLog,
    whois: (established, type) => {
      const claim = claimOf(type);
      if (claim === undefined)
        return { problem: `a trust policy has no name for statements of type ${type}` };
      const { signer } = established;
      const judged = judgeSigner(trust, { ...claim, signer, time: earliestTime(established), now });
      return judged.status === "trusted" ? { name: judged.principal } : { problem: judged.detail };
    },
    missing: (accepted) => {
      const claim = claimOf(accepted[0]!.type)!;
      return missingSigners(
        trust,
        claim,
        accepted.map(({ by }) => by),
      );
    },
  };
}

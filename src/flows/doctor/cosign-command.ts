import { baseOf } from "./bundle-obstacles.ts";
import type { BundleQuestion } from "./consumer.ts";
import type { Compared } from "./cosign-rules.ts";
import { fieldsOf, listOf } from "./fields.ts";

/** Where the inputs are: copies of our own for a run, the caller's words for a command to paste. */
export interface Places {
  bundle: string;
  key: string;
  /** Empty in a command to paste where cosign's own public root is meant. */
  root: string;
  /** An empty trusted root, which cosign 2 wants even for a key. */
  empty: string;
  artifact: string;
  /** In a command to paste: never one that takes every identity. */
  anyIdentity?: { identity: string; issuer: string };
}

/** What a run leaves unchecked, so that the answer can say so. */
export interface Leniency {
  ignoresLog: boolean;
  ignoresSct: boolean;
  anyIdentity: boolean;
}

/** The trusted root that cosign 2 wants where nothing but a key is trusted; `cosign trusted-root create` writes the same. */
export const EMPTY_ROOT = '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}\n';

/** What has to be left unchecked for this bundle to be verified at all. */
export function leniencyFor(question: BundleQuestion): Leniency {
  const { facts, trustedRoot, identity, issuer } = question;
  const root = fieldsOf(trustedRoot?.data);
  const entries = "problem" in facts ? 0 : facts.entries.length;
  return {
    ignoresLog: entries === 0 || listOf(root?.get("tlogs")).length === 0,
    ignoresSct: listOf(root?.get("ctlogs")).length === 0,
    anyIdentity: identity === undefined || issuer === undefined,
  };
}

/**
 * The words after `cosign` that verify a bundle offline.
 *
 * @param compared what the bundle is compared with; chosen by `comparedWith`
 */
export function cosignWords(
  question: BundleQuestion,
  major: 2 | 3,
  compared: NonNullable<Compared>,
  places: Places,
  leniency: Leniency,
): string[] {
  const { facts } = question;
  const content = "problem" in facts ? undefined : facts.content;
  const dsse = content?.kind === "dsse";
  const words = [dsse ? "verify-blob-attestation" : "verify-blob", `--bundle=${places.bundle}`];
  if (major === 2) words.push("--new-bundle-format");
  if (dsse) words.push(`--type=${content.statement?.predicateType || "custom"}`);
  words.push(...signerWords(question, major, places, leniency));
  if (leniency.ignoresLog) words.push("--insecure-ignore-tlog");
  if (compared.by === "file") words.push(places.artifact);
  else if (dsse) words.push(`--digest=${compared.hex}`, `--digestAlg=${compared.algorithm}`);
  else words.push(`${compared.algorithm}:${compared.hex}`);
  return words;
}

function signerWords(question: BundleQuestion, major: 2 | 3, places: Places, leniency: Leniency): string[] {
  const { facts, trustedRoot, identity, issuer, key } = question;
  if (key || "problem" in facts || facts.signer?.kind !== "certificate")
    return [
      `--key=${places.key}`,
      ...(trustedRoot
        ? [`--trusted-root=${places.root}`]
        : major === 2
          ? [`--trusted-root=${places.empty}`]
          : []),
    ];
  const words = places.root === "" ? [] : [`--trusted-root=${places.root}`];
  const { anyIdentity: any } = places;
  words.push(
    identity === undefined
      ? (any?.identity ?? "--certificate-identity-regexp=.*")
      : `--certificate-identity=${identity}`,
  );
  words.push(
    issuer === undefined
      ? (any?.issuer ?? "--certificate-oidc-issuer-regexp=.*")
      : `--certificate-oidc-issuer=${issuer}`,
  );
  if (leniency.ignoresSct) words.push("--insecure-ignore-sct");
  // Without a Rekor v1 entry nothing but a timestamp says when a certificate was used.
  const timed = !leniency.ignoresLog && facts.entries.some((entry) => entry.integratedTime);
  if (facts.timestamps > 0 && !timed) words.push("--use-signed-timestamps");
  // Measured with 3.1.3: the flag makes it refuse chains in v0.1 and v0.2, which need no leave.
  const chain = facts.signer.form === "x509CertificateChain" && baseOf(facts.version ?? "") === "0.3";
  if (major === 3 && chain) words.push("--allow-certificate-chain");
  return words;
}

import type { X509Certificate } from "node:crypto";
import { type Certificate, readCertificate, USAGE, type Usage, usageOf } from "./certificate.ts";

/** Most certificates from the signer's own to a root, both included. */
export const MAX_CHAIN = 10;

const ANY_USAGE = "2.5.29.37.0";

/** Signatures over hashes for which two certificates with one signature can be made: RSA and ECDSA with MD2, MD5, SHA-1. */
const BROKEN = new Set([
  "1.2.840.113549.1.1.2",
  "1.2.840.113549.1.1.4",
  "1.2.840.113549.1.1.5",
  "1.3.14.3.2.29",
  "1.2.840.10045.4.1",
]);

/** What a chain must hold for. */
export interface ChainDemand {
  /** Milliseconds since 1970: every certificate of the path is valid at each of them. */
  times: readonly number[];
  /** Extended key usage of the signer's certificate. */
  usage: string;
  /** `required`: the certificate must name the usage; `where-present`: it must unless it names none at all. */
  usageIs: "required" | "where-present";
}

/**
 * Finds the path from a certificate to a trusted one and verifies it (RFC 5280 §6, without revocation: name
 * constraints, and a critical extension beyond basic constraints, key usages and names, refuse the path).
 *
 * @param helpers untrusted certificates that may stand between
 * @param anchors trusted certificates: their signatures are not checked, all else is
 * @returns the path from leaf to anchor, both included, or why there is none
 */
export function findPath(
  leaf: Certificate,
  helpers: readonly Certificate[],
  anchors: readonly Certificate[],
  demand: ChainDemand,
): Certificate[] | { problem: string } {
  const refused = leafProblem(leaf, demand);
  if (refused !== null) return { problem: refused };
  let budget = 100;
  let reason = "no trusted certificate issued it";
  const climb = (path: Certificate[]): Certificate[] | undefined => {
    const last = path.at(-1)!;
    for (const [trusted, candidates] of [
      [true, anchors],
      [false, helpers],
    ] as const)
      for (const issuer of candidates) {
        if (!issuer.subject.equals(last.issuer) || path.includes(issuer)) continue;
        budget -= 1;
        if (budget < 0 || path.length >= MAX_CHAIN) {
          reason = "the chain is too long";
          return undefined;
        }
        const problem = issuerProblem(issuer, last, path.length - 1, demand);
        if (problem !== null) {
          reason = problem;
          continue;
        }
        if (trusted) return [...path, issuer];
        const found = climb([...path, issuer]);
        if (found) return found;
      }
    return undefined;
  };
  // A trusted certificate that is the signer's own is trusted as it is.
  if (anchors.some((anchor) => anchor.der.equals(leaf.der))) return [leaf];
  return climb([leaf]) ?? { problem: reason };
}

/**
 * Verifies a chain of certificates against roots that the verifier brings (OMS v1.0, signing with a certificate):
 * signatures, names, validity at the time, basic constraints, path lengths, key usages, and code signing as the
 * extended usage where the signer's certificate names any. At most 10 certificates.
 *
 * @param chain DER, the signer's own first; the others only help to find the path, in any order
 * @param roots trusted
 * @param at the moment at which all of them must be valid
 * @returns null when it holds, else the reason. Never throws for any bytes.
 */
export function verifyChain(
  chain: readonly Buffer[],
  roots: readonly X509Certificate[],
  at: Date,
): null | string {
  if (chain.length === 0) return "there is no certificate";
  if (chain.length > MAX_CHAIN) return `there are more than ${MAX_CHAIN} certificates`;
  const read = chain.map(readCertificate);
  const anchors = roots.map((root) => readCertificate(root.raw));
  const certificates: Certificate[] = [];
  for (const each of read) {
    if ("problem" in each) return each.problem;
    certificates.push(each);
  }
  const trusted = anchors.flatMap((each) => ("problem" in each ? [] : [each]));
  const [leaf, ...helpers] = certificates;
  const demand = { times: [at.getTime()], usage: USAGE.codeSigning, usageIs: "where-present" } as const;
  const path = findPath(leaf!, helpers, trusted, demand);
  return "problem" in path ? path.problem : null;
}

function leafProblem(leaf: Certificate, { times, usage, usageIs }: ChainDemand): string | null {
  const says = usageOf(leaf);
  if ("problem" in says) return says.problem;
  if (says.notUnderstood) return `an extension ${says.notUnderstood} that restricts it is not understood`;
  if (says.digitalSignature === false) return "its key usage does not allow signatures";
  if (says.extended === undefined ? usageIs === "required" : !says.extended.includes(usage))
    return "its extended key usage does not allow this";
  return timeProblem(leaf, times, "it");
}

function issuerProblem(
  issuer: Certificate,
  subject: Certificate,
  below: number,
  { times, usage }: ChainDemand,
): string | null {
  const says: Usage | { problem: string } = usageOf(issuer);
  if ("problem" in says) return says.problem;
  if (!says.ca) return "its issuer is not a certificate authority";
  if (says.keyCertSign === false) return "its issuer's key may not sign certificates";
  if (says.pathLength !== undefined && says.pathLength < below)
    return "the path is longer than its authority allows";
  if (says.notUnderstood)
    return `an extension ${says.notUnderstood} that restricts its issuer is not understood`;
  if (says.extended && !says.extended.includes(usage) && !says.extended.includes(ANY_USAGE))
    return "its issuer may not issue certificates for this use";
  const time = timeProblem(issuer, times, "its issuer");
  if (time !== null) return time;
  if (BROKEN.has(subject.signedWith)) return "its issuer's signature is over a hash that is broken";
  try {
    return subject.x509.verify(issuer.publicKey) ? null : "its issuer's signature is invalid";
  } catch {
    return "its issuer's signature cannot be checked";
  }
}

function timeProblem(
  { notBefore, notAfter }: Certificate,
  times: readonly number[],
  who: string,
): string | null {
  for (const at of times) {
    const moment = () => new Date(at).toISOString();
    if (at < notBefore) return `${who} was not valid yet at ${moment()}`;
    // RFC 5280 §4.1.2.5: both ends are included. Written so that a date that is none (NaN) is never valid.
    if (!(at <= notAfter)) return `${who} was not valid any more at ${moment()}`;
  }
  return null;
}

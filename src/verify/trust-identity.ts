import { matchesPattern } from "../core/identity-pattern.ts";
import type { CertificateIdentity } from "../sign/established.ts";

/** An identity that trust names: who a certificate must say that its holder is. */
export interface TrustedIdentity {
  principal: string;
  /** Absent: only certificates that state no issuer match. */
  issuer?: string;
  /** Exactly one of the two is there. */
  subject?: string;
  pattern?: string;
  /** Names of the trusted roots whose authorities may issue it; empty when trust has none. */
  roots: ReadonlySet<string>;
  /** Milliseconds since 1970; it counts while notBefore <= time of signing < notAfter. */
  notBefore: number;
  notAfter: number;
}

/** Whose a certificate is: one principal's, nobody's, or several principals' and so nobody's. */
export type IdentityMatch =
  | { status: "one"; identities: readonly [TrustedIdentity, ...TrustedIdentity[]] }
  | { status: "none" }
  | { status: "ambiguous"; principals: string[] };

/**
 * Finds the principal that a certificate speaks for. Exact subjects go before patterns. A certificate that two
 * principals claim counts for neither: one person would count twice towards a threshold, or for the wrong one.
 */
export function findIdentity(
  identities: readonly TrustedIdentity[],
  certificate: CertificateIdentity,
): IdentityMatch {
  const { issuer, root, subjects } = certificate;
  const open = identities.filter((known) => known.issuer === issuer && known.roots.has(root));
  const exact = open.filter((known) => known.subject !== undefined && subjects.includes(known.subject));
  const found =
    exact.length > 0
      ? exact
      : open.filter(
          ({ pattern }) => pattern !== undefined && subjects.some((s) => matchesPattern(pattern, s)),
        );
  const [first, ...rest] = found;
  if (!first) return { status: "none" };
  const principals = [...new Set(found.map(({ principal }) => principal))];
  if (principals.length > 1) return { status: "ambiguous", principals };
  return { status: "one", identities: [first, ...rest] };
}

/** How people read an identity: the subject, and who vouches for it. */
export function describeIdentity({ issuer, subject }: { issuer?: string; subject: string }): string {
  return issuer === undefined ? subject : `${subject} (${issuer})`;
}

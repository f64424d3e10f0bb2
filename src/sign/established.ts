import type { Hex } from "../core/digest.ts";

/**
 * A moment by which a signature is proved to have existed: by an RFC 3161 timestamp of a trusted authority, by the
 * signed entry timestamp of a trusted Rekor v1 log, or by a trusted witness's cosignature on a checkpoint that
 * includes it. Never what a statement says of itself.
 */
export interface SigningTime {
  /** Milliseconds since 1970. */
  at: number;
  by: "rfc3161" | "rekor-set" | "witness";
  /** Name of the timestamp authority, log or witness, for people. */
  authority: string;
}

/** An entry that was proved to be in a trusted log and to be about this very signature. */
export interface LogInclusion {
  /** The checkpoint's origin; a Rekor v1 log's base URL where an entry has only a SET. */
  origin: string;
  /** Hex of the log's key id. */
  logId: Hex;
  index: number;
  /** Absent where an entry has only a SET. */
  checkpoint?: { size: number; root: Buffer /** The signed note. */; note: string };
  /** Names of the trusted witnesses that cosigned the checkpoint. */
  witnesses: string[];
}

/** What a certificate says of its holder, its chain verified to a trusted authority at a trusted time. */
export interface CertificateIdentity {
  /** OIDC issuer (Fulcio extension 1.3.6.1.4.1.57264.1.8, else .1.1); absent for certificates by other authorities. */
  issuer?: string;
  /** Subject alternative names: URIs, e-mail addresses, other names. */
  subjects: string[];
  /** Name of the trusted root whose authority issued it. */
  root: string;
  /** Milliseconds since 1970. */
  notBefore: number;
  notAfter: number;
}

/** Who made a signature. Whether they may is `verify/`'s affair. */
export type Signer = { kind: "key"; keyId: Hex } | { kind: "certificate"; identity: CertificateIdentity };

/** What verifying a bundle has established. */
export interface Established {
  signer: Signer;
  times: SigningTime[];
  logged: LogInclusion[];
}

/** The earliest proved moment, in milliseconds since 1970: by then the signature existed. */
export function earliestTime(established: Established): number | undefined {
  const times = established.times.map((time) => time.at);
  return times.length === 0 ? undefined : Math.min(...times);
}

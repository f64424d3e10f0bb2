import { hash, type KeyObject } from "node:crypto";
import type { NoteVerifier } from "../core/note.ts";
import type { ParsedBundle } from "./bundle.ts";
import type { BundleProblem } from "./bundle-problem.ts";
import {
  type Artifact,
  checkSignature,
  checkSubject,
  keyOf,
  keySigner,
  Refusal,
  refusals,
  type SignedHash,
} from "./bundle-signature.ts";
import { type Certificate, issuerOf, readCertificate, subjectsOf, USAGE } from "./certificate.ts";
import { findPath } from "./certificate-chain.ts";
import type { CertificateIdentity, Established, LogInclusion, Signer, SigningTime } from "./established.ts";
import { spkiOf } from "./keys.ts";
import { bodyProblem, type Logged } from "./log-entry-body.ts";
import { checkLogEntry } from "./log-entry-check.ts";
import { checkScts } from "./sct.ts";
import { checkTimestamp } from "./timestamp.ts";
import { type CertificateAuthority, covers, type NamedRoot } from "./trusted-root.ts";

export type { BundleProblem, BundleProblemCode } from "./bundle-problem.ts";
export type { Artifact } from "./bundle-signature.ts";

/** Whom the verifier believes, and what it demands. */
export interface Authority {
  roots: readonly NamedRoot[];
  /** The key that a bundle's hints name; they are not signed, so they may only find it. */
  findKey(hints: readonly string[]): KeyObject | undefined;
  /** Trusted witnesses of checkpoints. */
  witnesses?: readonly NoteVerifier[];
  /** At least one entry in a trusted log. */
  requireLog?: boolean;
  /** At least one trusted time, for keys too; a certificate always needs one. */
  requireTime?: boolean;
  /** This many of the trusted witnesses on one checkpoint. */
  requireWitnesses?: number;
}

/**
 * Verifies a bundle: signature, timestamps, log entries, signer, artifact. What is signed by nobody (hints, the
 * order of lists) decides nothing. Timestamps and log entries of authorities that no root names count as if they
 * were not there; one of a named authority that does not hold refuses the bundle.
 *
 * A root answers for its own certificates only: for them the authorities of other roots count as unnamed ones, and
 * where it names logs, one of them must hold the signature, for nobody may be certified unseen. For a key any root
 * will do.
 *
 * @param artifact what the bundle must be about. A signature over a file cannot be verified without it; a
 *   statement without an artifact is verified alone, and that it is about anything is then not established.
 * @returns who signed, when and where it was logged; or the problem. Never throws for any bundle.
 */
export function verifyBundle(
  parsed: ParsedBundle,
  authority: Authority,
  artifact?: Artifact,
): Established | { problem: BundleProblem } {
  return refusals(() => verify(parsed, authority, artifact));
}

function verify(parsed: ParsedBundle, authority: Authority, artifact?: Artifact): Established {
  const holder = holderOf(parsed, authority);
  const about = aboutOf(parsed, holder, checkSignature(parsed, holder.publicKey, artifact));
  const established = holder.certificate
    ? byCertificate(parsed, authority, about, holder.certificate, holder.helpers)
    : { signer: keySigner(holder.publicKey), ...checkProofs(parsed, authority, about) };
  checkSubject(parsed, artifact);
  return established;
}

type Proofs = Pick<Established, "times" | "logged">;

/** What all of the roots prove of when and where, and whether that is as much as is demanded; throws Refusal. */
function checkProofs(parsed: ParsedBundle, authority: Authority, about: Logged): Proofs {
  const stamped = checkTimestamps(parsed, authority);
  const { logged, times: logTimes } = checkEntries(parsed, authority, about, stamped);
  const times = [...stamped, ...logTimes];
  if (authority.requireLog && logged.length === 0)
    throw new Refusal("WB-LOG-001", "it is in no log that is trusted");
  const seenBy = Math.max(0, ...logged.map(({ witnesses }) => witnesses.length));
  if (seenBy < (authority.requireWitnesses ?? 0))
    throw new Refusal(
      "WB-LOG-005",
      `${seenBy} of the ${authority.requireWitnesses} demanded witnesses have signed the log's checkpoint`,
    );
  if (authority.requireTime && times.length === 0)
    throw new Refusal("WB-SIGN-015", "nothing trusted says when it was signed");
  return { times, logged };
}

/** Asks each root whose authorities may have issued the certificate, on its own; the first that agrees decides. */
function byCertificate(
  parsed: ParsedBundle,
  authority: Authority,
  about: Logged,
  certificate: Certificate,
  helpers: readonly Certificate[],
): Established {
  let refused: BundleProblem | undefined;
  for (const named of authority.roots) {
    const { certificateAuthorities, tlogs } = named.root;
    const mayBe = (each: Certificate) => certificateAuthorities.some((ca) => isIssuer(ca, each));
    if (![certificate, ...helpers].some(mayBe)) continue;
    const requireLog = authority.requireLog || tlogs.length > 0;
    const result = refusals((): Established => {
      const proofs = checkProofs(parsed, { ...authority, roots: [named], requireLog }, about);
      return { signer: certificateSigner(certificate, helpers, proofs.times, named), ...proofs };
    });
    if (!("problem" in result)) return result;
    refused ??= result.problem;
  }
  const { code, detail } = refused ?? NOT_ISSUED;
  throw new Refusal(code, detail);
}

const NOT_ISSUED: BundleProblem = {
  code: "WB-SIGN-011",
  detail: "no trusted authority issued its certificate",
};

interface Holder {
  publicKey: KeyObject;
  certificate?: Certificate;
  /** Certificates that came along. */
  helpers: readonly Certificate[];
}

function holderOf(parsed: ParsedBundle, { findKey }: Authority): Holder {
  const { signer } = parsed;
  if (signer.kind === "key") return { publicKey: keyOf(parsed, findKey), helpers: [] };
  const [certificate, ...helpers] = signer.chain.map((der) => {
    const read = readCertificate(der);
    if ("problem" in read) throw new Refusal("WB-SIGN-010", read.problem);
    return read;
  });
  return { publicKey: certificate!.publicKey, certificate: certificate!, helpers };
}

function checkTimestamps({ timestamps, signature }: ParsedBundle, { roots }: Authority): SigningTime[] {
  const authorities = roots.flatMap(({ root }) => root.timestampAuthorities);
  const found = new Map<string, SigningTime>();
  if (authorities.length === 0) return [];
  for (const der of timestamps) {
    const result = checkTimestamp(der, signature, authorities);
    if (result.status === "invalid")
      throw new Refusal("WB-LOG-004", `a timestamp is refused: ${result.problem}`);
    if (result.status === "unknown") continue;
    // One timestamp in two encodings is one.
    const { at, authority, serial } = result;
    found.set(`${serial} ${at} ${authority}`, { at, by: "rfc3161", authority });
  }
  return [...found.values()];
}

function checkEntries(
  parsed: ParsedBundle,
  { roots, witnesses = [] }: Authority,
  about: Logged,
  stamped: readonly SigningTime[],
): { logged: LogInclusion[]; times: SigningTime[] } {
  const logs = roots.flatMap(({ root }) => root.tlogs);
  const logged: LogInclusion[] = [];
  const times: SigningTime[] = [];
  for (const entry of parsed.logEntries) {
    // Two roots may name one log; what one of them proves is proved.
    const results = logs
      .filter((log) => log.logId.equals(entry.logId) || log.checkpointKeyId.equals(entry.logId))
      .flatMap((log) => checkLogEntry(entry, log, witnesses, stamped) ?? []);
    const best = results.find((result) => "inclusion" in result) ?? results[0];
    if (best === undefined) continue;
    if ("code" in best) throw new Refusal(best.code, best.detail);
    const problem = bodyProblem(entry, about);
    if (problem !== null) throw new Refusal("WB-LOG-003", `a log entry is about something else: ${problem}`);
    const { inclusion } = best;
    if (logged.some((each) => each.logId === inclusion.logId && each.index === inclusion.index)) continue;
    logged.push(inclusion);
    times.push(...best.times);
  }
  return { logged, times };
}

function aboutOf({ signature, content }: ParsedBundle, holder: Holder, signedHash: SignedHash): Logged {
  const verifier = holder.certificate?.der ?? spkiOf(holder.publicKey);
  const about: Logged = { signature, verifier, signedHash };
  if (content.kind === "message") return about;
  const { payload, payloadType } = content;
  return { ...about, payloadType, payloadHash: (algorithm) => hash(algorithm, payload, "buffer") };
}

/** Every time that an authority gave must lie within the certificate; a witness only bounds it from above. */
function certificateSigner(
  certificate: Certificate,
  helpers: readonly Certificate[],
  times: readonly SigningTime[],
  { name, root }: NamedRoot,
): Signer {
  if (times.length === 0)
    throw new Refusal(
      "WB-SIGN-015",
      "nothing trusted says that its certificate was valid when it was signed",
    );
  const given = times.filter(({ by }) => by !== "witness");
  const judged = given.length > 0 ? given : [times.reduce((a, b) => (b.at < a.at ? b : a))];
  for (const { at } of judged)
    if (at < certificate.notBefore || at > certificate.notAfter)
      throw new Refusal(
        "WB-SIGN-014",
        `it was signed at ${new Date(at).toISOString()}, its certificate is valid from ${new Date(certificate.notBefore).toISOString()} to ${new Date(certificate.notAfter).toISOString()}`,
      );
  let refused = NOT_ISSUED;
  for (const ca of root.certificateAuthorities) {
    const path = pathAt(certificate, helpers, ca, judged);
    if ("problem" in path) {
      if (refused.code === "WB-SIGN-011" && isIssuer(ca, certificate))
        refused = { code: "WB-SIGN-011", detail: `its certificate is refused: ${path.problem}` };
      continue;
    }
    const problem =
      root.ctlogs.length === 0 ? null : checkScts(certificate, path[1] ?? path[0]!, root.ctlogs);
    if (problem === null) return { kind: "certificate", identity: identityOf(certificate, name) };
    refused = { code: "WB-SIGN-016", detail: problem };
  }
  throw new Refusal(refused.code, refused.detail);
}

/**
 * Whom a certificate names, its path verified to an authority of a trusted root at one moment: for a log, which is
 * handed a certificate now and has no bundle. Never throws for any bytes.
 *
 * @param at milliseconds since 1970
 */
export function certificateHolder(
  der: Buffer,
  roots: readonly NamedRoot[],
  at: number,
): Signer | { problem: BundleProblem } {
  const certificate = readCertificate(der);
  if ("problem" in certificate) return { problem: { code: "WB-SIGN-010", detail: certificate.problem } };
  const now: SigningTime = { at, by: "rfc3161", authority: "now" };
  let refused = NOT_ISSUED;
  for (const named of roots) {
    const found = refusals(() => certificateSigner(certificate, [], [now], named));
    if (!("problem" in found)) return found;
    if (refused === NOT_ISSUED) refused = found.problem;
  }
  return { problem: refused };
}

function isIssuer(ca: CertificateAuthority, certificate: Certificate): boolean {
  return ca.chain.some((each) => each.subject.equals(certificate.issuer));
}

/** A path that holds at every one of the times; its authority's root is the anchor, the rest helps to get there. */
function pathAt(
  certificate: Certificate,
  helpers: readonly Certificate[],
  ca: CertificateAuthority,
  judged: readonly SigningTime[],
): Certificate[] | { problem: string } {
  const times = judged.map(({ at }) => at);
  const outside = times.find((at) => !covers(ca, at));
  if (outside !== undefined)
    return { problem: `${ca.name} was not trusted at ${new Date(outside).toISOString()}` };
  const between = [...ca.chain.slice(0, -1), ...helpers];
  const demand = { times, usage: USAGE.codeSigning, usageIs: "required" } as const;
  return findPath(certificate, between, ca.chain.slice(-1), demand);
}

function identityOf(certificate: Certificate, root: string): CertificateIdentity {
  const subjects = subjectsOf(certificate);
  const issuer = issuerOf(certificate);
  if ("problem" in subjects) throw new Refusal("WB-SIGN-010", `its certificate's names: ${subjects.problem}`);
  if (typeof issuer === "object")
    throw new Refusal("WB-SIGN-010", `its certificate's issuer: ${issuer.problem}`);
  return {
    ...(issuer === undefined ? {} : { issuer }),
    subjects,
    root,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
  };
}

import { hash, type KeyObject } from "node:crypto";
import type { NoteVerifier } from "../core/note.ts";
import type { ParsedBundle } from "./bundle.ts";
import type { BundleProblem, BundleProblemCode } from "./bundle-problem.ts";
import {
  type Artifact,
  checkSignature,
  checkSubject,
  keyOf,
  keySigner,
  Refusal,
  refusals,
  spkiOf,
} from "./bundle-signature.ts";
import { type Certificate, issuerOf, readCertificate, subjectsOf, USAGE } from "./certificate.ts";
import { findPath } from "./certificate-chain.ts";
import type { CertificateIdentity, Established, LogInclusion, Signer, SigningTime } from "./established.ts";
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
 * @param artifact what the bundle must be about. A signature over a file cannot be verified without its bytes; a
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
  const data = checkSignature(parsed, holder.publicKey, artifact);
  const stamped = checkTimestamps(parsed, authority);
  const logged = checkEntries(parsed, authority, holder, data, stamped);
  const times = [...stamped, ...logged.times];
  if (authority.requireLog && logged.inclusions.length === 0)
    throw new Refusal("WB-LOG-001", "it is in no log that is trusted");
  const seenBy = Math.max(0, ...logged.inclusions.map(({ witnesses }) => witnesses.length));
  if (seenBy < (authority.requireWitnesses ?? 0))
    throw new Refusal(
      "WB-LOG-005",
      `${seenBy} of the ${authority.requireWitnesses} demanded witnesses have signed the log's checkpoint`,
    );
  if (authority.requireTime && times.length === 0)
    throw new Refusal("WB-SIGN-015", "nothing trusted says when it was signed");

  const signer = holder.certificate
    ? certificateSigner(holder.certificate, holder.helpers, times, authority.roots)
    : keySigner(holder.publicKey);
  checkSubject(parsed, artifact);
  return { signer, times, logged: logged.inclusions };
}

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
  { roots, witnesses }: Authority,
  holder: Holder,
  data: Uint8Array,
  stamped: readonly SigningTime[],
): { inclusions: LogInclusion[]; times: SigningTime[] } {
  const logs = roots.flatMap(({ root }) => root.tlogs);
  const about = aboutOf(parsed, holder, data);
  const inclusions: LogInclusion[] = [];
  const times: SigningTime[] = [];
  for (const entry of parsed.logEntries) {
    const named = logs.filter(
      (log) => log.logId.equals(entry.logId) || log.checkpointKeyId.equals(entry.logId),
    );
    if (named.length === 0) continue;
    // Two roots may name one log; what one of them proves is proved.
    const results = named.map((log) => ({ log, result: checkLogEntry(entry, log, witnesses) }));
    const best = results.find(({ result }) => "inclusion" in result) ?? results[0]!;
    if ("code" in best.result) throw new Refusal(best.result.code, best.result.detail);
    // Where the log gives no time itself, a timestamp says when; the log must have been trusted then.
    if (entry.promise === undefined && stamped.length > 0 && !stamped.some(({ at }) => covers(best.log, at)))
      throw new Refusal("WB-LOG-002", "the log was not trusted when the signature was made");
    const problem = bodyProblem(entry, about);
    if (problem !== null) throw new Refusal("WB-LOG-003", `a log entry is about something else: ${problem}`);
    const { inclusion } = best.result;
    if (inclusions.some((each) => each.logId === inclusion.logId && each.index === inclusion.index)) continue;
    inclusions.push(inclusion);
    times.push(...best.result.times);
  }
  return { inclusions, times };
}

function aboutOf({ signature, content }: ParsedBundle, holder: Holder, data: Uint8Array): Logged {
  const about: Logged = {
    signature,
    verifier: holder.certificate?.der ?? spkiOf(holder.publicKey),
    signedHash: (algorithm) => hash(algorithm, data, "buffer"),
  };
  if (content.kind === "message") return about;
  const { payload, payloadType } = content;
  return { ...about, payloadType, payloadHash: (algorithm) => hash(algorithm, payload, "buffer") };
}

/** Every time that an authority gave must lie within the certificate; a witness only bounds it from above. */
function certificateSigner(
  certificate: Certificate,
  helpers: readonly Certificate[],
  times: readonly SigningTime[],
  roots: readonly NamedRoot[],
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
  let refused: { code: BundleProblemCode; detail: string } = {
    code: "WB-SIGN-011",
    detail: "no trusted authority issued its certificate",
  };
  for (const { name, root } of roots)
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

function isIssuer(ca: CertificateAuthority, certificate: Certificate): boolean {
  return ca.chain.some((each) => each.subject.equals(certificate.issuer));
}

/** A path that holds at every one of the times; its authority's root is the anchor, the rest helps to get there. */
function pathAt(
  certificate: Certificate,
  helpers: readonly Certificate[],
  ca: CertificateAuthority,
  times: readonly SigningTime[],
): Certificate[] | { problem: string } {
  const anchor = ca.chain.at(-1)!;
  const between = [...ca.chain.slice(0, -1), ...helpers];
  let path: Certificate[] = [];
  for (const { at } of times) {
    if (!covers(ca, at)) return { problem: `${ca.name} was not trusted at ${new Date(at).toISOString()}` };
    const demand = { at, usage: USAGE.codeSigning, usageIs: "required" } as const;
    const found = findPath(certificate, between, [anchor], demand);
    if ("problem" in found) return found;
    path = found;
  }
  return path;
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

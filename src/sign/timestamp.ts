import { constants, hash, type KeyObject, verify } from "node:crypto";
import { type Certificate, readCertificate, subjectKeyIdOf, USAGE, usageOf } from "./certificate.ts";
import { findPath } from "./certificate-chain.ts";
import {
  childrenOf,
  contextTag,
  type Der,
  DerError,
  expect,
  oidOf,
  readDer,
  smallInteger,
  TAG,
  timeOf,
} from "./der.ts";
import { type CertificateAuthority, covers } from "./trusted-root.ts";

// Timestamps by an authority (RFC 3161) in the form of CMS (RFC 5652).

const OID = {
  signedData: "1.2.840.113549.1.7.2",
  tstInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
  signingCertificate: "1.2.840.113549.1.9.16.2.12",
  signingCertificateV2: "1.2.840.113549.1.9.16.2.47",
} as const;

const DIGESTS: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** Signature algorithms with their digest; "" where the digest is the one of the signer's attributes. */
const SIGNATURES: Readonly<Record<string, { key: string; digest: string }>> = {
  "1.2.840.10045.4.3.2": { key: "ec", digest: "sha256" },
  "1.2.840.10045.4.3.3": { key: "ec", digest: "sha384" },
  "1.2.840.10045.4.3.4": { key: "ec", digest: "sha512" },
  "1.2.840.113549.1.1.1": { key: "rsa", digest: "" },
  "1.2.840.113549.1.1.11": { key: "rsa", digest: "sha256" },
  "1.2.840.113549.1.1.12": { key: "rsa", digest: "sha384" },
  "1.2.840.113549.1.1.13": { key: "rsa", digest: "sha512" },
};

/** A timestamp, well formed; nothing in it is to be believed before `checkTimestamp`. */
export interface Timestamp {
  /** Milliseconds since 1970. */
  at: number;
  serial: Buffer;
  /** Hash of what was timestamped. */
  imprint: { algorithm: string; digest: Buffer };
  /** The TSTInfo, and the digest of it that was signed. */
  info: Buffer;
  digestAlgorithm: string;
  /** How it names the certificate of its signer. */
  signer: { issuer: Buffer; serial: Buffer } | { keyId: Buffer };
  signatureAlgorithm: { key: string; digest: string };
  signature: Buffer;
  /** Signed attributes as they are signed: tagged as a SET. */
  attributes: Buffer;
  messageDigest: Buffer;
  /** Hash of the signer's certificate as the signer states it (RFC 2634, RFC 5816): its name above is not signed. */
  certificateHash: { algorithm: string; digest: Buffer };
  /** Certificates that came along; untrusted. */
  certificates: readonly Certificate[];
}

/** What came of a timestamp. Of an unknown authority: it counts as if it were not there. */
export type TimestampResult =
  | { status: "valid"; at: number; authority: string; serial: string }
  | { status: "unknown" }
  | { status: "invalid"; problem: string };

/**
 * Verifies a timestamp over a signature: its imprint, its signer (the leaf of a trusted authority, or a certificate
 * that came along and is issued by one that lists no leaf), the chain and the authority's window at the time that
 * it states, the extended key usage (critical and the only one: RFC 3161 §2.3), the signature.
 *
 * @param der TimeStampResp
 * @param data what must have been timestamped: the bytes of the bundle's signature
 * @returns never throws for any bytes
 */
export function checkTimestamp(
  der: Buffer,
  data: Uint8Array,
  authorities: readonly CertificateAuthority[],
): TimestampResult {
  let timestamp: Timestamp;
  try {
    timestamp = readTimestamp(der);
  } catch (error) {
    return invalid(`it is malformed: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { imprint, at } = timestamp;
  if (!hash(imprint.algorithm, data, "buffer").equals(imprint.digest))
    return invalid("it is about something else");
  let refused: string | undefined;
  for (const authority of authorities) {
    const signer = signerOf(timestamp, authority);
    if (signer === undefined) continue;
    const problem = problemOf(timestamp, signer, authority);
    if (problem === null)
      return { status: "valid", at, authority: authority.name, serial: timestamp.serial.toString("hex") };
    refused ??= problem;
  }
  return refused === undefined ? { status: "unknown" } : invalid(refused);
}

function invalid(problem: string): TimestampResult {
  return { status: "invalid", problem };
}

/** The signer's certificate, where this authority is the one: as it lists it, else among those that came along. */
function signerOf(timestamp: Timestamp, { chain }: CertificateAuthority): Certificate | undefined {
  const { signer } = timestamp;
  const isNamed = (each: Certificate) =>
    "keyId" in signer
      ? subjectKeyIdOf(each)?.equals(signer.keyId)
      : each.issuer.equals(signer.issuer) && each.serial.equals(signer.serial);
  const listed = chain.find(isNamed);
  if (listed) return listed;
  const first = usageOf(chain[0]!);
  // An authority that lists its own leaf means that leaf and no other.
  if ("problem" in first || !first.ca) return undefined;
  const embedded = timestamp.certificates.find(isNamed);
  return embedded && chain.some((each) => each.subject.equals(embedded.issuer)) ? embedded : undefined;
}

function problemOf(
  timestamp: Timestamp,
  signer: Certificate,
  authority: CertificateAuthority,
): string | null {
  const { at } = timestamp;
  if (!covers(authority, at)) return `${authority.name} was not trusted at ${new Date(at).toISOString()}`;
  const usage = usageOf(signer);
  if ("problem" in usage) return usage.problem;
  if (!usage.extendedCritical || usage.extended?.length !== 1)
    return "the certificate of its signer is not for timestamps alone";
  const demand = { times: [at], usage: USAGE.timeStamping, usageIs: "required" } as const;
  // A chain of one certificate is that of an authority which trusts its leaf and nothing above.
  const path = findPath(signer, authority.chain.slice(0, -1), authority.chain.slice(-1), demand);
  if ("problem" in path) return `the certificate of its signer is refused: ${path.problem}`;
  return signatureProblem(timestamp, signer);
}

function signatureProblem(timestamp: Timestamp, signer: Certificate): string | null {
  const stated = timestamp.certificateHash;
  if (!hash(stated.algorithm, signer.der, "buffer").equals(stated.digest))
    return "it names another certificate than its signer's";
  if (!hash(timestamp.digestAlgorithm, timestamp.info, "buffer").equals(timestamp.messageDigest))
    return "its content is not what was signed";
  const { key, digest } = timestamp.signatureAlgorithm;
  const publicKey: KeyObject = signer.publicKey;
  if (publicKey.asymmetricKeyType !== key) return "its signature is of another kind than its signer's key";
  try {
    const algorithm = digest || timestamp.digestAlgorithm;
    const options = key === "rsa" ? { key: publicKey, padding: constants.RSA_PKCS1_PADDING } : publicKey;
    return verify(algorithm, timestamp.attributes, options, timestamp.signature)
      ? null
      : "its signature is invalid";
  } catch {
    return "its signature cannot be checked";
  }
}

/** Reads a TimeStampResp (RFC 3161 §2.4.2) with one signer; throws DerError. */
function readTimestamp(der: Buffer): Timestamp {
  const [status, token] = childrenOf(readDer(der, TAG.sequence));
  // 0 granted, 1 granted with changes.
  if (smallInteger(childrenOf(expect(status, TAG.sequence))[0]) > 1) throw new DerError("it was not granted");
  const [type, explicit] = childrenOf(expect(token, TAG.sequence));
  if (oidOf(type) !== OID.signedData) throw new DerError("not signed data");
  const [, , encapsulated, ...rest] = childrenOf(
    readDer(expect(explicit, contextTag(0)).content, TAG.sequence),
  );
  const [contentType, content] = childrenOf(expect(encapsulated, TAG.sequence));
  if (oidOf(contentType) !== OID.tstInfo) throw new DerError("not a timestamp");
  const info = readDer(expect(content, contextTag(0)).content, TAG.octetString).content;
  const signers = childrenOf(expect(rest.at(-1), TAG.set));
  if (signers.length !== 1) throw new DerError("not exactly one signer");
  const certificates = rest.find((each) => each.tag === contextTag(0));
  return {
    info,
    ...readInfo(info),
    ...readSigner(signers[0]!),
    certificates: certificates ? readCertificates(certificates) : [],
  };
}

function readCertificates(set: Der): Certificate[] {
  const list = childrenOf(set);
  if (list.length > 10) throw new DerError("more than 10 certificates");
  return list.flatMap((each) => {
    const certificate = readCertificate(each.raw);
    return "problem" in certificate ? [] : [certificate];
  });
}

function readInfo(bytes: Buffer): Pick<Timestamp, "at" | "serial" | "imprint"> {
  const [version, , imprint, serial, genTime] = childrenOf(readDer(bytes, TAG.sequence));
  if (smallInteger(version) !== 1) throw new DerError("not version 1");
  const [algorithm, digest] = childrenOf(expect(imprint, TAG.sequence));
  return {
    at: timeOf(expect(genTime, TAG.generalizedTime)),
    serial: expect(serial, TAG.integer).content,
    imprint: { algorithm: digestOf(algorithm), digest: expect(digest, TAG.octetString).content },
  };
}

function readSigner(
  value: Der,
): Pick<
  Timestamp,
  | "signer"
  | "digestAlgorithm"
  | "signatureAlgorithm"
  | "signature"
  | "attributes"
  | "messageDigest"
  | "certificateHash"
> {
  const [, sid, digestAlgorithm, attributes, signatureAlgorithm, signature] = childrenOf(value, TAG.sequence);
  const signed = expect(attributes, contextTag(0));
  const found = readAttributes(signed);
  const contentType = found.get(OID.contentType);
  if (contentType === undefined || oidOf(contentType) !== OID.tstInfo)
    throw new DerError("its signed attributes are of something else");
  const known = SIGNATURES[oidOf(childrenOf(expect(signatureAlgorithm, TAG.sequence))[0])];
  if (known === undefined) throw new DerError("a signature algorithm that is not known");
  return {
    signer: readSignerName(sid),
    digestAlgorithm: digestOf(digestAlgorithm),
    signatureAlgorithm: known,
    signature: expect(signature, TAG.octetString).content,
    // RFC 5652 §5.4: signed as the SET that it is, not under the tag that it bears here.
    attributes: Buffer.concat([Buffer.from([TAG.set]), signed.raw.subarray(1)]),
    messageDigest: expect(found.get(OID.messageDigest), TAG.octetString).content,
    certificateHash: readCertificateHash(found),
  };
}

/** SignerIdentifier (RFC 5652 §5.3): issuer and serial number, or the subject key identifier. */
function readSignerName(sid: Der | undefined): Timestamp["signer"] {
  if (sid?.tag === contextTag(0, false)) return { keyId: sid.content };
  const [issuer, serial] = childrenOf(expect(sid, TAG.sequence));
  return { issuer: expect(issuer, TAG.sequence).raw, serial: expect(serial, TAG.integer).content };
}

/** First value of each attribute by its identifier. */
function readAttributes(set: Der): Map<string, Der> {
  const found = new Map<string, Der>();
  for (const attribute of childrenOf(set)) {
    const [type, values] = childrenOf(attribute, TAG.sequence);
    const oid = oidOf(type);
    const list = childrenOf(expect(values, TAG.set));
    if (found.has(oid) || list.length !== 1)
      throw new DerError("an attribute that is not given exactly once");
    found.set(oid, list[0]!);
  }
  return found;
}

/** ESSCertID (SHA-1) or ESSCertIDv2, of the first certificate: the signer's. One is demanded (RFC 3161 §2.4.2). */
function readCertificateHash(attributes: ReadonlyMap<string, Der>): Timestamp["certificateHash"] {
  const second = attributes.get(OID.signingCertificateV2);
  const first = attributes.get(OID.signingCertificate);
  const value = second ?? first;
  if (value === undefined) throw new DerError("its signed attributes do not name the signer's certificate");
  const [list] = childrenOf(value, TAG.sequence);
  const [id] = childrenOf(expect(list, TAG.sequence));
  const parts = childrenOf(expect(id, TAG.sequence));
  if (second === undefined) return { algorithm: "sha1", digest: expect(parts[0], TAG.octetString).content };
  const explicit = parts[0]?.tag === TAG.sequence;
  return {
    algorithm: explicit ? digestOf(parts[0]) : "sha256",
    digest: expect(parts[explicit ? 1 : 0], TAG.octetString).content,
  };
}

function digestOf(algorithm: Der | undefined): string {
  const name = DIGESTS[oidOf(childrenOf(expect(algorithm, TAG.sequence))[0])];
  if (name === undefined) throw new DerError("a hash that is not accepted");
  return name;
}

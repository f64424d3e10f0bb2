import { type KeyObject, X509Certificate } from "node:crypto";
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

// X.509 certificates (RFC 5280). Node's own class checks signatures and reads keys; what it gives only as text for
// people, or not at all, is read here.

/** A certificate, well formed; nothing is said of its issuer. */
export interface Certificate {
  der: Buffer;
  x509: X509Certificate;
  publicKey: KeyObject;
  /** SubjectPublicKeyInfo in DER. */
  spki: Buffer;
  /** Identifier of the algorithm that it is signed with. */
  signedWith: string;
  /** The signed part, in its pieces: what a certificate transparency log signs leaves one extension out. */
  tbs: { fields: readonly Der[]; extensions: readonly Der[] };
  /** Content of the INTEGER. */
  serial: Buffer;
  /** Names in DER. */
  issuer: Buffer;
  subject: Buffer;
  /** Milliseconds since 1970. */
  notBefore: number;
  notAfter: number;
  /** Content of each extension by its identifier. */
  extensions: ReadonlyMap<string, { critical: boolean; value: Buffer }>;
}

const OID = {
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  extendedKeyUsage: "2.5.29.37",
  fulcioIssuer: "1.3.6.1.4.1.57264.1.1",
  fulcioIssuerV2: "1.3.6.1.4.1.57264.1.8",
  fulcioOtherName: "1.3.6.1.4.1.57264.1.7",
} as const;

/** Extended key usages (RFC 5280 §4.2.1.12). */
export const USAGE = { codeSigning: "1.3.6.1.5.5.7.3.3", timeStamping: "1.3.6.1.5.5.7.3.8" } as const;

/** Critical extensions whose meaning is respected here; a certificate with another one is refused. */
const UNDERSTOOD = new Set<string>([
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.extendedKeyUsage,
]);

/** Reads one certificate from DER. Never throws for any bytes. */
export function readCertificate(der: Buffer): Certificate | { problem: string } {
  try {
    return parse(der);
  } catch (error) {
    return { problem: `not a certificate: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function parse(der: Buffer): Certificate {
  const [tbs, algorithm, signature] = childrenOf(readDer(der, TAG.sequence));
  expect(signature, TAG.bitString);
  const fields = childrenOf(expect(tbs, TAG.sequence));
  // Version 3 is written out; older versions have no extensions and are not issued to signers.
  const version = smallInteger(childrenOf(expect(fields[0], contextTag(0)))[0]);
  if (version !== 2) throw new DerError("not version 3");
  const [, serial, , issuer, validity, subject, spki] = fields;
  const [notBefore, notAfter] = childrenOf(expect(validity, TAG.sequence));
  const listed = fields.find((field) => field.tag === contextTag(3));
  const extensions = listed ? childrenOf(readDer(listed.content, TAG.sequence)) : [];
  const x509 = new X509Certificate(der);
  // Node takes a PEM text anywhere in the bytes before it takes them as DER: a certificate hidden in an extension of
  // another one would lend it its key and its signature.
  if (!x509.raw.equals(der)) throw new DerError("not one certificate in DER");
  return {
    der,
    x509,
    publicKey: acceptedKey(x509.publicKey),
    signedWith: oidOf(childrenOf(expect(algorithm, TAG.sequence))[0]),
    spki: expect(spki, TAG.sequence).raw,
    tbs: { fields, extensions },
    serial: expect(serial, TAG.integer).content,
    issuer: expect(issuer, TAG.sequence).raw,
    subject: expect(subject, TAG.sequence).raw,
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
    extensions: readExtensions(extensions),
  };
}

/** Keys that cannot be forged and cost little to verify by; throws DerError. */
function acceptedKey(key: KeyObject): KeyObject {
  const { namedCurve, modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === undefined)
    throw new DerError("its key is on a curve of its own");
  if (key.asymmetricKeyType?.startsWith("rsa")) {
    if (modulusLength < 2048 || modulusLength > 8192)
      throw new DerError("its RSA key does not have 2048 to 8192 bits");
    if (publicExponent >= 1n << 32n) throw new DerError("its RSA key has a large exponent");
  }
  return key;
}

function readExtensions(list: readonly Der[]): Certificate["extensions"] {
  const extensions = new Map<string, { critical: boolean; value: Buffer }>();
  for (const each of list) {
    const parts = childrenOf(each, TAG.sequence);
    if (parts.length > 3) throw new DerError("an extension of too many parts");
    const oid = oidOf(parts[0]);
    const flag = parts.length === 3 ? expect(parts[1], TAG.boolean) : undefined;
    const critical = flag !== undefined && flag.content[0] !== 0;
    if (extensions.has(oid)) throw new DerError(`extension ${oid} twice`);
    extensions.set(oid, { critical, value: expect(parts.at(-1), TAG.octetString).content });
  }
  return extensions;
}

/** What a certificate may be used for, as far as it says. */
export interface Usage {
  /** Basic constraints. */
  ca: boolean;
  /** Certificates that may stand between this one and the last. */
  pathLength?: number;
  /** Bits of key usage, or undefined where it does not say. */
  keyCertSign?: boolean;
  digitalSignature?: boolean;
  /** Extended key usages, or undefined where it does not say. */
  extended?: readonly string[];
  /** The extended key usage is critical. */
  extendedCritical: boolean;
  /** A critical extension that is not understood, or name constraints, critical or not: they are not evaluated. */
  notUnderstood?: string;
}

/** Reads the extensions that restrict a certificate; a problem where one is malformed. */
export function usageOf(certificate: Certificate): Usage | { problem: string } {
  const { extensions } = certificate;
  try {
    const usage: Usage = { ca: false, extendedCritical: false };
    const basic = extensions.get(OID.basicConstraints);
    if (basic) {
      const parts = childrenOf(readDer(basic.value, TAG.sequence));
      if (parts[0]?.tag === TAG.boolean) {
        usage.ca = parts[0].content.length === 1 && parts[0].content[0] === 0xff;
        parts.shift();
      }
      if (parts.length > 0) usage.pathLength = smallInteger(parts[0]);
    }
    const key = extensions.get(OID.keyUsage);
    if (key) {
      const bits = readDer(key.value, TAG.bitString).content[1] ?? 0;
      usage.digitalSignature = (bits & 0x80) !== 0;
      usage.keyCertSign = (bits & 0x04) !== 0;
    }
    const extended = extensions.get(OID.extendedKeyUsage);
    if (extended) {
      usage.extended = childrenOf(readDer(extended.value, TAG.sequence)).map(oidOf);
      usage.extendedCritical = extended.critical;
    }
    for (const [oid, { critical }] of extensions)
      if ((critical && !UNDERSTOOD.has(oid)) || oid === OID.nameConstraints) usage.notUnderstood = oid;
    return usage;
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** The identifier that a certificate gives its key (RFC 5280 §4.2.1.2); undefined without one, or a malformed one. */
export function subjectKeyIdOf({ extensions }: Certificate): Buffer | undefined {
  const extension = extensions.get(OID.subjectKeyId);
  try {
    return extension && readDer(extension.value, TAG.octetString).content;
  } catch {
    return undefined;
  }
}

/**
 * Whom a certificate names: URIs, e-mail addresses and Fulcio's other names (OID …57264.1.7) among its subject
 * alternative names. Host names and addresses are left out: no signer has one.
 *
 * @returns a problem where the extension is malformed
 */
export function subjectsOf(certificate: Certificate): string[] | { problem: string } {
  const extension = certificate.extensions.get(OID.subjectAltName);
  if (extension === undefined) return [];
  try {
    return childrenOf(readDer(extension.value, TAG.sequence)).flatMap((name) => {
      if (name.tag === contextTag(6, false) || name.tag === contextTag(1, false)) return [utf8(name.content)];
      if (name.tag !== contextTag(0)) return [];
      const [type, value] = childrenOf(name);
      if (oidOf(type) !== OID.fulcioOtherName) return [];
      return [utf8(expect(childrenOf(expect(value, contextTag(0)))[0], TAG.utf8String).content)];
    });
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * The OIDC issuer that Fulcio wrote into a certificate (fulcio, docs/oid-info.md): extension …1.8 in DER, else the
 * older …1.1 as bare text. Undefined where there is none.
 */
export function issuerOf(certificate: Certificate): string | undefined | { problem: string } {
  try {
    const current = certificate.extensions.get(OID.fulcioIssuerV2);
    if (current) return utf8(readDer(current.value, TAG.utf8String).content);
    const older = certificate.extensions.get(OID.fulcioIssuer);
    return older && utf8(older.value);
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function utf8(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  // Two byte strings must never become one name.
  if (!Buffer.from(text, "utf8").equals(bytes) || text.includes("\0"))
    throw new DerError("a name that is no text");
  return text;
}

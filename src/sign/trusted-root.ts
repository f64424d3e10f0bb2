import { createPublicKey, type KeyObject } from "node:crypto";
import type { Json } from "../core/canonical-json.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { bytesOf, type Fields, fieldsOf, listOf, optional, ShapeError, textOf } from "./json-shape.ts";

/** When an authority counts, both ends included; milliseconds since 1970. */
export interface Window {
  start: number;
  /** Absent: it still does. */
  end?: number;
}

/** A transparency log or certificate transparency log that is trusted within a window. */
export interface LogAuthority extends Window {
  baseUrl: string;
  /** Key id by which entries and SCTs name the log. */
  logId: Buffer;
  /** Key id whose first four bytes stand in signatures on checkpoints. */
  checkpointKeyId: Buffer;
  publicKey: KeyObject;
}

/** A certificate authority (Fulcio) or timestamp authority that is trusted within a window. */
export interface CertificateAuthority extends Window {
  /** Its address, else its name: for people. */
  name: string;
  /** From the one nearest to the leaves to the root; a timestamp authority's may begin with its own leaf. */
  chain: readonly Certificate[];
}

/** Whom to believe about keys, certificates and times: Sigstore's `trusted_root.json`, read. */
export interface TrustedRoot {
  tlogs: readonly LogAuthority[];
  ctlogs: readonly LogAuthority[];
  certificateAuthorities: readonly CertificateAuthority[];
  timestampAuthorities: readonly CertificateAuthority[];
}

export interface NamedRoot {
  name: string;
  root: TrustedRoot;
}

/** Largest trusted root that is read, in bytes. */
export const MAX_TRUSTED_ROOT_BYTES = 1 << 20;

const MEDIA_TYPE =
  /^application\/vnd\.dev\.sigstore\.trustedroot(?:\+json;version=0\.[12]|\.v0\.[12]\+json)$/;
const MAX_AUTHORITIES = 64;
const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;

/**
 * Reads a trusted root (sigstore/protobuf-specs, sigstore_trustroot.proto, TrustedRoot). Fields that it does not
 * know are skipped: they come with new versions. But every log and authority must say since when it is trusted, and
 * a chain that is empty or holds no certificate refuses the whole, for a root that is half understood would trust
 * more, or less, than its author said. Logs with keys of an unknown kind are left out.
 *
 * @param data the document as `parseStrictJson` gives it
 * @returns the root, or why it is none. Never throws.
 */
export function parseTrustedRoot(data: Json): TrustedRoot | { problem: string } {
  try {
    const root = fieldsOf(data, "document");
    if (!MEDIA_TYPE.test(textOf(root.mediaType, "mediaType", 128)))
      throw new ShapeError("mediaType: not that of a trusted root");
    const list = <T>(key: string, read: (fields: Fields, at: string) => T | undefined): T[] =>
      listOf(optional(root, key), key, MAX_AUTHORITIES).flatMap((each, i) => {
        const authority = read(fieldsOf(each, `${key}.${i}`), `${key}.${i}`);
        return authority === undefined ? [] : [authority];
      });
    return {
      tlogs: list("tlogs", readLog),
      ctlogs: list("ctlogs", readLog),
      certificateAuthorities: list("certificateAuthorities", readAuthority),
      timestampAuthorities: list("timestampAuthorities", readAuthority),
    };
  } catch (error) {
    if (error instanceof ShapeError) return { problem: `not a trusted root: ${error.message}` };
    throw error;
  }
}

/** True when a moment lies within the window of an authority. */
export function covers({ start, end }: Window, at: number): boolean {
  return start <= at && (end === undefined || at <= end);
}

function readLog(log: Fields, at: string): LogAuthority | undefined {
  const key = fieldsOf(log.publicKey, `${at}.publicKey`);
  const window = readWindow(key.validFor, `${at}.publicKey.validFor`);
  const id = optional(log, "logId");
  const checkpointId = optional(log, "checkpointKeyId");
  const keyIds = [id, checkpointId].map((each, i) =>
    each === undefined ? undefined : bytesOf(fieldsOf(each, `${at}.logId`).keyId, `${at}.${i}.keyId`, 64),
  );
  const logId = keyIds[0] ?? keyIds[1];
  if (logId === undefined) throw new ShapeError(`${at}.logId: missing`);
  const publicKey = readKey(key, `${at}.publicKey`);
  if (publicKey === undefined) return undefined;
  return {
    baseUrl: textOf(optional(log, "baseUrl") ?? "", `${at}.baseUrl`, 2048),
    logId,
    checkpointKeyId: keyIds[1] ?? logId,
    publicKey,
    ...window,
  };
}

function readKey(key: Fields, at: string): KeyObject | undefined {
  const details = key.keyDetails;
  const name = typeof details === "string" ? details : "";
  const der = bytesOf(key.rawBytes, `${at}.rawBytes`, 1 << 14);
  try {
    const publicKey = createPublicKey({
      key: der,
      format: "der",
      type: name.startsWith("PKCS1_") ? "pkcs1" : "spki",
    });
    return ["ec", "ed25519", "rsa"].includes(publicKey.asymmetricKeyType ?? "") ? publicKey : undefined;
  } catch {
    // A kind of key that this runtime does not know: nothing can be verified by it, so nothing will be.
    if (!/ECDSA|ED25519|RSA/.test(name)) return undefined;
    throw new ShapeError(`${at}.rawBytes: not a public key`);
  }
}

function readAuthority(authority: Fields, at: string): CertificateAuthority {
  const chain = listOf(
    fieldsOf(authority.certChain, `${at}.certChain`).certificates,
    `${at}.certChain.certificates`,
    10,
  ).map((each, i) => {
    const where = `${at}.certChain.certificates.${i}`;
    const certificate = readCertificate(
      bytesOf(fieldsOf(each, where).rawBytes, `${where}.rawBytes`, 1 << 16),
    );
    if ("problem" in certificate) throw new ShapeError(`${where}: ${certificate.problem}`);
    return certificate;
  });
  if (chain.length === 0) throw new ShapeError(`${at}.certChain.certificates: empty`);
  const window = readWindow(authority.validFor, `${at}.validFor`);
  const uri = textOf(optional(authority, "uri") ?? "", `${at}.uri`, 2048);
  return { name: uri || commonName(optional(authority, "subject")) || "without a name", chain, ...window };
}

function commonName(subject: Json | undefined): string {
  if (typeof subject !== "object" || subject === null || Array.isArray(subject)) return "";
  return typeof subject.commonName === "string" ? subject.commonName.slice(0, 256) : "";
}

function readWindow(value: Json | undefined, at: string): Window {
  const window = fieldsOf(value, at);
  const start = readTime(optional(window, "start"), `${at}.start`);
  const end = optional(window, "end");
  return end === undefined ? { start } : { start, end: readTime(end, `${at}.end`) };
}

/** RFC 3339 in UTC, as the JSON form of protocol buffers writes it. */
function readTime(value: Json | undefined, at: string): number {
  const match = RFC3339.exec(textOf(value, at, 40));
  const whole = match === null ? Number.NaN : Date.parse(`${match[1]}Z`);
  // Date.parse takes 31 February for 3 March.
  if (match === null || Number.isNaN(whole) || !new Date(whole).toISOString().startsWith(match[1]!))
    throw new ShapeError(`${at}: not a time in UTC`);
  return whole + Math.floor(Number(`0.${match[2] ?? "0"}`) * 1000);
}

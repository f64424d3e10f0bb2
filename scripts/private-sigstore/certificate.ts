import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { bits, bool, der, integer, octets, oid, sequence, set, utcTime, utf8 } from "./der.ts";

/** What a certificate's key may be used for beyond signing (RFC 5280 §4.2.1.12). */
export type Purpose = "codeSigning" | "timeStamping";

const PURPOSES: Record<Purpose, string> = {
  codeSigning: "1.3.6.1.5.5.7.3.3",
  timeStamping: "1.3.6.1.5.5.7.3.8",
};
const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));

/** A certificate and its key. */
export interface Issued {
  name: string;
  certificate: Buffer;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** What is asked for. */
export interface Wanted {
  /** Common name. */
  name: string;
  /** Who signs it; itself when absent. */
  by?: Issued;
  /** For an authority, how many authorities may stand below it. */
  pathLength?: number;
  purpose?: Purpose;
  notBefore?: Date;
  notAfter?: Date;
}

/** Issues an X.509 v3 certificate (RFC 5280) for a new P-256 key. Its times are one hour back and ten days ahead. */
export function issue(wanted: Wanted): Issued {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { name, by, pathLength, purpose } = wanted;
  const now = Date.now();
  const authority = pathLength !== undefined;
  const signer = by ?? { name, privateKey, publicKey };
  const extensions = [
    // keyCertSign and cRLSign, or digitalSignature.
    extension("2.5.29.15", authority ? bits(Buffer.from([0x06]), 1) : bits(Buffer.from([0x80]), 7), true),
    ...(authority
      ? [extension("2.5.29.19", sequence(bool(true), integer(Buffer.from([pathLength]))), true)]
      : []),
    // RFC 3161 §2.3: critical in the certificate of a timestamp authority.
    ...(purpose ? [extension("2.5.29.37", sequence(oid(PURPOSES[purpose])), !authority)] : []),
    extension("2.5.29.14", octets(keyIdentifier(publicKey))),
    extension("2.5.29.35", sequence(der(0x80, keyIdentifier(signer.publicKey)))),
  ];
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    ECDSA_SHA256,
    distinguishedName(signer.name),
    sequence(
      utcTime(wanted.notBefore ?? new Date(now - 3_600_000)),
      utcTime(wanted.notAfter ?? new Date(now + 864_000_000)),
    ),
    distinguishedName(name),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", body, { key: signer.privateKey, dsaEncoding: "der" });
  return { name, certificate: sequence(body, ECDSA_SHA256, bits(signature)), privateKey, publicKey };
}

/** PEM (RFC 7468) of certificates, in the order given. */
export function toPem(...certificates: readonly Buffer[]): string {
  const one = (certificate: Buffer) =>
    `-----BEGIN CERTIFICATE-----\n${certificate
      .toString("base64")
      .replace(/(.{64})/g, "$1\n")
      .trimEnd()}\n-----END CERTIFICATE-----\n`;
  return certificates.map(one).join("");
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [bool(true)] : []), octets(value));
}

function distinguishedName(name: string): Buffer {
  const part = (id: string, text: string) => set(sequence(oid(id), utf8(text)));
  return sequence(part("2.5.4.10", "private sigstore"), part("2.5.4.3", name));
}

/** RFC 5280 §4.2.1.2, method 1, over the whole key info: any number that is the key's own will do. */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash("sha1")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();
}

import { createHash, generateKeyPairSync, hash, type KeyObject, randomBytes, sign } from "node:crypto";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { encodeCheckpoint } from "../core/checkpoint.ts";
import { inclusionPath, leafHash, merkleRoot } from "../core/merkle.ts";
import { IN_TOTO_PAYLOAD, preAuthEncoding } from "./dsse.ts";

// A Sigstore of its own in memory, for tests: an authority that issues certificates and publishes them, a timestamp
// authority, a Rekor v1 and a Rekor v2 log. Every part can be told to do one thing wrong.

export interface Pair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

export interface Issued extends Pair {
  der: Buffer;
}

const pair = (): Pair => generateKeyPairSync("ec", { namedCurve: "P-256" });
const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const spki = (key: KeyObject) => key.export({ type: "spki", format: "der" });

/** One DER value. */
export function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...head]), body]);
}

const seq = (...content: Uint8Array[]) => der(0x30, ...content);
const text = (tag: number, value: string) => der(tag, Buffer.from(value, "utf8"));
const number = (value: number) => der(0x02, Buffer.from([value]));
const octets = (...content: Uint8Array[]) => der(0x04, ...content);

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const out = [arc & 127];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      out.unshift(128 | (left & 127));
    return out;
  });
  return der(0x06, Buffer.from(bytes));
}

function time(at: number): Buffer {
  return text(0x18, `${new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`);
}

const SIGNED_WITH = seq(oid("1.2.840.10045.4.3.2"));
const SIGNED_WITH_SHA1 = seq(oid("1.2.840.10045.4.1"));
const SHA256 = seq(oid("2.16.840.1.101.3.4.2.1"));
const name = (common: string) => seq(der(0x31, seq(oid("2.5.4.3"), text(0x0c, common))));

/** What a certificate says, and what is wrong with it. */
export interface CertificateOptions {
  subject?: string;
  notBefore?: number;
  notAfter?: number;
  /** Extended key usages; none where null. */
  usages?: string[] | null;
  usagesCritical?: boolean;
  ca?: boolean;
  pathLength?: number;
  /** Bits of the key usage's first byte. */
  keyUsage?: number;
  names?: Buffer[];
  issuerName?: string;
  extra?: Buffer[];
  keys?: Pair;
  /** Hash that it is signed over. */
  digest?: "sha256" | "sha1";
}

export const extension = (id: string, critical: boolean, value: Buffer) =>
  seq(oid(id), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), octets(value));

function tbsOf(
  options: Required<Pick<CertificateOptions, "subject">> & CertificateOptions,
  issuer: string,
  keys: Pair,
) {
  const usages = options.usages === undefined ? ["1.3.6.1.5.5.7.3.3"] : options.usages;
  const extensions = [
    extension("2.5.29.15", true, der(0x03, Buffer.from([0, options.keyUsage ?? (options.ca ? 0x06 : 0x80)]))),
    ...(usages === null
      ? []
      : [extension("2.5.29.37", options.usagesCritical ?? true, seq(...usages.map(oid)))]),
    ...(options.ca
      ? [
          extension(
            "2.5.29.19",
            true,
            seq(
              der(0x01, Buffer.from([0xff])),
              ...(options.pathLength === undefined ? [] : [number(options.pathLength)]),
            ),
          ),
        ]
      : []),
    ...(options.names ? [extension("2.5.29.17", true, seq(...options.names))] : []),
    ...(options.extra ?? []),
  ];
  const fields = [
    der(0xa0, number(2)),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    options.digest === "sha1" ? SIGNED_WITH_SHA1 : SIGNED_WITH,
    name(issuer),
    seq(time(options.notBefore ?? 0), time(options.notAfter ?? Date.UTC(2040, 0, 1))),
    options.subject === "" ? seq() : name(options.subject),
    spki(keys.publicKey),
  ];
  return (more: Buffer[]) => seq(...fields, der(0xa3, seq(...extensions, ...more)));
}

/** Issues a certificate; by itself where no issuer is given. */
export function issue(
  options: CertificateOptions,
  by?: Issued & { name: string },
  scts?: (tbs: Buffer) => Buffer,
): Issued {
  const keys = options.keys ?? pair();
  const subject = options.subject ?? "";
  const make = tbsOf({ ...options, subject }, options.issuerName ?? by?.name ?? subject, keys);
  const list = scts?.(make([]));
  const tbs = make(list ? [extension("1.3.6.1.4.1.11129.2.4.2", false, octets(list))] : []);
  const { digest = "sha256" } = options;
  const signature = sign(digest, tbs, by?.privateKey ?? keys.privateKey);
  const algorithm = digest === "sha1" ? SIGNED_WITH_SHA1 : SIGNED_WITH;
  return { ...keys, der: seq(tbs, algorithm, der(0x03, Buffer.from([0]), signature)) };
}

const uint = (value: number | bigint, bytes: number): Buffer => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64BE(BigInt(value));
  return out.subarray(8 - bytes);
};

export interface TimestampOptions {
  usages?: string[] | null;
  status?: number;
  /** Signs with another key than the certificate's. */
  keys?: Pair;
  /** Puts the signer's certificate into the timestamp. */
  embed?: boolean;
  wrongDigest?: boolean;
  /** Leaves out which certificate the signer's is, or names another one. */
  names?: "nobody" | Issued;
  /** Names the signer by this subject key identifier. */
  keyId?: Buffer;
}

/** The whole of it; times are milliseconds since 1970. */
export class PrivateSigstore {
  readonly start = Date.UTC(2026, 0, 1);
  readonly root: Issued & { name: string };
  readonly intermediate: Issued & { name: string };
  readonly tsaRoot: Issued & { name: string };
  readonly tsa: Issued;
  readonly ct: Pair = pair();
  readonly rekor1: Pair = pair();
  readonly rekor2: Pair = generateKeyPairSync("ed25519");
  readonly rekor2Id: Buffer;

  constructor() {
    const usages = ["1.3.6.1.5.5.7.3.3"];
    this.root = { ...issue({ subject: "root", ca: true, usages: null }), name: "root" };
    this.intermediate = {
      ...issue({ subject: "intermediate", ca: true, pathLength: 0, usages }, this.root),
      name: "intermediate",
    };
    this.tsaRoot = { ...issue({ subject: "tsa root", ca: true, usages: null }), name: "tsa root" };
    this.tsa = issue({ subject: "tsa", usages: ["1.3.6.1.5.5.7.3.8"] }, this.tsaRoot);
    const raw = spki(this.rekor2.publicKey).subarray(-32);
    this.rekor2Id = createHash("sha256")
      .update("log.test\n")
      .update(Buffer.from([1]))
      .update(raw)
      .digest();
  }

  /** `trusted_root.json` of all of it. */
  trustedRoot(): { [key: string]: Json } {
    // Each its own object: tests change one of them.
    const windows = Array.from({ length: 5 }, () => ({ start: "2020-01-01T00:00:00Z" }));
    const chain = (...certificates: Issued[]) => ({
      certificates: certificates.map((each) => ({ rawBytes: b64(each.der) })),
    });
    const log = (baseUrl: string, keys: Pair, keyId: Buffer, keyDetails: string) => ({
      baseUrl,
      hashAlgorithm: "SHA2_256",
      publicKey: { rawBytes: b64(spki(keys.publicKey)), keyDetails, validFor: windows.pop()! },
      logId: { keyId: b64(keyId) },
    });
    const ecdsa = "PKIX_ECDSA_P256_SHA_256";
    return {
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [
        log("https://rekor.test", this.rekor1, hash("sha256", spki(this.rekor1.publicKey), "buffer"), ecdsa),
        log("https://log.test", this.rekor2, this.rekor2Id, "PKIX_ED25519"),
      ],
      ctlogs: [log("https://ct.test", this.ct, hash("sha256", spki(this.ct.publicKey), "buffer"), ecdsa)],
      certificateAuthorities: [
        { uri: "https://ca.test", certChain: chain(this.intermediate, this.root), validFor: windows.pop()! },
      ],
      timestampAuthorities: [
        { uri: "https://tsa.test", certChain: chain(this.tsa, this.tsaRoot), validFor: windows.pop()! },
      ],
    };
  }

  /** A signer's certificate of ten minutes from `start`, published in the log, in the name of a CI job. */
  certificate(options: CertificateOptions = {}, sct: "good" | "bad" | "unknown" | "none" = "good"): Issued {
    const names = [text(0x86, "https://ci.test/job@refs/heads/main")];
    const extra = [extension("1.3.6.1.4.1.57264.1.8", false, text(0x0c, "https://issuer.test"))];
    const whole = {
      names,
      extra,
      notBefore: this.start,
      notAfter: this.start + 600_000,
      ...options,
    };
    return issue(whole, this.intermediate, sct === "none" ? undefined : (tbs) => this.#scts(tbs, sct));
  }

  #scts(tbs: Buffer, kind: "good" | "bad" | "unknown"): Buffer {
    const at = uint(this.start, 8);
    const issuerHash = hash("sha256", spki(this.intermediate.publicKey), "buffer");
    const signed = Buffer.concat([
      Buffer.from([0, 0]),
      at,
      Buffer.from([0, 1]),
      issuerHash,
      uint(tbs.length, 3),
      tbs,
      Buffer.from([0, 0]),
    ]);
    const keys = kind === "good" ? this.ct : pair();
    const signature = sign("sha256", signed, keys.privateKey);
    const id = hash("sha256", spki(kind === "unknown" ? keys.publicKey : this.ct.publicKey), "buffer");
    const sct = Buffer.concat([
      Buffer.from([0]),
      id,
      at,
      Buffer.from([0, 0, 4, 3]),
      uint(signature.length, 2),
      signature,
    ]);
    return Buffer.concat([uint(sct.length + 2, 2), uint(sct.length, 2), sct]);
  }

  /** An RFC 3161 TimeStampResp over some bytes. */
  timestamp(
    data: Uint8Array,
    at = this.start + 1000,
    options: TimestampOptions & { by?: Issued } = {},
  ): Buffer {
    const by = options.by ?? this.tsa;
    const info = seq(
      number(1),
      oid("1.3.6.1.4.1.57264.2"),
      seq(SHA256, octets(hash("sha256", data, "buffer"))),
      der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      time(at),
    );
    const attribute = (id: string, value: Buffer) => seq(oid(id), der(0x31, value));
    const digest = hash("sha256", options.wrongDigest ? Buffer.from("x") : info, "buffer");
    const named = options.names ?? by;
    const attributes = Buffer.concat([
      attribute("1.2.840.113549.1.9.3", oid("1.2.840.113549.1.9.16.1.4")),
      attribute("1.2.840.113549.1.9.4", octets(digest)),
      named === "nobody"
        ? Buffer.alloc(0)
        : attribute("1.2.840.113549.1.9.16.2.47", seq(seq(seq(octets(hash("sha256", named.der, "buffer")))))),
    ]);
    const signature = sign("sha256", der(0x31, attributes), (options.keys ?? by).privateKey);
    const { serial, issuer } = namesOf(by.der);
    const signer = seq(
      number(options.keyId ? 3 : 1),
      options.keyId ? der(0x80, options.keyId) : seq(issuer, serial),
      SHA256,
      der(0xa0, attributes),
      SIGNED_WITH,
      octets(signature),
    );
    const content = seq(
      number(3),
      der(0x31, SHA256),
      seq(oid("1.2.840.113549.1.9.16.1.4"), der(0xa0, octets(info))),
      ...(options.embed ? [der(0xa0, by.der)] : []),
      der(0x31, signer),
    );
    return seq(seq(number(options.status ?? 0)), seq(oid("1.2.840.113549.1.7.2"), der(0xa0, content)));
  }

  /** The hashedrekord body of a signature; what is given replaces what is true. */
  body(signed: Uint8Array, signature: Uint8Array, signer: Issued | Pair, version: "0.0.1" | "0.0.2"): Json {
    const digest = hash("sha256", signed, "buffer");
    const isCertificate = "der" in signer;
    if (version === "0.0.1") {
      const bytes = isCertificate ? signer.der : spki(signer.publicKey);
      const label = isCertificate ? "CERTIFICATE" : "PUBLIC KEY";
      const pem = `-----BEGIN ${label}-----\n${b64(bytes).replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${label}-----\n`;
      return {
        apiVersion: version,
        kind: "hashedrekord",
        spec: {
          data: { hash: { algorithm: "sha256", value: digest.toString("hex") } },
          signature: { content: b64(signature), publicKey: { content: b64(Buffer.from(pem)) } },
        },
      };
    }
    const verifier = isCertificate
      ? { x509Certificate: { rawBytes: b64(signer.der) } }
      : { publicKey: { rawBytes: b64(spki(signer.publicKey)) } };
    return {
      apiVersion: version,
      kind: "hashedrekord",
      spec: {
        hashedRekordV002: {
          data: { algorithm: "SHA2_256", digest: b64(digest) },
          signature: {
            content: b64(signature),
            verifier: { keyDetails: "PKIX_ECDSA_P256_SHA_256", ...verifier },
          },
        },
      },
    };
  }

  /** A log entry with this body, second of three leaves; the first log signs a time too. */
  entry(
    body: Json,
    at = this.start + 2000,
    notes: (text: string) => string = () => "",
  ): { [key: string]: Json } {
    const { apiVersion, kind } = body as { apiVersion: string; kind: string };
    const first = apiVersion === "0.0.1";
    const bytes = Buffer.from(canonicalJson(body));
    const leaves = ["a", bytes, "c"].map((leaf) => leafHash(Buffer.from(leaf)));
    const root = Buffer.from(merkleRoot(leaves));
    const origin = first ? "rekor.test - 42" : "log.test";
    const checkpoint = encodeCheckpoint({ origin, size: 3, root });
    const keys = first ? this.rekor1 : this.rekor2;
    const keyId = first ? hash("sha256", spki(keys.publicKey), "buffer") : this.rekor2Id;
    const signature = sign(first ? "sha256" : null, Buffer.from(checkpoint), keys.privateKey);
    const line = `\u2014 ${first ? "rekor.test" : "log.test"} ${b64(Buffer.concat([keyId.subarray(0, 4), signature]))}\n`;
    const logIndex = first ? 1001 : 1;
    const integratedTime = Math.floor(at / 1000);
    const set = canonicalJson({ body: b64(bytes), integratedTime, logID: keyId.toString("hex"), logIndex });
    return {
      logIndex: String(logIndex),
      logId: { keyId: b64(keyId) },
      kindVersion: { kind, version: apiVersion },
      ...(first
        ? {
            integratedTime: String(integratedTime),
            inclusionPromise: {
              signedEntryTimestamp: b64(sign("sha256", Buffer.from(set), keys.privateKey)),
            },
          }
        : {}),
      inclusionProof: {
        logIndex: "1",
        rootHash: b64(root),
        treeSize: "3",
        hashes: inclusionPath(leaves, 1).map((each) => b64(each)),
        checkpoint: { envelope: `${checkpoint}\n${line}${notes(checkpoint)}` },
      },
      canonicalizedBody: b64(bytes),
    };
  }
}

/** Signs a statement or a file; gives the signed bytes with the signature. */
export function signThing(
  { privateKey }: Pair,
  thing: { statement: string } | { file: Buffer },
): { data: Buffer; signature: Buffer } {
  const data =
    "statement" in thing ? preAuthEncoding(IN_TOTO_PAYLOAD, Buffer.from(thing.statement)) : thing.file;
  return { data, signature: sign("sha256", data, privateKey) };
}

/** A bundle v0.3 as an object, to be changed and put into text by tests. */
export function bundleOf(
  thing: { statement: string } | { file: Buffer },
  signature: Buffer,
  signer: Issued | Pair,
  more: { entries?: Json[]; timestamps?: Buffer[] } = {},
): { [key: string]: Json } {
  return {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: {
      ...("der" in signer ? { certificate: { rawBytes: b64(signer.der) } } : { publicKey: { hint: "key" } }),
      tlogEntries: more.entries ?? [],
      timestampVerificationData: {
        rfc3161Timestamps: (more.timestamps ?? []).map((each) => ({ signedTimestamp: b64(each) })),
      },
    },
    ...("statement" in thing
      ? {
          dsseEnvelope: {
            payload: b64(Buffer.from(thing.statement)),
            payloadType: IN_TOTO_PAYLOAD,
            signatures: [{ sig: b64(signature) }],
          },
        }
      : {
          messageSignature: {
            messageDigest: { algorithm: "SHA2_256", digest: b64(hash("sha256", thing.file, "buffer")) },
            signature: b64(signature),
          },
        }),
  };
}

/** Serial number and issuer of a certificate, in DER. */
function namesOf(certificate: Buffer): { serial: Buffer; issuer: Buffer } {
  const value = (bytes: Buffer, at: number): { raw: Buffer; content: Buffer; end: number } => {
    const long = bytes[at + 1]! >= 0x80 ? bytes[at + 1]! & 0x7f : 0;
    const length = long === 0 ? bytes[at + 1]! : bytes.readUIntBE(at + 2, long);
    const begin = at + 2 + long;
    return {
      raw: bytes.subarray(at, begin + length),
      content: bytes.subarray(begin, begin + length),
      end: begin + length,
    };
  };
  const tbs = value(value(certificate, 0).content, 0).content;
  const version = value(tbs, 0);
  const serial = value(tbs, version.end);
  const algorithm = value(tbs, serial.end);
  return { serial: serial.raw, issuer: value(tbs, algorithm.end).raw };
}

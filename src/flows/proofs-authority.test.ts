// A certificate authority and a log for proofs-*.test.ts. No test of its own: its name keeps it out of the package.
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  bits,
  bool,
  der,
  integer,
  octets,
  oid,
  sequence,
  set,
  utcTime,
  utf8,
} from "../../scripts/private-sigstore/der.ts";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { encodeCheckpoint } from "../core/checkpoint.ts";
import { leafHash } from "../core/merkle.ts";
import { type NoteSigner, signNote } from "../core/note.ts";
import { CERTIFICATE, LOG_BUNDLE, SIGNATURE } from "../sign/cosign-layer.ts";
import { IN_TOTO_PAYLOAD, preAuthEncoding, signEnvelope } from "../sign/dsse.ts";
import { cosignHint, keyId } from "../sign/keys.ts";

export const GITHUB = "https://token.actions.githubusercontent.com";
const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const START = new Date("2020-01-01T00:00:00Z");
const END = new Date("2049-01-01T00:00:00Z");

/** The subject that Fulcio writes for a GitHub workflow. */
export const workflow = (repo: string, ref = "refs/heads/main") =>
  `https://github.com/${repo}/.github/workflows/release.yml@${ref}`;

/** A Fulcio of its own with a Rekor v1 log: short-lived certificates, and signed entry timestamps. */
export class TestAuthority {
  readonly #name: Buffer;
  readonly #ca = generateKeyPairSync("ec", { namedCurve: "P-256" });
  readonly #log = generateKeyPairSync("ec", { namedCurve: "P-256" });
  readonly #certificate: Buffer;
  readonly #url: string;

  constructor(name: string) {
    this.#url = `https://log.${name}.example`;
    this.#name = sequence(set(sequence(oid("2.5.4.3"), utf8(name))));
    this.#certificate = this.#issue(this.#name, this.#ca.publicKey, START, END, [
      extension("2.5.29.15", bits(Buffer.from([0x06]), 1), true),
      extension("2.5.29.19", sequence(bool(true)), true),
    ]);
  }

  /** Its trusted_root.json. */
  root(): Json {
    const der = this.#log.publicKey.export({ type: "spki", format: "der" });
    return {
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [
        {
          baseUrl: this.#url,
          hashAlgorithm: "SHA2_256",
          publicKey: {
            rawBytes: der.toString("base64"),
            keyDetails: "PKIX_ECDSA_P256_SHA_256",
            validFor: { start: START.toISOString() },
          },
          logId: { keyId: this.#logId().toString("base64") },
        },
      ],
      ctlogs: [],
      certificateAuthorities: [
        {
          subject: { organization: "test", commonName: "test" },
          uri: this.#url.replace("log.", "ca."),
          certChain: { certificates: [{ rawBytes: this.#certificate.toString("base64") }] },
          validFor: { start: START.toISOString() },
        },
      ],
      timestampAuthorities: [],
    };
  }

  /** A bundle signed by an identity's short-lived certificate and logged at this time. */
  bundle(statement: string, identity: { subject: string; issuer: string }, at: Date): string {
    const { privateKey, raw, pem } = this.#certify(identity, at);
    return this.#bundle(statement, privateKey, { certificate: { rawBytes: raw } }, pem, at);
  }

  /** What cosign 2 puts beside a payload in an image's signature tag: signature, certificate, Rekor v1 entry. */
  annotations(
    payload: Buffer,
    identity: { subject: string; issuer: string },
    at: Date,
  ): Record<string, string> {
    const { privateKey, pem } = this.#certify(identity, at);
    const signature = sign("sha256", payload, privateKey).toString("base64");
    const digest = createHash("sha256").update(payload).digest("hex");
    const { entry, promise } = this.#promised(digest, signature, pem, at);
    return {
      [SIGNATURE]: signature,
      [CERTIFICATE]: pem,
      [LOG_BUNDLE]: JSON.stringify({ SignedEntryTimestamp: promise, Payload: entry }),
    };
  }

  #certify({ subject, issuer }: { subject: string; issuer: string }, at: Date) {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const name = der(subject.includes("://") ? 0x86 : 0x81, Buffer.from(subject));
    const certificate = this.#issue(
      sequence(),
      publicKey,
      new Date(at.getTime() - 60_000),
      new Date(at.getTime() + 540_000),
      [
        extension("2.5.29.15", bits(Buffer.from([0x80]), 7), true),
        extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.3"))),
        extension("2.5.29.17", sequence(name), true),
        extension("1.3.6.1.4.1.57264.1.8", utf8(issuer)),
      ],
    );
    const raw = certificate.toString("base64");
    return {
      privateKey,
      raw,
      pem: `-----BEGIN CERTIFICATE-----\n${raw}\n-----END CERTIFICATE-----\n`,
    };
  }

  /** A bundle signed by a key, logged at this time; the log's checkpoint is cosigned by these witnesses. */
  logged(
    statement: string,
    key: { privateKey: KeyObject; publicKey: KeyObject },
    at: Date,
    witnesses: readonly NoteSigner[] = [],
  ): string {
    const pem = key.publicKey.export({ type: "spki", format: "pem" }).toString();
    const material = { publicKey: { hint: cosignHint(keyId(key.publicKey)) } };
    return this.#bundle(statement, key.privateKey, material, pem, at, witnesses);
  }

  #bundle(
    statement: string,
    key: KeyObject,
    material: Record<string, Json>,
    pem: string,
    at: Date,
    witnesses: readonly NoteSigner[] = [],
  ): string {
    const payload = Buffer.from(statement);
    const envelope = signEnvelope(IN_TOTO_PAYLOAD, payload, key);
    const digest = createHash("sha256").update(preAuthEncoding(IN_TOTO_PAYLOAD, payload)).digest("hex");
    const { entry, promise } = this.#promised(digest, envelope.signatures[0]!.sig, pem, at);
    const { body } = entry;
    return JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
      verificationMaterial: {
        ...material,
        tlogEntries: [
          {
            logIndex: String(entry.logIndex),
            logId: { keyId: this.#logId().toString("base64") },
            kindVersion: { kind: "hashedrekord", version: "0.0.1" },
            integratedTime: String(entry.integratedTime),
            inclusionPromise: { signedEntryTimestamp: promise },
            ...(witnesses.length === 0 ? {} : { inclusionProof: this.#proof(body, witnesses) }),
            canonicalizedBody: body,
          },
        ],
      },
      dsseEnvelope: envelope,
    });
  }

  /** A Rekor v1 entry, and the log's promise to include it. */
  #promised(digest: string, signature: string, pem: string, at: Date) {
    const body = Buffer.from(
      canonicalJson({
        apiVersion: "0.0.1",
        kind: "hashedrekord",
        spec: {
          data: { hash: { algorithm: "sha256", value: digest } },
          signature: { content: signature, publicKey: { content: Buffer.from(pem).toString("base64") } },
        },
      }),
    ).toString("base64");
    const integratedTime = Math.floor(at.getTime() / 1000);
    const entry = { body, integratedTime, logID: this.#logId().toString("hex"), logIndex: 7 };
    const promise = sign("sha256", Buffer.from(canonicalJson(entry)), this.#log.privateKey);
    return { entry, promise: promise.toString("base64") };
  }

  /** That the body is the only leaf of the log's tree. */
  #proof(body: string, witnesses: readonly NoteSigner[]): Json {
    const root = leafHash(Buffer.from(body, "base64"));
    const name = new URL(this.#url).host;
    const log: NoteSigner = {
      name,
      keyId: this.#logId().subarray(0, 4).toString("hex"),
      sign: (text) => sign("sha256", Buffer.from(text), this.#log.privateKey),
    };
    const envelope = signNote(encodeCheckpoint({ origin: name, size: 1, root }), log, ...witnesses);
    return {
      logIndex: "0",
      treeSize: "1",
      rootHash: Buffer.from(root).toString("base64"),
      hashes: [],
      checkpoint: { envelope },
    };
  }

  #logId(): Buffer {
    return createHash("sha256")
      .update(this.#log.publicKey.export({ type: "spki", format: "der" }))
      .digest();
  }

  #issue(subject: Buffer, key: KeyObject, from: Date, until: Date, extensions: Buffer[]): Buffer {
    const body = sequence(
      der(0xa0, integer(Buffer.from([2]))),
      integer(Buffer.from([1])),
      ECDSA_SHA256,
      this.#name,
      sequence(utcTime(from), utcTime(until)),
      subject,
      key.export({ type: "spki", format: "der" }),
      der(0xa3, sequence(...extensions)),
    );
    return sequence(body, ECDSA_SHA256, bits(sign("sha256", body, this.#ca.privateKey)));
  }
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [bool(true)] : []), octets(value));
}

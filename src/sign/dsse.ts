import type { KeyObject } from "node:crypto";
import { type Curve, curveOf } from "./keys.ts";

// Not `import`, which would load WebCrypto too: this is on the path of a program that must start fast.
const { sign } = process.getBuiltinModule("node:crypto");

/** Payload type of every statement that Waybill signs or reads (in-toto Attestation Framework, envelope layer). */
export const IN_TOTO_PAYLOAD = "application/vnd.in-toto+json";

/** A DSSE v1 envelope (secure-systems-lab/dsse, envelope.md); binary values in standard base64. */
export interface Envelope {
  payload: string;
  payloadType: string;
  signatures: { sig: string; keyid?: string }[];
}

/** ECDSA hash of each curve: the pairs that OMS v1.0 and Sigstore's algorithm registry name. */
const HASHES: Readonly<Record<Curve, string>> = { "P-256": "sha256", "P-384": "sha384", "P-521": "sha512" };

/** The digest algorithm, by its OpenSSL name, that goes with an accepted key; throws as `curveOf`. */
export function hashOf(key: KeyObject): string {
  return HASHES[curveOf(key)];
}

/**
 * The bytes that a DSSE signature covers, DSSE v1 §"Signature Definition" (protocol.md):
 * `"DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload`, lengths in bytes, in ASCII decimal.
 */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, "utf8");
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `, "latin1"),
    type,
    Buffer.from(` ${payload.length} `, "latin1"),
    payload,
  ]);
}

/**
 * Signs a payload into an envelope of one signature: ECDSA over the PAE with the hash of the key's curve,
 * signature in DER (RFC 3279 §2.2.3). No `keyid`: the bundle around it names the key.
 *
 * @param privateKey EC P-256, P-384 or P-521
 * @throws WaybillError WB-INPUT-016 for any other key
 */
export function signEnvelope(payloadType: string, payload: Uint8Array, privateKey: KeyObject): Envelope {
  const sig = sign(hashOf(privateKey), preAuthEncoding(payloadType, payload), {
    key: privateKey,
    dsaEncoding: "der",
  });
  return {
    payload: Buffer.from(payload).toString("base64"),
    payloadType,
    signatures: [{ sig: sig.toString("base64") }],
  };
}

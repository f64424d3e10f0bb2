import { canonicalJson, type Json } from "../../core/canonical-json.ts";
import { refusedBy } from "../../net/answer.ts";
import type { HttpAnswer, HttpClient } from "../../net/http.ts";
import type { Envelope } from "../dsse.ts";
import { fieldsOf, listOf, ShapeError, textOf } from "../json-shape.ts";
import { below, MAX_ANSWER_BYTES, readAnswer } from "./answers.ts";

/** A signature to be logged. */
export interface Loggable {
  envelope: Envelope;
  /** SHA-256 of what was signed, the DSSE pre-authentication encoding. */
  digest: Buffer;
  /** DER. */
  signature: Buffer;
  /** DER. */
  certificate: Buffer;
}

/** Longest base64 text of one field of an entry. */
const MAX_FIELD = 1 << 19;
const MAX_HASHES = 64;

/**
 * Logs a signature in a Rekor v2 log (sigstore/rekor-tiles, rekor_service.proto, CreateEntry): a `hashedrekord` 0.0.2
 * over the hash of what was signed, for such a log takes no envelopes.
 *
 * @returns a TransparencyLogEntry in its JSON form, of known fields only; nothing in it has been verified
 * @throws WaybillError WB-NET-001..006
 */
export async function logInRekor2(base: URL, signed: Loggable, http: HttpClient): Promise<Json> {
  const request = {
    hashedRekordRequestV002: {
      digest: signed.digest.toString("base64"),
      signature: {
        content: signed.signature.toString("base64"),
        verifier: {
          x509Certificate: { rawBytes: signed.certificate.toString("base64") },
          keyDetails: "PKIX_ECDSA_P256_SHA_256",
        },
      },
    },
  };
  const answer = await post(below(base, "/api/v2/log/entries"), request, http);
  return readAnswer(answer, (data) => {
    const entry = fieldsOf(data, "entry");
    const proof = fieldsOf(entry.inclusionProof, "inclusionProof");
    const kind = fieldsOf(entry.kindVersion, "kindVersion");
    const text = (fields: { [key: string]: Json }, key: string) => textOf(fields[key], key, MAX_FIELD);
    return {
      // Zero is left out in the JSON form of protocol buffers.
      logIndex: entry.logIndex === undefined ? "0" : text(entry, "logIndex"),
      logId: { keyId: text(fieldsOf(entry.logId, "logId"), "keyId") },
      kindVersion: { kind: text(kind, "kind"), version: text(kind, "version") },
      inclusionProof: {
        logIndex: proof.logIndex === undefined ? "0" : text(proof, "logIndex"),
        rootHash: text(proof, "rootHash"),
        treeSize: text(proof, "treeSize"),
        hashes: hashesOf(proof.hashes),
        checkpoint: { envelope: text(fieldsOf(proof.checkpoint, "checkpoint"), "envelope") },
      },
      canonicalizedBody: text(entry, "canonicalizedBody"),
    };
  });
}

/**
 * Logs a signature in a Rekor v1 log (sigstore/rekor, openapi.yaml, createLogEntry): a `dsse` 0.0.1 of the envelope.
 *
 * @returns as `logInRekor2`, with the log's promise (SET) and its time
 * @throws WaybillError WB-NET-001..006
 */
export async function logInRekor1(base: URL, signed: Loggable, http: HttpClient): Promise<Json> {
  const pem = `-----BEGIN CERTIFICATE-----\n${signed.certificate.toString("base64").replace(/.{64}(?=.)/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
  const request = {
    apiVersion: "0.0.1",
    kind: "dsse",
    spec: {
      proposedContent: {
        envelope: canonicalJson(signed.envelope as unknown as Json),
        verifiers: [Buffer.from(pem).toString("base64")],
      },
    },
  };
  const answer = await post(below(base, "/api/v1/log/entries"), request, http);
  return readAnswer(answer, (data) => {
    const [entry, ...more] = Object.values(fieldsOf(data, "document"));
    if (more.length > 0) throw new ShapeError("more than one entry");
    const fields = fieldsOf(entry, "entry");
    const verification = fieldsOf(fields.verification, "verification");
    const proof = fieldsOf(verification.inclusionProof, "inclusionProof");
    return {
      logIndex: countOf(fields.logIndex, "logIndex"),
      logId: { keyId: hexToBase64(fields.logID, "logID") },
      kindVersion: { kind: "dsse", version: "0.0.1" },
      integratedTime: countOf(fields.integratedTime, "integratedTime"),
      inclusionPromise: {
        signedEntryTimestamp: textOf(verification.signedEntryTimestamp, "signedEntryTimestamp", MAX_FIELD),
      },
      inclusionProof: {
        logIndex: countOf(proof.logIndex, "logIndex"),
        rootHash: hexToBase64(proof.rootHash, "rootHash"),
        treeSize: countOf(proof.treeSize, "treeSize"),
        hashes: listOf(proof.hashes, "hashes", MAX_HASHES).map((hash) => hexToBase64(hash, "hashes")),
        checkpoint: { envelope: textOf(proof.checkpoint, "checkpoint", MAX_FIELD) },
      },
      canonicalizedBody: textOf(fields.body, "body", MAX_FIELD),
    };
  });
}

async function post(url: URL, request: unknown, http: HttpClient): Promise<HttpAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await http.request({
      method: "POST",
      url,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: Buffer.from(JSON.stringify(request)),
      // Logged twice is logged: an entry more in the log does no harm.
      repeat: true,
      maxBytes: MAX_ANSWER_BYTES,
    });
    if (answer.status === 200 || answer.status === 201) return answer;
    // Rekor v2 gives this to all who wait for one checkpoint when one of them goes away.
    if (answer.status !== 499 || attempt === 3) throw refusedBy(answer, "logging the signature");
  }
}

function hashesOf(value: Json | undefined): Json[] {
  return listOf(value, "hashes", MAX_HASHES).map((hash, i) => textOf(hash, `hashes.${i}`, 128));
}

function countOf(value: Json | undefined, at: string): string {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new ShapeError(`${at}: not a count`);
  return String(value);
}

function hexToBase64(value: Json | undefined, at: string): string {
  const text = textOf(value, at, 128);
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) throw new ShapeError(`${at}: not hex`);
  return Buffer.from(text, "hex").toString("base64");
}

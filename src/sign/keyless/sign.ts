import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { canonicalJson, type Json } from "../../core/canonical-json.ts";
import { sha256 } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import type { HttpClient } from "../../net/http.ts";
import { BUNDLE_MEDIA_TYPE, MAX_BUNDLE_BYTES } from "../bundle.ts";
import { type Envelope, IN_TOTO_PAYLOAD, preAuthEncoding } from "../dsse.ts";
import { certify } from "./fulcio.ts";
import type { IdentityToken } from "./identity-token.ts";
import { logInRekor1, logInRekor2 } from "./rekor.ts";
import type { Services } from "./services.ts";
import { timestamp } from "./timestamp.ts";

/** A key that lives in this process only, with its certificate in DER. */
export interface CertifiedKey {
  privateKey: KeyObject;
  certificate: Buffer;
}

/**
 * Makes a P-256 key and has Fulcio certify it for the identity of a token.
 *
 * @throws WaybillError as `certify`
 */
export async function newCertifiedKey(
  identity: IdentityToken,
  services: Services,
  http: HttpClient,
): Promise<CertifiedKey> {
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privateKey: key.privateKey,
    certificate: await certify(services.fulcio, key, identity, http),
  };
}

/**
 * Signs a statement with a certified key, has the signature logged and stamped, and packs all of it into a Sigstore
 * bundle v0.3 (sigstore/protobuf-specs, sigstore_bundle.proto). What the services gave has not been verified.
 *
 * @param statementJson the statement's exact text (`encodeStatement`)
 * @returns the bundle's text: RFC 8785 JSON and a newline
 * @throws WaybillError WB-NET-001..006, WB-INPUT-003 when the bundle would exceed 1 MiB
 */
export async function signCertified(
  statementJson: string,
  { privateKey, certificate }: CertifiedKey,
  services: Services,
  http: HttpClient,
): Promise<string> {
  const payload = Buffer.from(statementJson, "utf8");
  const signed = preAuthEncoding(IN_TOTO_PAYLOAD, payload);
  const signature = sign("sha256", signed, { key: privateKey, dsaEncoding: "der" });
  const envelope: Envelope = {
    payload: payload.toString("base64"),
    payloadType: IN_TOTO_PAYLOAD,
    signatures: [{ sig: signature.toString("base64") }],
  };
  if (payload.length > MAX_BUNDLE_BYTES / 2) throw tooLarge();
  const loggable = { envelope, digest: Buffer.from(sha256(signed), "hex"), signature, certificate };
  // What is logged stays logged: stamped first, so that nothing is when there is no timestamp to be had.
  const stamps = await Promise.all(services.timestamps.map((url) => timestamp(url, signature, http)));
  const entries: Json[] = [];
  for (const { url, version } of services.rekor)
    entries.push(await (version === 1 ? logInRekor1 : logInRekor2)(url, loggable, http));
  const text = `${canonicalJson({
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: {
      certificate: { rawBytes: certificate.toString("base64") },
      tlogEntries: entries,
      timestampVerificationData: {
        rfc3161Timestamps: stamps.map((stamp) => ({ signedTimestamp: stamp.toString("base64") })),
      },
    },
    dsseEnvelope: envelope as unknown as Json,
  })}\n`;
  if (text.length > MAX_BUNDLE_BYTES) throw tooLarge();
  return text;
}

function tooLarge(): WaybillError {
  return new WaybillError("WB-INPUT-003", "the statement is too large: its bundle would exceed 1 MiB", {
    hint: "declare fewer components, or shorter origins",
  });
}

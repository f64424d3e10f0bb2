import { type KeyObject, sign, X509Certificate } from "node:crypto";
import { WaybillError } from "../../core/errors.ts";
import { refusedBy } from "../../net/answer.ts";
import type { HttpAnswer, HttpClient } from "../../net/http.ts";
import { fieldsOf, listOf, optional, ShapeError, textOf } from "../json-shape.ts";
import { below, MAX_ANSWER_BYTES, readAnswer, strange } from "./answers.ts";
import { describeToken, type IdentityToken } from "./identity-token.ts";

/** Certificates of one chain, and characters of one in PEM. */
const MAX_CHAIN = 10;
const MAX_PEM = 32_768;

/**
 * Has Fulcio certify a key for the identity of a token (sigstore/fulcio, fulcio.proto, CreateSigningCertificate; proof of
 * possession: the token's subject, signed by the key).
 *
 * @param key the pair's private and public half, EC P-256
 * @returns the certificate, whose key is this one, in DER. Whom it names is for a verifier with a trusted root to read.
 * @throws WaybillError WB-NET-003 when Fulcio refuses the token, WB-NET-001..006 else
 */
export async function certify(
  base: URL,
  key: { privateKey: KeyObject; publicKey: KeyObject },
  identity: IdentityToken,
  http: HttpClient,
): Promise<Buffer> {
  const proof = sign("sha256", Buffer.from(identity.subject, "utf8"), key.privateKey);
  const request = {
    credentials: { oidcIdentityToken: identity.token },
    publicKeyRequest: {
      publicKey: { algorithm: "ECDSA", content: key.publicKey.export({ type: "spki", format: "pem" }) },
      proofOfPossession: proof.toString("base64"),
    },
  };
  const answer = await http.request({
    method: "POST",
    url: below(base, "/api/v2/signingCert"),
    headers: { "content-type": "application/json", accept: "application/json" },
    body: Buffer.from(JSON.stringify(request)),
    repeat: true,
    maxBytes: MAX_ANSWER_BYTES,
  });
  if (answer.status !== 200 && answer.status !== 201) throw refusal(answer, identity);
  const pem = readAnswer(answer, (data) => {
    const fields = fieldsOf(data, "document");
    const kept =
      optional(fields, "signedCertificateEmbeddedSct") ?? optional(fields, "signedCertificateDetachedSct");
    const chain = fieldsOf(fieldsOf(kept, "signedCertificate").chain, "chain");
    const [leaf] = listOf(chain.certificates, "certificates", MAX_CHAIN).map((one, i) =>
      textOf(one, `certificates.${i}`, MAX_PEM),
    );
    if (leaf === undefined) throw new ShapeError("certificates: missing");
    return leaf;
  });
  return certificateFor(pem, key.publicKey, answer);
}

function certificateFor(pem: string, publicKey: KeyObject, answer: HttpAnswer): Buffer {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch (cause) {
    throw strange(answer, "what it gave is no certificate", cause);
  }
  if (!certificate.publicKey.equals(publicKey)) throw strange(answer, "its certificate is for another key");
  return certificate.raw;
}

function refusal(answer: HttpAnswer, identity: IdentityToken): WaybillError {
  const error = refusedBy(answer, "asking for a certificate");
  if (![400, 401, 403].includes(answer.status)) return error;
  // A server may quote what it was sent.
  const said = identity.token.split(".").reduce((text, part) => text.replaceAll(part, "…"), error.message);
  return new WaybillError("WB-NET-003", `${said}; the token is of ${describeToken(identity)}`, {
    hint: "does this Fulcio know that issuer, and is the token for its audience (`sigstore` unless set up otherwise)?",
  });
}

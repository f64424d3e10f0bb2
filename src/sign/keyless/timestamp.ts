import { createHash } from "node:crypto";
import { assertType, refusedBy } from "../../net/answer.ts";
import type { HttpClient } from "../../net/http.ts";
import { childrenOf, DerError, expect, readDer, smallInteger, TAG } from "../der.ts";
import { strange } from "./answers.ts";

/** Largest reply that is read, in bytes: it carries a certificate chain. */
const MAX_REPLY = 65_536;

/**
 * A TimeStampReq (RFC 3161 §2.4.1) in DER: version 1, SHA-256 with NULL parameters, certificates wanted. No nonce: what
 * is stamped is a signature made a moment ago, so an old reply cannot fit.
 */
export function timestampRequest(signature: Uint8Array): Buffer {
  const before = "3039020101" + "3031300d060960864801650304020105000420";
  const certReq = "0101ff";
  return Buffer.from(before + createHash("sha256").update(signature).digest("hex") + certReq, "hex");
}

/**
 * Has a timestamp authority say when a signature existed (RFC 3161 §3.4, by HTTP).
 *
 * @param url the full address
 * @param signature in DER; its SHA-256 is what the authority sees
 * @returns a TimeStampResp in DER. Nothing in it has been verified.
 * @throws WaybillError WB-NET-001..006
 */
export async function timestamp(url: URL, signature: Uint8Array, http: HttpClient): Promise<Buffer> {
  const answer = await http.request({
    method: "POST",
    url,
    headers: { "content-type": "application/timestamp-query", accept: "application/timestamp-reply" },
    body: timestampRequest(signature),
    repeat: true,
    maxBytes: MAX_REPLY,
  });
  if (answer.status !== 200 && answer.status !== 201) throw refusedBy(answer, "asking for a timestamp");
  assertType(answer, /^application\/timestamp-reply$/);
  const problem = refusalIn(answer.body);
  if (problem !== null) throw strange(answer, problem);
  return answer.body;
}

/** Why a reply holds no timestamp, or null (RFC 3161 §2.4.2: status 0 is granted, 1 granted with changes). */
function refusalIn(reply: Buffer): string | null {
  try {
    const [status, token] = childrenOf(readDer(reply, TAG.sequence));
    const code = smallInteger(childrenOf(expect(status, TAG.sequence))[0]);
    return code <= 1 && token !== undefined ? null : `no timestamp, status ${code}`;
  } catch (error) {
    if (error instanceof DerError) return `not a timestamp reply: ${error.message}`;
    throw error;
  }
}

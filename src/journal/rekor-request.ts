import { decodeBase64 } from "../core/base64.ts";
import type { Json } from "../core/canonical-json.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { type Entry, type EntryVerifier, encodeEntry, parseEntry } from "./entry.ts";

/** Largest request that is read, in bytes: a digest, a signature and a certificate need no more. */
export const MAX_REQUEST = 64 << 10;

/**
 * Reads what a client posts to `/api/v2/log/entries` of a Rekor v2 log (rekor-tiles, rekor_service.proto,
 * CreateEntryRequest): a `hashedRekordRequestV002`. Attestations come as one over Hash(PAE). A `dsseRequestV002`, as
 * older clients send it, is refused: this log holds one kind of entry. Nothing has been verified.
 *
 * @returns the entry's body, canonical, and what it says; else a sentence for the client. Never throws
 */
export function parseCreateEntry(text: string): { body: string; entry: Entry } | { problem: string } {
  try {
    const request = object(parseStrictJson(text, { maxBytes: MAX_REQUEST, maxDepth: 8, maxNodes: 64 }));
    if (request.dsseRequestV002 !== undefined)
      return {
        problem: "dsseRequestV002 is not taken: send a hashedRekordRequestV002 over the hash of the PAE",
      };
    const hashed = object(request.hashedRekordRequestV002);
    const signature = object(hashed.signature);
    const named = object(signature.verifier);
    const verifier: EntryVerifier =
      named.publicKey === undefined
        ? { kind: "x509Certificate", der: bytes(object(named.x509Certificate).rawBytes) }
        : { kind: "publicKey", der: bytes(object(named.publicKey).rawBytes) };
    const body = encodeEntry({
      digest: bytes(hashed.digest),
      signature: bytes(signature.content),
      verifier,
    });
    const entry = parseEntry(body);
    if ("problem" in entry) return entry;
    const expected = (JSON.parse(body) as { spec: { hashedRekordV002: { signature: { verifier: Json } } } })
      .spec.hashedRekordV002.signature.verifier as { keyDetails: string };
    if (named.keyDetails !== expected.keyDetails)
      return { problem: `keyDetails is not ${expected.keyDetails}, as the key says` };
    return { body, entry };
  } catch (error) {
    return { problem: `not a request that is taken: ${(error as Error).message}` };
  }
}

function object(value: Json | undefined): { [key: string]: Json } {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TypeError("a part is missing or no object");
  return value;
}

function bytes(value: Json | undefined): Buffer {
  const decoded = typeof value === "string" ? decodeBase64(value) : null;
  if (decoded === null || decoded.length === 0) throw new TypeError("a value is not standard base64");
  return decoded;
}

import { isUtf8 } from "node:buffer";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import type { Hex } from "../core/digest.ts";
import { decodeBase64 } from "../core/note.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import type { Envelope } from "../sign/dsse.ts";

/** Folder of the envelopes in a journal. */
export const ENVELOPES = "envelopes";

/** Largest envelope file, in bytes: a bundle of 1 MiB holds no larger one. */
export const MAX_ENVELOPE = 1 << 20;

/** Where the envelope of the entry with this leaf hash lies, relative to the journal. */
export function envelopePath(leaf: Hex): string {
  return `${ENVELOPES}/${leaf.slice(0, 2)}/${leaf}.json`;
}

/** The leaf hash that such a path names; undefined for any other path. */
export function leafOfEnvelopePath(path: string): Hex | undefined {
  const leaf = /^envelopes\/[0-9a-f]{2}\/([0-9a-f]{64})\.json$/.exec(path)?.[1];
  return leaf !== undefined && envelopePath(leaf) === path ? leaf : undefined;
}

/**
 * The text of an envelope file: canonical JSON and a newline. Of each signature only `sig` is kept: `keyid` is not
 * signed, so a changed one could not be found out.
 */
export function encodeEnvelopeFile({ payload, payloadType, signatures }: Envelope): string {
  const kept = { payload, payloadType, signatures: signatures.map(({ sig }) => ({ sig })) };
  return `${canonicalJson(kept as unknown as Json)}\n`;
}

/** Reads an envelope file: only the very text that `encodeEnvelopeFile` gives. Never throws for any bytes. */
export function parseEnvelopeFile(bytes: Uint8Array): Envelope | { problem: string } {
  if (!isUtf8(bytes)) return { problem: "not UTF-8" };
  const text = Buffer.from(bytes).toString("utf8");
  try {
    const data = parseStrictJson(text, { maxBytes: MAX_ENVELOPE, maxDepth: 4, maxNodes: 32 });
    const envelope = data as unknown as Envelope;
    const { payload, payloadType, signatures } = envelope;
    if (typeof payload !== "string" || typeof payloadType !== "string" || !Array.isArray(signatures))
      return { problem: "not a DSSE envelope" };
    if (decodeBase64(payload) === null || signatures.some(({ sig }) => typeof sig !== "string"))
      return { problem: "not a DSSE envelope" };
    return encodeEnvelopeFile(envelope) === text ? envelope : { problem: "not written as Waybill writes it" };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

import type { KeyObject } from "node:crypto";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { leafHash } from "../core/merkle.ts";
import type { Envelope } from "../sign/dsse.ts";
import { spkiDer } from "../sign/keys.ts";
import { type EntryVerifier, entryOfEnvelope } from "./entry.ts";
import { encodeEnvelopeFile, MAX_ENVELOPE } from "./envelope-file.ts";

/** A signed statement to be logged, with the key or the certificate (DER) that made it. */
export type Appendable = { envelope: Envelope } & ({ publicKey: KeyObject } | { certificate: Uint8Array });

/** What goes into the log: an entry with its envelope, or one from outside with what makes the statement about it. */
export interface Item {
  leaf: Hex;
  digest: string;
  body: string;
  envelope: string | null;
  vouch?: (entry: { index: number; leaf: Hex }) => Appendable;
}

/** Verifies a signed statement and makes its entry; throws as `append`. */
export function itemOf(entry: Appendable): Item {
  const verifier: EntryVerifier =
    "publicKey" in entry
      ? { kind: "publicKey", der: spkiDer(entry.publicKey) }
      : { kind: "x509Certificate", der: Buffer.from(entry.certificate) };
  const { body, digest } = entryOfEnvelope(entry.envelope, verifier);
  const envelope = encodeEnvelopeFile(entry.envelope);
  if (Buffer.byteLength(envelope) > MAX_ENVELOPE)
    throw new WaybillError(
      "WB-INPUT-003",
      `the envelope is larger than the ${MAX_ENVELOPE} bytes that are logged`,
      {
        hint: "keep large content apart, and sign its digest",
      },
    );
  return { leaf: leafOf(body), digest: digest.toString("hex"), body, envelope };
}

/** The name of an entry by its body: its leaf hash in hex. */
export function leafOf(body: string): Hex {
  return Buffer.from(leafHash(Buffer.from(body))).toString("hex");
}

import type { KeyObject } from "node:crypto";
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import {
  BUNDLE_MEDIA_TYPE,
  MAX_BUNDLE_BYTES,
  MAX_NAMED_BUNDLE_BYTES,
  type ParsedBundle,
  parseBundle,
} from "../sign/bundle.ts";
import { IN_TOTO_PAYLOAD, signEnvelope } from "../sign/dsse.ts";
import { keyHints } from "../sign/keys.ts";
import { type OmsManifest, parseOms } from "./oms.ts";
import { encodeStatement, type Statement } from "./statement.ts";

/** A model signature, well formed. Nothing in it has been verified. */
export interface OmsBundle {
  bundle: ParsedBundle;
  manifest: OmsManifest;
}

/**
 * Signs an OMS statement into a Sigstore bundle v0.3 that names the key as OMS v1.0 does, by the SHA-256 of its PEM:
 * model_signing compares that name with the key it is given.
 *
 * @param privateKey EC P-256, P-384 or P-521
 * @param maxBytes 1 MiB when not given, as for every bundle in a folder
 * @returns the bundle's text: RFC 8785 JSON and a newline
 * @throws WaybillError WB-INPUT-016 for another key, WB-INPUT-003 for a bundle over `maxBytes`
 */
export function makeOmsBundle(
  statement: Statement,
  privateKey: KeyObject,
  maxBytes: number = MAX_BUNDLE_BYTES,
): string {
  const envelope = signEnvelope(IN_TOTO_PAYLOAD, Buffer.from(encodeStatement(statement)), privateKey);
  const text = `${canonicalJson({
    mediaType: BUNDLE_MEDIA_TYPE,
    verificationMaterial: { publicKey: { hint: keyHints(privateKey).oms }, tlogEntries: [] },
    dsseEnvelope: envelope as unknown as Json,
  })}\n`;
  if (text.length > maxBytes)
    throw new WaybillError("WB-INPUT-003", `the model signature would exceed ${maxBytes >> 20} MiB`, {
      hint: "sign a model of fewer files",
    });
  return text;
}

/**
 * Reads a model signature: a Sigstore bundle over an OMS statement. A bundle with a single certificate must carry a
 * log entry (OMS v1.0, bundle schema); keys and chains need none. Never throws for any text.
 *
 * @param maxBytes 16 MiB when not given
 */
export function readOmsBundle(
  text: string,
  maxBytes: number = MAX_NAMED_BUNDLE_BYTES,
): OmsBundle | { problem: string } {
  const bundle = parseBundle(text, { maxBytes });
  if ("problem" in bundle) return bundle;
  if (bundle.content.kind !== "dsse")
    return { problem: "not a model signature: it signs a file, not a statement" };
  if (isKeyless(bundle) && bundle.logEntries.length === 0)
    return { problem: "not a model signature: a certificate without a log entry" };
  const manifest = parseOms(bundle.content.payload);
  return "problem" in manifest ? manifest : { bundle, manifest };
}

/** True for the form of keyless signing: one certificate, not a chain that the signer brings. */
function isKeyless({ signer, json }: ParsedBundle): boolean {
  if (signer.kind !== "certificate") return false;
  const { verificationMaterial: material } = json as { verificationMaterial: { certificate?: Json } };
  return material.certificate != null;
}

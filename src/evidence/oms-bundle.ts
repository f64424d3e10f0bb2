import type { Json } from "../core/canonical-json.ts";
import { MAX_NAMED_BUNDLE_BYTES, type ParsedBundle, parseBundle } from "../sign/bundle.ts";
import { type OmsManifest, parseOms } from "./oms.ts";

/** A model signature, well formed. Nothing in it has been verified. */
export interface OmsBundle {
  bundle: ParsedBundle;
  manifest: OmsManifest;
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

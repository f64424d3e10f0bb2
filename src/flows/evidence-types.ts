import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { EVIDENCE_TYPES, evidenceByShort } from "../evidence/predicate-names.ts";

/** Names of single formats that `attest` and `verify` know beside those of kinds of evidence. */
const FORMATS: Readonly<Record<string, readonly string[]>> = {
  spdx: ["https://spdx.dev/Document", "https://spdx.dev/Document/v2.3"],
  cyclonedx: ["https://cyclonedx.org/bom"],
  slsaprovenance: ["https://slsa.dev/provenance/v0.2"],
  slsaprovenance1: ["https://slsa.dev/provenance/v1"],
};

/**
 * The predicate types that a word stands for: a short name, or a predicate type itself, which is a URI.
 *
 * @returns at least one; the first is the one to write
 * @throws WaybillError WB-INPUT-007 for any other word
 */
export function evidenceTypes(word: string): readonly string[] {
  if (/^[a-z][a-z0-9+.-]*:\S+$/i.test(word) && word.length <= 1024) return [word];
  const uris = Object.hasOwn(FORMATS, word) ? FORMATS[word] : evidenceByShort(word)?.uris;
  if (uris !== undefined) return uris;
  const known = [...EVIDENCE_TYPES.map(({ short }) => short), ...Object.keys(FORMATS)].join(", ");
  throw new WaybillError("WB-INPUT-007", `--type ${safeText(word.slice(0, 100))}: no type of evidence`, {
    hint: `a URI, or one of ${known}`,
  });
}

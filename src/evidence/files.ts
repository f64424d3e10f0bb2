import { isHex } from "../core/digest.ts";
import { nameSchema } from "./predicate.ts";

/** The folder of the evidence files, beside `waybill.yaml`. It belongs to no component. */
export const EVIDENCE_FOLDER = "waybill.evidence";

const NAME = /^(release|channel\.([a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?))\.([0-9a-f]{12})\.sigstore\.json$/;

/** What the name of an evidence file says. It orders the folder; only the signed content counts. */
export type EvidenceFile =
  | { evidence: "release" /** First 12 hex digits of the signer's key id. */; key: string }
  | { evidence: "channel"; target: string; key: string };

/**
 * The file name of a piece of evidence: `release.<key>.sigstore.json`, `channel.<target>.<key>.sigstore.json`. So
 * several signers of one statement lie side by side, and a signer's new statement replaces its old one.
 *
 * @param evidence which, and for a channel its target
 * @param keyId the signer's key id, of which the first 12 hex digits are used
 * @throws RangeError for a key id or a target that is none
 */
export function evidenceFileName(
  evidence: { evidence: "release" } | { evidence: "channel"; target: string },
  keyId: string,
): string {
  if (!isHex(keyId)) throw new RangeError("a key id has 64 lower-case hex digits");
  const key = keyId.slice(0, 12);
  if (evidence.evidence === "release") return `release.${key}.sigstore.json`;
  if (!nameSchema.safeParse(evidence.target).success) throw new RangeError("not the name of a target");
  return `channel.${evidence.target}.${key}.sigstore.json`;
}

/** Reads the name of an evidence file; undefined for any other name. */
export function parseEvidenceFileName(name: string): EvidenceFile | undefined {
  const match = NAME.exec(name);
  if (!match) return undefined;
  const [, , target, key] = match;
  return target === undefined
    ? { evidence: "release", key: key! }
    : { evidence: "channel", target, key: key! };
}

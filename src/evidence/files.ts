import { isHex } from "../core/digest.ts";
import { nameSchema } from "./predicate.ts";

/** The folder of the evidence files, beside `waybill.yaml`. It belongs to no component. */
export const EVIDENCE_FOLDER = "waybill.evidence";

const NAME =
  /^(?:release|(channel|model)\.([a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?))\.([0-9a-f]{12})\.sigstore\.json$/;

/** Which piece of evidence a file holds. */
export type EvidenceOf =
  | { evidence: "release" }
  | { evidence: "channel"; target: string }
  | { evidence: "model" /** The component's name. */; name: string };

/** What the name of an evidence file says. It orders the folder; only the signed content counts. */
export type EvidenceFile = EvidenceOf & { /** First 12 hex digits of the signer's key id. */ key: string };

/**
 * The file name of a piece of evidence: `release.<key>.sigstore.json`, `channel.<target>.<key>.sigstore.json`,
 * `model.<name>.<key>.sigstore.json`. So several signers of one statement lie side by side, and a signer's new
 * statement replaces its old one.
 *
 * @param of which; for a channel its target, for a model signature the component's name
 * @param keyId the signer's key id, of which the first 12 hex digits are used
 * @throws RangeError for a key id, a target or a name that is none
 */
export function evidenceFileName(of: EvidenceOf, keyId: string): string {
  if (!isHex(keyId)) throw new RangeError("a key id has 64 lower-case hex digits");
  const key = keyId.slice(0, 12);
  if (of.evidence === "release") return `release.${key}.sigstore.json`;
  const name = of.evidence === "channel" ? of.target : of.name;
  if (!nameSchema.safeParse(name).success) throw new RangeError("not the name of a target or component");
  return `${of.evidence}.${name}.${key}.sigstore.json`;
}

/** Reads the name of an evidence file; undefined for any other name. */
export function parseEvidenceFileName(file: string): EvidenceFile | undefined {
  const match = NAME.exec(file);
  if (!match) return undefined;
  const [, evidence, name, key] = match;
  if (evidence === undefined) return { evidence: "release", key: key! };
  return evidence === "channel"
    ? { evidence, target: name!, key: key! }
    : { evidence: "model", name: name!, key: key! };
}

import { PREDICATES } from "./registry.ts";

/** A kind of evidence under the short name by which trust policies and `attest` know it. */
export interface EvidenceType {
  short: string;
  /** Every `predicateType` that it stands under: the first is written, all are read. */
  uris: readonly [string, ...string[]];
  /** One line for people: what is claimed. */
  title: string;
}

/** Evidence of the field's own predicates (DESIGN §4). Older URIs are those that tools in use still write. */
const STANDARD: readonly EvidenceType[] = [
  {
    short: "model",
    uris: ["https://model_signing/signature/v1.0", "https://model_signing/Digests/v0.1"],
    title: "these are the files of a model (OMS)",
  },
  {
    short: "image",
    uris: ["https://sigstore.dev/cosign/sign/v1"],
    title: "a container image is signed (cosign)",
  },
  {
    short: "provenance",
    uris: ["https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"],
    title: "how something was built or trained (SLSA)",
  },
  {
    short: "sbom",
    uris: ["https://cyclonedx.org/bom", "https://spdx.dev/Document", "https://spdx.dev/Document/v2.3"],
    title: "what something contains (CycloneDX, SPDX)",
  },
  {
    short: "vulns",
    uris: [
      "https://in-toto.io/attestation/vulns/v0.2",
      "https://in-toto.io/attestation/vulns/v0.1",
      "https://cosign.sigstore.dev/attestation/vuln/v1",
    ],
    title: "which vulnerabilities a scan found",
  },
  {
    short: "test-result",
    uris: ["https://in-toto.io/attestation/test-result/v0.1"],
    title: "which tests passed and which failed",
  },
];

/** Every kind of evidence that has a short name: Waybill's own predicates, then the field's. */
export const EVIDENCE_TYPES: readonly EvidenceType[] = [
  ...PREDICATES.map(({ short, uri, title }) => ({ short, uris: [uri] as [string], title })),
  ...STANDARD,
];

/** The kind of evidence with this short name, such as `sbom`. */
export function evidenceByShort(short: string): EvidenceType | undefined {
  return EVIDENCE_TYPES.find((type) => type.short === short);
}

/** The kind of evidence that stands under this `predicateType`. */
export function evidenceByUri(uri: string): EvidenceType | undefined {
  return EVIDENCE_TYPES.find((type) => type.uris.includes(uri));
}

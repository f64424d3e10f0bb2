import type { Rule } from "../core/finding.ts";

const rule = (code: string, group: Rule["group"], title: string, why: string, fix: string): Rule => ({
  code,
  group,
  title,
  why,
  fix,
  blocksAt: "baseline",
});

/** What can be wrong with the signatures of an image. */
export const IMAGE_RULES = {
  unsigned: rule(
    "WB-IMAGE-030",
    "signature",
    "the image is signed",
    "A tag can be moved by whoever may push, and a digest says nothing of who stands for it. The signature does.",
    "waybill sign IMAGE",
  ),
  otherDigest: rule(
    "WB-IMAGE-031",
    "signature",
    "the signature is for this image",
    "A signature of another image was put beside this one. It is valid and proves nothing here.",
    "waybill sign IMAGE",
  ),
  otherType: rule(
    "WB-IMAGE-032",
    "signature",
    "there is evidence of the type that is asked for",
    "An attestation that says something else about the image (an SBOM, a scan) is no signature of it, whoever made it.",
    "waybill sign IMAGE, or name the type that is meant: waybill verify IMAGE --type TYPE",
  ),
  notTrusted: rule(
    "WB-IMAGE-033",
    "trust",
    "the signer of the image is one that is trusted",
    "Anyone who can push to the registry can sign. Only the keys and identities that were named count.",
    "sign with a trusted key, or name the signer: waybill verify IMAGE --key FILE",
  ),
  invalid: rule(
    "WB-IMAGE-034",
    "signature",
    "the signatures of the image are valid",
    "It was changed after it was signed, or its certificate, timestamp or log entry does not hold.",
    "waybill sign IMAGE",
  ),
  malformed: rule(
    "WB-IMAGE-035",
    "signature",
    "what stands beside the image as its signature can be read",
    "Something is stored where signatures are, and it is none. It was not counted.",
    "remove it from the registry, then: waybill sign IMAGE",
  ),
  platform: rule(
    "WB-IMAGE-036",
    "integrity",
    "the image exists for the platform that is asked for",
    "A signature on an index stands for the images that it names. For a platform that it does not name there is none.",
    "build the image for this platform, or ask for another one with --platform",
  ),
  tooMany: rule(
    "WB-IMAGE-037",
    "signature",
    "all that stands beside the image can be looked at",
    "Whoever may push can bury the right signature under others. Waybill looks at the first few hundred.",
    "remove referrers and signatures that nobody needs any more",
  ),
} as const satisfies Readonly<Record<string, Rule>>;

export type ImageRuleName = keyof typeof IMAGE_RULES;

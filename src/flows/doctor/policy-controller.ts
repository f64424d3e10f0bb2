import { IMAGE_SIGNATURE } from "../../verify/image-judge.ts";
import { bundleForImages, decided, decideImage, type Look } from "./admission-rules.ts";
import type { BundleQuestion, Consumer, Obstacle, Prediction } from "./consumer.ts";
import { foretold } from "./cosign.ts";

/** The releases whose rules these are. */
export const POLICY_CONTROLLER = "0.13 to 0.15.1";

const KEY_IN_BUNDLE: Obstacle = {
  why: "signed by a key in the bundle layout: policy-controller up to 0.15.1 does not verify that (sigstore/policy-controller#1958, open)",
  fix: "also write the cosign 2 layout, which it reads by default: `waybill sign IMAGE --layout both`; or sign keyless",
};
const NAME_TYPE = (type: string) =>
  `with signatureFormat: bundle (0.13 or later) and predicateType ${type} under attestations: it verifies only what is listed there`;

/**
 * Sigstore policy-controller, by its published rules; it is an admission webhook and is not run here.
 *
 * Sources: sigstore/policy-controller pkg/webhook/validator.go (`checkOptsFromAuthority`: no `ctlog` for a key
 * authority means that no log is asked for; `ValidatePolicyAttestationsForAuthority`); its pull request 1725 (bundles,
 * by `signatureFormat: bundle`, from 0.13.0) and issues 1899, 1958; docs.sigstore.dev/policy-controller/overview.
 */
export const policyController: Consumer = {
  name: "policy-controller",
  diagnose(question) {
    const prediction = question.kind === "bundle" ? predictBundle(question) : decideImage(question, look);
    return Promise.resolve({
      consumer: "policy-controller",
      version: POLICY_CONTROLLER,
      how: "by its rules",
      ...foretold(prediction),
    });
  },
};

function predictBundle(question: BundleQuestion): Prediction {
  const obstacles = bundleForImages(question);
  const { facts } = question;
  if ("problem" in facts || obstacles.length > 0) return decided(question, obstacles, []);
  if (facts.signer?.kind === "key") obstacles.push(KEY_IN_BUNDLE);
  else if (facts.signer && facts.entries.length === 0 && facts.timestamps === 0)
    obstacles.push({
      why: "signed by a certificate, with neither a log entry nor a timestamp: nothing says that it was valid then",
      fix: "let the signer write to a Rekor log or take an RFC 3161 timestamp",
    });
  const statement = facts.content?.kind === "dsse" ? facts.content.statement : undefined;
  return decided(question, obstacles, [
    "once it is a referrer of the image",
    ...(statement ? [NAME_TYPE(statement.predicateType)] : []),
  ]);
}

const look: Look = (signature) => {
  const { layout, bundle, carries, predicateType } = signature;
  if (layout === "tag .sig" || layout === "tag .att") {
    const byKey = carries?.certificate !== true;
    if (byKey)
      return {
        obstacles: [],
        notes: ["with a key authority; leave ctlog out where the signature is in no log"],
      };
    if (carries?.log || carries?.timestamp) return { obstacles: [], notes: ["with a keyless authority"] };
    return {
      obstacles: [
        {
          why: `the certificate in ${layout} has neither a log entry nor a timestamp`,
          fix: "sign again with a log, or with a timestamp and an rfc3161timestamp authority",
        },
      ],
      notes: [],
    };
  }
  if (!bundle || "problem" in bundle)
    return {
      obstacles: [{ why: "a referrer holds no bundle that can be read", fix: "sign again" }],
      notes: [],
    };
  if (bundle.signer?.kind === "key") return { obstacles: [KEY_IN_BUNDLE], notes: [] };
  return { obstacles: [], notes: [NAME_TYPE(predicateType ?? IMAGE_SIGNATURE)] };
};

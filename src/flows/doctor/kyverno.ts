import { bundleForImages, decided, decideImage, type Look } from "./admission-rules.ts";
import type { BundleFacts } from "./anatomy.ts";
import type { BundleQuestion, Consumer, Obstacle, Prediction } from "./consumer.ts";
import { foretold } from "./cosign.ts";
import type { FoundSignature } from "./image-facts.ts";

/** The releases whose rules these are. */
export const KYVERNO = "1.13 to 1.19.0";

/** `maxLayerSize` and `attestationlimit` of Kyverno's sigstore.go. */
const MAX_LAYER = 10_000_000;
const MAX_REFERRERS = 50;
const BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle";
const BY_KEY =
  "in an ImageValidatingPolicy of 1.18: verifyImages with type: SigstoreBundle ignores keys (kyverno/kyverno#14233, #16267), and 1.19.0 fails on bundles signed by keys (#17363, open)";
const KEYLESS =
  "in verifyImages with type: SigstoreBundle (1.13 or later), or in an ImageValidatingPolicy (1.17 or later)";
const NO_LOG =
  "with ctlog.insecureIgnoreTlog: true (type: Cosign: rekor.ignoreTlog: true): the signature is in no log";

/**
 * Kyverno, by its published rules; it is an admission webhook and is not run here.
 *
 * Sources: kyverno/kyverno pkg/image/verifiers/cpol/cosign/sigstore.go (`fetchBundles`, `buildPolicy`,
 * `buildVerifyOptions`) and pkg/image/verifiers/ivpol/cosign/{verifier,opts}.go; issues 14233, 16267, 16678, 17363;
 * kyverno.io/docs/policy-types/cluster-policy/verify-images/sigstore.
 */
export const kyverno: Consumer = {
  name: "kyverno",
  diagnose(question) {
    const prediction = question.kind === "bundle" ? predictBundle(question) : predictImage(question);
    return Promise.resolve({
      consumer: "kyverno",
      version: KYVERNO,
      how: "by its rules",
      ...foretold(prediction),
    });
  },
};

function predictBundle(question: BundleQuestion): Prediction {
  const obstacles = bundleForImages(question);
  const { facts, signedWith } = question;
  if ("problem" in facts || obstacles.length > 0) return decided(question, obstacles, []);
  obstacles.push(...bundleObstacles(facts));
  return decided(question, obstacles, [
    "once it is a referrer of the image",
    ...conditions(facts),
    ...(signedWith === "sha384" || signedWith === "sha512"
      ? [`with hashAlgorithm: ${signedWith} beside the key`]
      : []),
  ]);
}

function predictImage(question: Parameters<typeof decideImage>[0]): Prediction {
  const referrers = question.image.found.filter(({ layout }) => !layout.startsWith("tag"));
  if (referrers.length > MAX_REFERRERS)
    return {
      outcome: "refuses",
      obstacles: [
        {
          why: `the image has ${referrers.length} referrers; Kyverno stops at more than ${MAX_REFERRERS}`,
          fix: "delete referrers that nobody needs",
        },
      ],
      notes: [],
    };
  return decideImage(question, look);
}

const look: Look = (signature) => {
  const { layout, bundle, carries } = signature;
  if (layout === "tag .sig" || layout === "tag .att") {
    const notes = ["in verifyImages with type: Cosign, its default", ...(carries?.log ? [] : [NO_LOG])];
    if (carries?.certificate && !carries.log && !carries.timestamp)
      return {
        obstacles: [
          {
            why: `the certificate in ${layout} has neither a log entry nor a timestamp`,
            fix: "sign again with a log",
          },
        ],
        notes,
      };
    return { obstacles: [], notes };
  }
  if (!bundle || "problem" in bundle)
    return {
      obstacles: [{ why: "a referrer holds no bundle that can be read", fix: "sign again" }],
      notes: [],
    };
  return {
    obstacles: [...bundleObstacles(bundle), ...listingObstacles(signature)],
    notes: conditions(bundle),
  };
};

function bundleObstacles(facts: BundleFacts): Obstacle[] {
  const found: Obstacle[] = [];
  if (facts.bytes > MAX_LAYER)
    found.push({
      why: `it has ${facts.bytes} bytes; Kyverno reads at most ${MAX_LAYER}`,
      fix: "make the predicate smaller: name large documents by their digest",
    });
  if (facts.signer?.kind === "certificate" && facts.entries.length === 0 && facts.timestamps === 0)
    found.push({
      why: "signed by a certificate, with neither a log entry nor a timestamp: nothing says that it was valid then",
      fix: "let the signer write to a Rekor log or take an RFC 3161 timestamp",
    });
  return found;
}

/** It filters by the type in the list, and registries without a referrers API list an empty one. */
function listingObstacles({ layout, listedType }: FoundSignature): Obstacle[] {
  if (listedType?.startsWith(BUNDLE_TYPE)) return [];
  return [
    {
      why: `the ${layout} lists it as ${JSON.stringify(listedType ?? "")}, and Kyverno passes over all that is not listed as ${BUNDLE_TYPE}…`,
      fix: "push to a registry with the referrers API, or also write the cosign 2 layout: `waybill sign IMAGE --layout both`",
    },
  ];
}

function conditions(facts: BundleFacts): string[] {
  return [facts.signer?.kind === "key" ? BY_KEY : KEYLESS, ...(facts.entries.length === 0 ? [NO_LOG] : [])];
}

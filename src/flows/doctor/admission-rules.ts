import type { BundleFacts } from "./anatomy.ts";
import { formObstacles } from "./bundle-obstacles.ts";
import type { BundleQuestion, ImageQuestion, Obstacle, Prediction } from "./consumer.ts";
import type { FoundSignature } from "./image-facts.ts";

/**
 * What admission controllers want of a bundle before their own rules come in: a form that sigstore-go reads, a
 * statement about an image, and a signature that holds.
 */
export function bundleForImages(question: BundleQuestion): Obstacle[] {
  const { facts, own, signedWith } = question;
  if ("problem" in facts)
    return [{ why: `it is not a bundle: ${facts.problem}`, fix: "give the bundle's own file, unchanged" }];
  const found = formObstacles(facts, false);
  if (facts.content?.kind === "message")
    found.push({
      why: "it signs a file; for an image they read statements whose subject is the image's digest",
      fix: "sign or attest the image: `waybill sign IMAGE`, `cosign sign IMAGE`",
    });
  found.push(...subjectObstacles(facts));
  if (signedWith === "another key")
    found.push({ why: "its signature is not by this key", fix: "give the key that signed it with --key" });
  else if (own && "problem" in own && facts.signer?.kind === "certificate")
    found.push({ why: `Waybill refuses it: ${own.problem}`, fix: "see what `waybill` says above" });
  return found;
}

function subjectObstacles({ content }: BundleFacts): Obstacle[] {
  if (content?.kind !== "dsse" || !content.statement) return [];
  const { predicateType, subjects } = content.statement;
  if (predicateType.startsWith("https://model_signing/"))
    return [
      {
        why: "it is about a model; an admission controller looks for statements about an image's digest",
        fix: "put the model's signature into the image and sign the image, or admit by Waybill's own policy",
      },
    ];
  if (predicateType.startsWith("urn:waybill:release:") || predicateType.startsWith("urn:waybill:channel:"))
    return [
      {
        why: "it is about a release; an admission controller looks for statements about an image's digest",
        fix: "attest the image: `waybill attest IMAGE`",
      },
    ];
  if (subjects.length > 0 && !subjects.some(({ digest }) => /^[0-9a-f]{64}$/.test(digest.sha256 ?? "")))
    return [
      {
        why: "no subject has a sha256, and images are looked up by theirs",
        fix: "name the image's sha256 digest as subject and sign again",
      },
    ];
  return [];
}

/** Whether something can be said of a signature that has no obstacles, and what has to be given for that. */
export function decided(question: BundleQuestion, obstacles: Obstacle[], notes: string[]): Prediction {
  if (obstacles.length > 0) return { outcome: "refuses", obstacles, notes: [] };
  const { facts, key, own } = question;
  const byKey = !("problem" in facts) && facts.signer?.kind === "key";
  if (byKey && !key)
    return {
      outcome: "cannot tell",
      obstacles,
      notes: ["say whose key it should be with --key PUB", ...notes],
    };
  if (!byKey && own === undefined)
    return {
      outcome: "cannot tell",
      obstacles,
      notes: ["its certificate was not verified: name its authorities with --trusted-root FILE", ...notes],
    };
  return { outcome: "accepts", obstacles, notes };
}

const UNVERIFIED = "as far as the signature itself verifies: no key was given to tell";

/** How one consumer looks at one signature of an image. */
export type Look = (
  signature: FoundSignature,
  question: ImageQuestion,
) => { obstacles: Obstacle[]; notes: string[] };

/** An image is accepted for any one signature without obstacles: both controllers want one match. */
export function decideImage(question: ImageQuestion, look: Look): Prediction {
  const { found } = question.image;
  if (found.length === 0)
    return {
      outcome: "refuses",
      obstacles: [
        { why: "no signature was found beside the image", fix: "`waybill sign IMAGE`, `cosign sign IMAGE`" },
      ],
      notes: [],
    };
  const { own } = question;
  if (own && "problem" in own)
    return {
      outcome: "refuses",
      obstacles: [
        {
          why: `Waybill verifies none of its signatures: ${own.problem}`,
          fix: "give the key or root that belongs to them",
        },
      ],
      notes: [],
    };
  const looks = found.map((signature) => look(signature, question));
  const good = looks.find(({ obstacles }) => obstacles.length === 0);
  if (good)
    return {
      outcome: "accepts",
      obstacles: [],
      notes: [...good.notes, ...(own ? [] : [UNVERIFIED])],
    };
  return { outcome: "refuses", obstacles: distinct(looks.flatMap(({ obstacles }) => obstacles)), notes: [] };
}

function distinct(obstacles: readonly Obstacle[]): Obstacle[] {
  return obstacles.filter(({ why }, i) => obstacles.findIndex((other) => other.why === why) === i);
}

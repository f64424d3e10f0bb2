import type { Finding, Rule } from "../core/finding.ts";
import type { Check, FolderFacts } from "./check.ts";
import { dockerfileImages, type ImageReference, yamlImages } from "./image-references.ts";
import { withoutTag } from "./launches.ts";
import { isPinnedImage } from "./pins.ts";
import { conclude, count, placeIn, quote } from "./places.ts";
import { textKind, unreadOf } from "./scanned-texts.ts";

const rule: Rule = {
  code: "WB-IMAGE-010",
  title: "images are named by digest",
  why: "A tag is a pointer that whoever may push to the registry can move, `latest` most of all. The next build or the next pod then runs another image than the one that was tested and signed. A digest names one image for ever.",
  fix: "name the digest: docker buildx imagetools inspect IMAGE --format '{{.Manifest.Digest}}'",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: "Dockerfile",
    bad: "FROM python:3.13-slim",
    good: `FROM python:3.13-slim@sha256:${"0123456789abcdef".repeat(4)}`,
  },
};

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  const unjudged: string[] = [];
  let files = 0;
  let total = 0;
  for (const file of facts.texts) {
    const kind = textKind(file.path);
    let images: ImageReference[] | undefined = [];
    if (kind === "dockerfile") images = dockerfileImages(file.text);
    else if (kind === "yaml" || kind === "workflow") images = yamlImages(file);
    else continue;
    if (!images) unjudged.push(`${quote(file.path)}: not YAML that can be read`);
    if (images?.length) files += 1;
    for (const { text, offset } of images ?? []) {
      total += 1;
      const reference = text.replace(/^docker:\/\//, "");
      if (isPinnedImage(reference)) continue;
      const computed = reference.includes("$") || reference.includes("{{");
      const label = computed ? "put in when it is built or deployed" : "a tag, which can be moved";
      findings.push({
        code: rule.code,
        message: `image '${quote(reference)}' is not named by digest`,
        path: file.path,
        where: placeIn(file, offset, text.length),
        label: reference.includes("@") ? "not a sha256 digest" : label,
        expected: computed
          ? "an image with @sha256:<64 hex>"
          : `${quote(withoutTag(reference))}@sha256:<64 hex>`,
        found: quote(reference),
        why: rule.why,
        fix: computed ? "write the image out with its digest" : rule.fix.replace("IMAGE", quote(reference)),
      });
    }
  }
  const coverage =
    total === 0
      ? "no image reference in the texts"
      : `${total - findings.length} of ${count(total, "image reference")} by digest, in ${count(files, "file")}`;
  const unread = unreadOf(facts, ["dockerfile", "yaml", "workflow"]);
  return conclude(rule, { findings, unjudged, coverage }, unread);
}

/** WB-IMAGE-010. */
export const mutableImage: Check = { rule, run };

import type { Finding, Rule } from "../core/finding.ts";
import type { Check, FolderFacts, TextFile } from "./check.ts";
import { type ImageSigning, namingOf, signingOf, withoutItsTag } from "./image-signings.ts";
import { conclude, count, quote } from "./places.ts";
import { textKind, unreadOf } from "./scanned-texts.ts";
import { RUNNABLE, snippetsOf } from "./snippets.ts";

const rule: Rule = {
  code: "WB-IMAGE-011",
  title: "images are signed, attested and verified by digest",
  why: "A tag is looked up when the command runs. Whoever pushes to it between the build and the signature gets his own image signed by this pipeline, and what was verified by tag may not be what is then started. The build knows the digest of what it made.",
  fix: "name the digest that the build gives: cosign sign IMAGE@$DIGEST",
  group: "hygiene",
  blocksAt: "strict",
  example: {
    file: ".github/workflows/release.yml",
    bad: `jobs:\n  sign:\n    steps:\n      - run: cosign sign --yes ghcr.io/acme/agent:\${{ github.sha }}`,
    good: `jobs:\n  sign:\n    steps:\n      - run: cosign sign --yes ghcr.io/acme/agent@\${{ steps.build.outputs.digest }}`,
  },
};

const DONE: Record<ImageSigning["verb"], string> = {
  sign: "signed",
  attest: "attested",
  verify: "verified",
};

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  const unjudged: string[] = [];
  let texts = 0;
  let total = 0;
  let good = 0;
  for (const file of facts.texts) {
    const kind = textKind(file.path);
    if (kind === undefined || !RUNNABLE.includes(kind)) continue;
    texts += 1;
    if (!/cosign|waybill/i.test(file.text)) continue;
    const { shell, problem } = snippetsOf(file);
    if (problem !== undefined) unjudged.push(`${quote(file.path)}: ${problem}`);
    for (const { commands, at } of shell) {
      for (const command of commands) {
        const signing = signingOf(command);
        if (!signing) continue;
        const { line } = at(command.offset, 1);
        if (signing.operands.length === 0) {
          total += 1;
          unjudged.push(`${quote(file.path)}:${line}: what is ${DONE[signing.verb]} is not named there`);
        }
        for (const { text, offset, length } of signing.operands) {
          const naming = namingOf(text);
          if (naming === "other") continue;
          total += 1;
          if (naming === "digest") good += 1;
          else if (naming === "computed")
            unjudged.push(`${quote(file.path)}:${line}: '${quote(text, 60)}' is only known when it runs`);
          else findings.push(finding(file, signing.verb, text, naming, at(offset, length)));
        }
      }
    }
  }
  const coverage =
    total === 0
      ? `no image is signed or verified in ${count(texts, "text")}`
      : `${good} of ${count(total, "signed or verified image")} by digest, in ${count(texts, "text")}`;
  const unread = unreadOf(facts, ["shell", "dockerfile", "makefile", "workflow", "package-json"]);
  return conclude(rule, { findings, unjudged, coverage }, unread);
}

function finding(
  file: TextFile,
  verb: ImageSigning["verb"],
  text: string,
  naming: "tag" | "latest",
  where: NonNullable<Finding["where"]>,
): Finding {
  const image = quote(withoutItsTag(text), 200);
  const pinned =
    textKind(file.path) === "workflow" ? `${image}@\${{ steps.build.outputs.digest }}` : `${image}@$DIGEST`;
  return {
    code: rule.code,
    message: `'${quote(text)}' is ${DONE[verb]} by ${naming === "tag" ? "tag" : "the tag latest"}`,
    path: file.path,
    where,
    label: "whatever the tag points to at that moment",
    expected: pinned,
    found: quote(text, 200),
    why: rule.why,
    fix: `write ${pinned}   with the digest that the build gave: ${
      textKind(file.path) === "workflow"
        ? "an output of docker/build-push-action"
        : "docker buildx build --metadata-file writes it as containerimage.digest"
    }`,
  };
}

/** WB-IMAGE-011. */
export const signedTag: Check = { rule, run };

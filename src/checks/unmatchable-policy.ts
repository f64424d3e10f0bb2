import type { Finding, Rule } from "../core/finding.ts";
import type { Check, FolderFacts } from "./check.ts";
import { conclude, count, placeIn, quote } from "./places.ts";
import { fieldProblems, policiesOf, unjudgeable } from "./policy-identities.ts";
import { textKind, unreadOf } from "./scanned-texts.ts";
import { documentsOf } from "./snippets.ts";

const rule: Rule = {
  code: "WB-CLUSTER-010",
  title: "identities in image policies are ones that certificates carry",
  why: "A policy that names a signer as no certificate does is well formed and admits nothing; whoever must deploy then switches it off. Certificates for workflows name the workflow file and its ref by their whole address, not the sub claim of the token.",
  fix: "write the identity as the certificate states it, as `waybill verify IMAGE` and `cosign verify` print it",
  group: "hygiene",
  blocksAt: "baseline",
  example: {
    file: "policy.yaml",
    bad: 'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nspec:\n  authorities:\n    - keyless:\n        identities:\n          - issuer: https://token.actions.githubusercontent.com\n            subject: "repo:acme/agent:ref:refs/heads/main"',
    good: 'apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nspec:\n  authorities:\n    - keyless:\n        identities:\n          - issuer: https://token.actions.githubusercontent.com\n            subject: "https://github.com/acme/agent/.github/workflows/release.yml@refs/heads/main"',
  },
};

const MENTIONS = /ClusterImagePolicy|verifyImages|ImageValidatingPolicy/;

function run(facts: FolderFacts) {
  const findings: Finding[] = [];
  const unjudged: string[] = [];
  let policies = 0;
  let total = 0;
  let good = 0;
  for (const file of facts.texts) {
    if (textKind(file.path) !== "yaml" || !MENTIONS.test(file.text)) continue;
    const documents = documentsOf(file);
    if (!documents) unjudged.push(`${quote(file.path)}: not YAML that can be read`);
    for (const identities of documents?.flatMap(policiesOf) ?? []) {
      policies += 1;
      for (const identity of identities) {
        total += 1;
        const reason = unjudgeable(identity);
        if (reason !== undefined) {
          const first = Object.values(identity.fields)[0]!;
          const { line } = placeIn(file, first.start, 1);
          unjudged.push(`${quote(file.path)}:${line}: ${reason}`);
          continue;
        }
        const problems = fieldProblems(identity);
        if (problems.length === 0) good += 1;
        for (const { field, problem, corrected } of problems) {
          const { value, start, end } = identity.fields[field]!;
          const instead = corrected && `${corrected.field}: ${yamlText(corrected.value)}`;
          findings.push({
            code: rule.code,
            message: `${field} '${quote(value)}' can match no certificate: ${problem}`,
            path: file.path,
            where: placeIn(file, start, end - start),
            label: "no certificate carries this",
            expected: quote(instead ?? "an identity as the certificate states it", 400),
            found: quote(`${field}: ${value}`, 400),
            why: rule.why,
            fix: instead === undefined ? rule.fix : `write: ${quote(instead, 400)}${capitals(instead)}`,
          });
        }
      }
    }
  }
  const coverage =
    policies === 0
      ? "no policy about signed images in the texts"
      : `${good} of ${count(total, "keyless identity")} can match, in ${count(policies, "policy")}`;
  return conclude(rule, { findings, unjudged, coverage }, unreadOf(facts, ["yaml"]));
}

/** A value as YAML; a regular expression is kept readable in single quotes. */
function yamlText(value: string): string {
  return value.includes("\\") ? `'${value.replaceAll("'", "''")}'` : JSON.stringify(value);
}

function capitals(text: string): string {
  return /\b(?:FILE|ORG|REPO)\b/.test(text) ? "   with your own for what stands in capitals" : "";
}

/** WB-CLUSTER-010. */
export const unmatchablePolicy: Check = { rule, run };

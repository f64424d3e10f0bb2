import { GITHUB, GITLAB, type IdentityProblem, lintIssuer, lintUnmatchable } from "../core/identity-lint.ts";
import { issuerIn, lintIssuerRegExp, lintSubjectRegExp, starsAsRegExp } from "../core/identity-regexp.ts";
import type { YamlDocument, YamlScalar } from "../formats/yaml-nodes.ts";

/** The fields that name a signer, in policy-controller's and in Kyverno's policies. */
const FIELDS = ["issuer", "subject", "issuerRegExp", "subjectRegExp"] as const;
export type IdentityField = (typeof FIELDS)[number];

/** A keyless identity of a policy about images. */
export interface PolicyIdentity {
  fields: Partial<Record<IdentityField, YamlScalar>>;
  /** `*` and `?` in `issuer` and `subject` stand for other characters: Kyverno's `verifyImages`. */
  wildcards: boolean;
}

/** Why no certificate meets a field, and what to write there. */
export interface FieldProblem {
  field: IdentityField;
  problem: string;
  /** The field may be another one: an exact subject with a star becomes `subjectRegExp`. */
  corrected?: { field: IdentityField; value: string };
}

/**
 * The policies about images of a document, also in a `List`: policy-controller's ClusterImagePolicy, Kyverno's
 * Policy and ClusterPolicy with `verifyImages`, and its ImageValidatingPolicy.
 */
export function policiesOf({ scalars }: YamlDocument): PolicyIdentity[][] {
  const versions = new Map<string, string>();
  for (const { path, value } of scalars)
    if (path.at(-1) === "apiVersion") versions.set(JSON.stringify(path.slice(0, -1)), value);
  const roots = scalars.flatMap(({ path, value }) => {
    const root = path.slice(0, -1);
    const group = (versions.get(JSON.stringify(root)) ?? "").split("/")[0]!;
    const isPolicy =
      path.at(-1) === "kind" &&
      (root.length === 0 || (root.length === 2 && root[0] === "items")) &&
      ((/^(?:policy|cosigned)\.sigstore\.dev$/.test(group) && value === "ClusterImagePolicy") ||
        (group === "kyverno.io" && /^(?:Cluster)?Policy$/.test(value)) ||
        (group === "policies.kyverno.io" && /^(?:Namespaced)?ImageValidatingPolicy$/.test(value)));
    return isPolicy ? [{ root, wildcards: group === "kyverno.io" }] : [];
  });
  return roots.flatMap(({ root, wildcards }) => {
    const inside = scalars.filter(
      ({ path }) => root.every((key, i) => path[i] === key) && path[root.length] === "spec",
    );
    if (wildcards && !inside.some(({ path }) => path.includes("verifyImages"))) return [];
    const found = new Map<string, PolicyIdentity>();
    for (const scalar of inside) {
      const { path } = scalar;
      const field = FIELDS.find((name) => name === path.at(-1));
      // Before `attestors`, Kyverno had issuer and subject in the members of `verifyImages` themselves.
      const named = path.includes("keyless") || (wildcards && path.at(-3) === "verifyImages");
      if (!field || !named || scalar.value === "") continue;
      const key = JSON.stringify(path.slice(0, -1));
      const identity = found.get(key) ?? { fields: {}, wildcards };
      identity.fields[field] = scalar;
      found.set(key, identity);
    }
    return [[...found.values()]];
  });
}

/** True where a value is put in by a template or when the policy is deployed. */
export function isComputed({ fields }: PolicyIdentity): boolean {
  return FIELDS.some((field) => /\{\{|\$\{|\$\(/.test(fields[field]?.value ?? ""));
}

/** What in an identity can never match, at most one problem a field. Nothing is run and nothing is fetched. */
export function fieldProblems({ fields, wildcards }: PolicyIdentity): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const { issuer, subject, issuerRegExp, subjectRegExp } = fields;
  const say = (field: IdentityField, problem: string, value?: string, instead = field) =>
    problems.push({
      field,
      problem,
      ...(value === undefined ? {} : { corrected: { field: instead, value } }),
    });
  const wild = (text: string) => wildcards && /[*?]/.test(text);
  const plain = issuer && !wild(issuer.value) ? issuer.value : undefined;
  const wrong = plain === undefined ? undefined : lintIssuer(plain);
  if (wrong) say("issuer", wrong.problem, wrong.corrected.issuer);
  const wrongRegExp = issuerRegExp && lintIssuerRegExp(issuerRegExp.value);
  if (wrongRegExp) say("issuerRegExp", wrongRegExp.problem, wrongRegExp.corrected);
  const meant =
    wrong?.corrected.issuer ??
    plain ??
    (issuerRegExp && issuerIn(wrongRegExp?.corrected ?? issuerRegExp.value)) ??
    claimant(subject?.value ?? subjectRegExp?.value);
  const otherIssuer = (problem: string, corrected: string) =>
    issuer || !issuerRegExp
      ? say(issuer ? "issuer" : "subject", problem, corrected, "issuer")
      : say("issuerRegExp", problem, starsAsRegExp(corrected));

  for (const [field, scalar] of [
    ["subject", subject],
    ["subjectRegExp", subjectRegExp],
  ] as const) {
    if (!scalar) continue;
    const { value } = scalar;
    if (field === "subject" && !wild(value)) {
      const told = exactProblem(value, meant);
      if (told?.corrected?.issuer !== undefined) otherIssuer(told.problem, told.corrected.issuer);
      else if (told?.corrected?.pattern !== undefined) {
        const source = starsAsRegExp(told.corrected.pattern);
        say(field, told.problem, lintSubjectRegExp(source, meant)?.corrected ?? source, "subjectRegExp");
      } else if (told) say(field, told.problem, told.corrected?.subject);
      continue;
    }
    const source = field === "subject" ? starsAsRegExp(value).replaceAll("\\?", ".") : value;
    const told = lintSubjectRegExp(source, meant);
    if (told?.issuer !== undefined) otherIssuer(told.problem, told.issuer);
    else if (told) say(field, told.problem, told.corrected, "subjectRegExp");
  }
  return problems;
}

const CLAIM = /^\^?(?:repo:[^:/]+\/[^:]+:|project_path:[^:]+:)/;

/** Whose claim a subject is, where no issuer says it. */
function claimant(subject: string | undefined): string | undefined {
  if (subject === undefined || !CLAIM.test(subject)) return undefined;
  return subject.includes("project_path:") ? GITLAB : GITHUB;
}

/** The problem that says most: that a star is none of the claim's faults. */
function exactProblem(subject: string, issuer: string | undefined): IdentityProblem | undefined {
  const problems = lintUnmatchable({ subject, ...(issuer === undefined ? {} : { issuer }) });
  return CLAIM.test(subject) ? problems.at(-1) : problems[0];
}

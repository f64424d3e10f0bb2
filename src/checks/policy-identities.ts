import { GITHUB, GITLAB, type IdentityProblem, lintIssuer, lintUnmatchable } from "../core/identity-lint.ts";
import { MAX_IDENTITY } from "../core/identity-pattern.ts";
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
  const objects = new Map<string, { version: string; kind: string; verifies: boolean }>();
  const objectOf = (path: YamlScalar["path"]) => {
    const key = path[0] === "items" ? `items ${path[1]}` : "";
    const known = objects.get(key) ?? { version: "", kind: "", verifies: false };
    objects.set(key, known);
    return known;
  };
  const identities = new Map<string, PolicyIdentity & { object: object }>();
  for (const scalar of scalars) {
    const { path, value } = scalar;
    const object = objectOf(path);
    const inside = path[0] === "items" ? path.slice(2) : path;
    if (inside.length === 1 && inside[0] === "apiVersion") object.version = value;
    if (inside.length === 1 && inside[0] === "kind") object.kind = value;
    if (inside[0] !== "spec") continue;
    if (inside[3] === "verifyImages") object.verifies = true;
    const field = FIELDS.find((name) => name === path.at(-1));
    // Before `attestors`, Kyverno had issuer and subject in the members of `verifyImages` themselves.
    if (!field || value === "" || !(path.includes("keyless") || path.at(-3) === "verifyImages")) continue;
    const key = JSON.stringify(path.slice(0, -1));
    const identity = identities.get(key) ?? { fields: {}, wildcards: false, object };
    identity.fields[field] = scalar;
    identities.set(key, identity);
  }
  const policies = new Map<object, PolicyIdentity[]>();
  for (const object of objects.values()) if (isPolicy(object)) policies.set(object, []);
  for (const { fields, object } of identities.values()) {
    const wildcards = (object as { version: string }).version.startsWith("kyverno.io/");
    policies.get(object)?.push({ fields, wildcards });
  }
  return [...policies.values()];
}

function isPolicy({
  version,
  kind,
  verifies,
}: {
  version: string;
  kind: string;
  verifies: boolean;
}): boolean {
  const group = version.split("/")[0];
  if (group === "policy.sigstore.dev" || group === "cosigned.sigstore.dev")
    return kind === "ClusterImagePolicy";
  if (group === "kyverno.io") return verifies && /^(?:Cluster)?Policy$/.test(kind);
  return group === "policies.kyverno.io" && /^(?:Namespaced)?ImageValidatingPolicy$/.test(kind);
}

/** Why an identity cannot be judged: it is put in by a template or later, or it is longer than any; or undefined. */
export function unjudgeable({ fields }: PolicyIdentity): string | undefined {
  const values = FIELDS.map((field) => fields[field]?.value ?? "");
  if (values.some((value) => /\{\{|\$\{|\$\(/.test(value)))
    return "an identity that is put in when it is deployed";
  return values.some((value) => value.length > MAX_IDENTITY)
    ? "an identity of over 1,024 characters"
    : undefined;
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

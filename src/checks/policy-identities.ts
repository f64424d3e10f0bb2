import { asRegExp, known, lintIssuerRegExp, lintSubjectRegExp } from "../core/identity-regexp.ts";
import { GITHUB, GITLAB, type IdentityProblem, lintUnmatchable } from "../core/identity-lint.ts";
import { literalStart } from "../core/identity-pattern.ts";
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
  const wild = (text: string) => wildcards && /[*?]/.test(text);
  const stated = fields.issuer?.value;
  const issuer = stated !== undefined && wild(stated) ? undefined : stated;
  const pattern = fields.issuerRegExp?.value;
  if (pattern !== undefined) {
    const told = lintIssuerRegExp(pattern);
    if (told) problems.push({ field: "issuerRegExp", ...replaced("issuerRegExp", told) });
  }
  const subject = fields.subject?.value;
  const about = issuer ?? (pattern === undefined ? undefined : known(pattern)) ?? claimed(subject, stated, pattern);
  const exact: IdentityProblem[] =
    subject === undefined || wild(subject)
      ? lintUnmatchable({ ...(issuer === undefined ? {} : { issuer }) })
          .filter(({ corrected }) => corrected?.issuer !== undefined && subject === undefined)
          .concat(subject === undefined ? [] : lintWildcards(subject, about))
      : lintUnmatchable({ subject, ...(about === undefined ? {} : { issuer: about }) });
  return [...problems, ...tellExact(exact, fields, wildcards), ...tellSubjectRegExp(fields, about)];
}

import type { Rule } from "./finding.ts";
import { literalStart } from "./identity-pattern.ts";

/** A mistake in an identity that trust names is a finding of its own: the policy is well formed and does nothing. */
export const IDENTITY_RULE = {
  code: "WB-TRUST-012",
  group: "trust",
  title: "every identity in the trust policy can match a certificate, and only its own",
  why: "An identity that no certificate ever carries trusts nobody, and nothing says so until a release is refused. One that matches too much trusts strangers.",
  fix: "write the identity as its issuer writes it: waybill trust add --identity SUBJECT --issuer URL",
  blocksAt: "strict",
} as const satisfies Rule;

/** Who issues the tokens of GitHub's workflows, and of GitLab's jobs. */
export const GITHUB = "https://token.actions.githubusercontent.com";
export const GITLAB = "https://gitlab.com";
/** Issuers of people's certificates: the subject is an e-mail address. */
export const PEOPLE: readonly string[] = [
  "https://github.com/login/oauth",
  "https://accounts.google.com",
  "https://login.microsoftonline.com",
  "https://oauth2.sigstore.dev/auth",
];

/** An identity as a policy states it. */
export interface StatedIdentity {
  issuer?: string;
  subject?: string;
  pattern?: string;
}

/** Why an identity never matches, or matches too much. */
export interface IdentityProblem {
  /** Lower case, no full stop. */
  problem: string;
  /** What is probably meant; parts that nobody can know stand in capitals. */
  corrected?: { issuer?: string; subject?: string; pattern?: string };
}

/**
 * Holds an identity against what Fulcio really writes into certificates (fulcio docs/oidc.md and
 * docs/certificate-specification.md): for GitHub the URI of the workflow file and its ref, for GitLab that of the
 * pipeline's definition with a double slash, for people their e-mail address. Of issuers that are not known it says
 * only what holds for all.
 *
 * @returns every problem; none for an identity that can match
 */
export function lintIdentity(identity: StatedIdentity): IdentityProblem[] {
  const { issuer, problems } = neverMatching(identity);
  const width = identity.pattern === undefined ? [] : lintWidth(issuer, identity.pattern.trim());
  return [...problems, ...width];
}

/** Only why it never matches; a pattern that matches too much is none of it. */
export function lintUnmatchable(identity: StatedIdentity): IdentityProblem[] {
  return neverMatching(identity).problems;
}

/** The problems, and the issuer that is probably meant. */
function neverMatching(identity: StatedIdentity): { issuer?: string; problems: IdentityProblem[] } {
  const name = identity.subject ?? identity.pattern ?? "";
  const problems: IdentityProblem[] = [];
  const wrong = identity.issuer === undefined ? undefined : lintIssuer(identity.issuer);
  if (wrong) problems.push(wrong);
  const issuer = wrong?.corrected.issuer ?? identity.issuer;
  if (name !== name.trim())
    problems.push({ problem: "it begins or ends with white space", corrected: named(identity, name.trim()) });
  const said = name.trim();
  if (identity.subject?.includes("*"))
    problems.push({
      problem: "a star in an exact subject stands for itself",
      corrected: { pattern: said },
    });
  if (issuer === GITHUB) problems.push(...lintGithub(identity, said));
  else if (issuer === GITLAB) problems.push(...lintGitlab(identity, said));
  else if (issuer !== undefined && PEOPLE.includes(issuer)) problems.push(...lintPerson(issuer, said));
  return issuer === undefined ? { problems } : { issuer, problems };
}

/** Why an issuer's address is none that a certificate states, or undefined. */
export function lintIssuer(issuer: string): { problem: string; corrected: { issuer: string } } | undefined {
  const say = (problem: string, corrected: string) => ({ problem, corrected: { issuer: corrected } });
  const bare = issuer.replace(/\/+$/, "");
  const known = [GITHUB, GITLAB, ...PEOPLE];
  if (bare !== issuer && known.includes(bare))
    return say("the issuer states itself without a slash at its end", bare);
  if (!/^https?:\/\//.test(issuer)) return say("the issuer is an address with https://", `https://${bare}`);
  if (bare === "https://github.com" || bare === "https://api.github.com")
    return say("this is not who issues the tokens of GitHub's workflows", GITHUB);
  const lower = known.find((one) => one !== issuer && one === issuer.toLowerCase());
  return lower === undefined ? undefined : say("issuers are compared exactly, letters too", lower);
}

/** `repo:ORG/REPO:ref:REF`, `repo:ORG/REPO:environment:NAME`: the `sub` claim of a workflow's token. */
const GITHUB_SUB = /^repo:([^:]+?)\/([^:]+?):(?:ref:(.+)|.*)$/;
const GITHUB_SAN = /^https:\/\/github\.com\/[^/]+\/[^/]+\/.+@.+$/;

function lintGithub(identity: StatedIdentity, name: string): IdentityProblem[] {
  const fix = (text: string) => named(identity, text);
  const sub = GITHUB_SUB.exec(name);
  if (sub) {
    const [, org, repo, ref] = sub;
    const corrected = `https://github.com/${org}/${repo}/.github/workflows/FILE.yml@${ref ?? "refs/heads/main"}`;
    return [
      {
        problem: "this is the sub claim of a workflow's token; a certificate names the workflow file",
        corrected: fix(corrected),
      },
    ];
  }
  if (name.includes("@") && !name.includes("/"))
    return [
      {
        problem: "an e-mail address belongs to people; a workflow's certificate names the workflow file",
        corrected: { issuer: "https://github.com/login/oauth" },
      },
    ];
  if (
    /^(?:\*\*|[^*]*\*\*)$/.test(name) &&
    identity.pattern !== undefined &&
    name.startsWith("https://github.com/")
  )
    return [];
  const full = name
    .replace(/^http:\/\//, "https://")
    .replace(/^(?!https:\/\/)(?:github\.com\/)?/, "https://github.com/")
    .replace(/@(?!refs\/|[0-9a-f]{40}$|.*\*)(?:(v\d[^/]*)|(.+))$/, (_, tag, branch) =>
      tag === undefined ? `@refs/heads/${branch}` : `@refs/tags/${tag}`,
    );
  if (!full.includes("@") && !full.includes("**"))
    return [
      {
        problem: "a certificate names the ref too, after an @",
        corrected: fix(
          /\.ya?ml$/.test(full)
            ? `${full}@refs/heads/main`
            : `${full.replace(/\/+$/, "")}/.github/workflows/FILE.yml@refs/heads/main`,
        ),
      },
    ];
  if (full === name && (GITHUB_SAN.test(name) || identity.pattern !== undefined)) return [];
  if (full === name)
    return [
      {
        problem: "not the name of a workflow file at a ref",
        corrected: fix("https://github.com/ORG/REPO/.github/workflows/FILE.yml@refs/heads/main"),
      },
    ];
  const why = name.startsWith("https://github.com/")
    ? "a certificate names the whole ref: refs/heads/BRANCH or refs/tags/TAG"
    : "a certificate names the workflow file by its whole address";
  return [{ problem: why, corrected: fix(full) }];
}

/** `project_path:GROUP/PROJECT:ref_type:branch:ref:BRANCH`: the `sub` claim of a job's token. */
const GITLAB_SUB = /^project_path:([^:]+):ref_type:(branch|tag):ref:(.+)$/;

function lintGitlab(identity: StatedIdentity, name: string): IdentityProblem[] {
  const fix = (text: string) => named(identity, text);
  const sub = GITLAB_SUB.exec(name);
  if (sub) {
    const ref = `refs/${sub[2] === "tag" ? "tags" : "heads"}/${sub[3]}`;
    return [
      {
        problem: "this is the sub claim of a job's token; a certificate names the pipeline's definition",
        corrected: fix(`https://gitlab.com/${sub[1]}//.gitlab-ci.yml@${ref}`),
      },
    ];
  }
  if (name.includes("**")) return [];
  const prefixed = name
    .replace(/^http:\/\//, "https://")
    .replace(/^(?!https:\/\/)(?:gitlab\.com\/)?/, "https://gitlab.com/");
  // The path of the definition follows two slashes; one makes it look like a part of the project's path.
  const doubled = /^https:\/\/[^/]+\/.*\/\//.test(prefixed)
    ? prefixed
    : prefixed.includes(".yml")
      ? prefixed.replace(/\/([^/@]*\.ya?ml)(?=@|$)/, "//$1")
      : `${prefixed.replace(/(?:\/)?(@.*)?$/, "")}//.gitlab-ci.yml${/@.*$/.exec(prefixed)?.[0] ?? ""}`;
  const full = doubled.includes("@")
    ? doubled.replace(/@(?!refs\/|.*\*)(.+)$/, "@refs/heads/$1")
    : `${doubled}@refs/heads/main`;
  if (full === name) return [];
  return [
    {
      problem: "a certificate names the pipeline's definition after two slashes, and the whole ref",
      corrected: fix(full),
    },
  ];
}

function lintPerson(issuer: string, name: string): IdentityProblem[] {
  if (name.includes("@") && !name.includes("://")) return [];
  if (
    issuer === "https://github.com/login/oauth" &&
    name.startsWith("https://github.com/") &&
    name.includes("@")
  )
    return [
      {
        problem: "this issuer certifies people; workflows have another one",
        corrected: { issuer: GITHUB },
      },
    ];
  return [{ problem: "this issuer certifies people: the subject is an e-mail address" }];
}

/** A pattern that strangers can meet. */
function lintWidth(issuer: string | undefined, pattern: string): IdentityProblem[] {
  const problems: IdentityProblem[] = [];
  const start = literalStart(pattern);
  const forge =
    issuer === GITHUB ? "https://github.com/" : issuer === GITLAB ? "https://gitlab.com/" : undefined;
  if (forge !== undefined) {
    const owner = start.startsWith(forge) ? start.slice(forge.length) : "";
    if (!owner.includes("/"))
      problems.push({
        problem:
          owner === ""
            ? "it matches the workflows of everyone at this issuer"
            : `it matches every owner whose name begins with ${owner}`,
        corrected: {
          pattern: `${forge}${owner || "ORG"}/${pattern.slice(start.length).replace(/^\*+\/?/, "") || "**"}`,
        },
      });
    // A branch may be called x@refs/heads/main: then what follows the last @ is not the ref.
    const wide = pattern.indexOf("**");
    const at = pattern.lastIndexOf("@refs/");
    if (wide !== -1 && at > wide)
      problems.push({
        problem: "** before the @ also matches a branch whose own name ends like this",
        corrected: { pattern: `${workflows(forge, pattern.slice(0, wide))}${pattern.slice(at)}` },
      });
  } else if (/^\*+$/.test(pattern)) problems.push({ problem: "it matches everyone at this issuer" });
  else if (/^https?:\/\/[^/]*\*/.test(pattern))
    problems.push({ problem: "a wildcard in the host matches strangers' hosts" });
  return problems;
}

/** Workflow files below a literal start, each path segment with a wildcard of its own. */
function workflows(forge: string, start: string): string {
  if (start.includes("/.github/workflows/") || start.includes("//.")) return `${start}*`;
  const [owner = "ORG", repo = "*"] = start.slice(forge.length).split("/").filter(Boolean);
  const file = forge === "https://gitlab.com/" ? "/.gitlab-ci.yml" : ".github/workflows/*";
  return `${forge}${owner}/${repo}/${file}`;
}

function named(identity: StatedIdentity, name: string): { subject?: string; pattern?: string } {
  return identity.subject !== undefined && !name.includes("*") ? { subject: name } : { pattern: name };
}

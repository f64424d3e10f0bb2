import { GITHUB, GITLAB, lintIssuer, PEOPLE } from "./identity-lint.ts";

/** A regular expression of another tool's policy that no name can meet. `corrected` is the whole expression. */
export interface RegExpProblem {
  problem: string;
  corrected?: string;
  /** Where not the expression but the issuer beside it is wrong. */
  issuer?: string;
}

const KNOWN = [GITHUB, GITLAB, ...PEOPLE];
/** Longer ones are not looked at. */
const MAX_SOURCE = 1024;

/** What an expression says literally, from its start. */
interface Literal {
  /** It holds on to the start and to the end of the text. */
  start: boolean;
  end: boolean;
  text: string;
  /** True where nothing else is in it. */
  whole: boolean;
}

/**
 * Holds a regular expression for issuers against the issuers that Fulcio knows. It is read, never run: only what
 * stands in it literally is judged, an unescaped dot taken for a dot, and alternatives are left alone.
 */
export function lintIssuerRegExp(source: string): RegExpProblem | null {
  const literal = literalOf(source);
  if (!literal?.whole || literal.text === "" || KNOWN.some((issuer) => meets(literal, issuer))) return null;
  if (!literal.start && !literal.text.includes("://")) return null;
  const told = lintIssuer(literal.text);
  return told ? { problem: told.problem, corrected: `^${escaped(told.corrected.issuer)}$` } : null;
}

/** The known issuer that an expression spells out, with or without its scheme. */
export function issuerIn(source: string): string | undefined {
  const literal = literalOf(source);
  if (!literal?.whole) return undefined;
  return KNOWN.find((issuer) => literal.text === issuer || literal.text === issuer.replace("https://", ""));
}

function meets({ start, end, text }: Literal, issuer: string): boolean {
  if (start && end) return issuer === text;
  if (start) return issuer.startsWith(text);
  return end ? issuer.endsWith(text) : issuer.includes(text);
}

/** The same for subjects, of which an issuer's certificates have known forms; of other issuers nothing is said. */
export function lintSubjectRegExp(source: string, issuer: string | undefined): RegExpProblem | null {
  const literal = literalOf(source);
  if (!literal || issuer === undefined) return null;
  if (PEOPLE.includes(issuer)) return lintPeople(literal, issuer);
  if (issuer !== GITHUB && issuer !== GITLAB) return null;
  return lintClaim(source, issuer) ?? lintAddress(source, literal, issuer);
}

/** `repo:…` and `project_path:…` are claims of tokens. No certificate holds one, wherever the expression looks. */
function lintClaim(source: string, issuer: string): RegExpProblem | null {
  const claim =
    issuer === GITHUB
      ? /^\^?(repo:)([^:]+):(?:ref:(.+?)|.*?)\$?$/.exec(source)
      : /^\^?(project_path:)([^:]+):(?:.*?:ref:(.+?)|.*?)\$?$/.exec(source);
  if (!claim) return null;
  const [, name, path, ref] = claim;
  const tail = issuer === GITHUB ? "/\\.github/workflows/FILE\\.yml" : "//\\.gitlab-ci\\.yml";
  const full = ref === undefined ? "refs/heads/main" : ref.startsWith("refs/") ? ref : `refs/heads/${ref}`;
  return {
    problem: `${name!.slice(0, -1)}:… is a claim of the token; a certificate names the file that defines the job`,
    corrected: `^${escaped(forgeOf(issuer))}${path}${tail}@${full}$`,
  };
}

function lintAddress(source: string, { start, text }: Literal, issuer: string): RegExpProblem | null {
  const forge = forgeOf(issuer);
  if (start && !text.startsWith(forge) && !forge.startsWith(text)) {
    const host = new RegExp(`^(?:https?:\\\\?/\\\\?/)?${forge.slice(8, -5)}\\\\?\\.com\\\\?/`);
    const rest = source.slice(1);
    const problem = "a certificate names the file that defines the job by its whole address";
    if (!host.test(rest)) return { problem, corrected: `^${escaped(forge)}ORG/REPO/` };
    return { problem, corrected: `^${escaped(forge)}${rest.replace(host, "")}` };
  }
  if (/\.ya?ml\$$/.test(source) && !source.includes("@"))
    return {
      problem: "a certificate names the ref too, after an @",
      corrected: `${source.slice(0, -1)}@refs/heads/main$`,
    };
  return null;
}

function lintPeople({ text }: Literal, issuer: string): RegExpProblem | null {
  if (!text.includes("://")) return null;
  if (issuer === "https://github.com/login/oauth" && text.startsWith("https://github.com/"))
    return { problem: "this issuer certifies people; workflows have another one", issuer: GITHUB };
  return { problem: "this issuer certifies people: the subject is an e-mail address" };
}

/** Reads up to the first thing that is more than a letter; null for alternatives and for what is too long. */
function literalOf(source: string): Literal | null {
  if (source.length > MAX_SOURCE || source.includes("|")) return null;
  const start = source.startsWith("^");
  let text = "";
  for (let at = start ? 1 : 0; at < source.length; at += 1) {
    let char = source[at]!;
    if (char === "$" && at === source.length - 1) return { start, end: true, text, whole: true };
    if (char === "\\") {
      at += 1;
      char = source[at] ?? "";
      // `\d`, `\w`, `\Q` are no letters.
      if (char === "" || /[A-Za-z0-9]/.test(char)) return { start, end: false, text, whole: false };
    } else if ("^$*+?()[]{}".includes(char)) return { start, end: false, text, whole: false };
    // What a quantifier follows may be missing.
    if ("*+?{".includes(source[at + 1] || " ")) return { start, end: false, text, whole: false };
    text += char;
  }
  return { start, end: false, text, whole: true };
}

/**
 * A name with stars as an expression for all of it. What stands before an `@` holds none: a branch may be called
 * `x@refs/heads/main`.
 */
export function starsAsRegExp(name: string): string {
  const parts = name.split(/\*+/);
  const body = parts.map((part, i) => {
    if (i === 0) return escaped(part);
    return `${parts.slice(i).join("").includes("@") ? "[^@]*" : ".*"}${escaped(part)}`;
  });
  return `^${body.join("")}$`;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function forgeOf(issuer: string): string {
  return issuer === GITHUB ? "https://github.com/" : "https://gitlab.com/";
}

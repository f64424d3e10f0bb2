/** One challenge of a WWW-Authenticate header (RFC 9110 §11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  scheme: string;
  /** By lower-case name. */
  parameters: Readonly<Record<string, string>>;
}

const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";
const PARAMETER = new RegExp(`^(${TOKEN})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))`);
const SCHEME = new RegExp(`^(${TOKEN})(?=[ \\t]|,|$)`);

/** Largest header that is read, in characters. */
const MAX_HEADER = 8192;

/** Reads the challenges of a header, several joined by commas included; what is not understood ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  let rest = header.length > MAX_HEADER ? "" : header.trim();
  while (rest !== "") {
    const parameter = PARAMETER.exec(rest);
    const current = challenges.at(-1);
    if (parameter && current) {
      const value = parameter[2]?.replace(/\\(.)/g, "$1") ?? parameter[3]!;
      const name = parameter[1]!.toLowerCase();
      // The first of two counts: a second realm must not replace the one that was judged.
      if (!Object.hasOwn(current.parameters, name)) current.parameters[name] = value;
      rest = rest.slice(parameter[0].length);
    } else {
      const scheme = SCHEME.exec(rest);
      if (!scheme) break;
      challenges.push({ scheme: scheme[1]!.toLowerCase(), parameters: Object.create(null) });
      rest = rest.slice(scheme[0].length);
    }
    rest = rest.replace(/^[ \t]*,?[ \t]*/, "");
  }
  return challenges;
}

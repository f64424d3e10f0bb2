/** Longest pattern and longest subject that are compared, in characters. */
export const MAX_IDENTITY = 1024;

/**
 * Whether a pattern matches a whole subject. `*` stands for any characters but `/`, `**` for any characters at
 * all; everything else for itself. There are no regular expressions and nothing can be escaped: the time is at
 * most the product of the two lengths, whatever a certificate holds (docs/formats/trust.md#patterns).
 *
 * @param subject from a certificate; over 1,024 characters it matches nothing
 */
export function matchesPattern(pattern: string, subject: string): boolean {
  if (subject.length > MAX_IDENTITY || pattern.length > MAX_IDENTITY) return false;
  const tokens = pattern.match(/\*\*+|\*|[^*]+/g) ?? [];
  // The positions of the subject up to which the tokens so far can reach.
  let reached = new Set([0]);
  for (const token of tokens) {
    const next = new Set<number>();
    if (!token.startsWith("*")) {
      for (const at of reached) if (subject.startsWith(token, at)) next.add(at + token.length);
    } else if (token.length > 1) {
      const from = Math.min(...reached);
      for (let at = from; at <= subject.length; at += 1) next.add(at);
    } else
      for (const from of reached)
        for (let at = from; at <= subject.length && !next.has(at); at += 1) {
          next.add(at);
          if (subject[at] === "/") break;
        }
    if (next.size === 0) return false;
    reached = next;
  }
  return reached.has(subject.length);
}

/** The text before the first wildcard of a pattern: what every subject that it matches begins with. */
export function literalStart(pattern: string): string {
  const star = pattern.indexOf("*");
  return star === -1 ? pattern : pattern.slice(0, star);
}

const TAG = /<[^<>]{0,200}>/g;
const LINK = /!?\[([^\][]{0,200})\]\([^()]{0,500}\)/g;
const URL = /\b(?:https?|ftp|javascript|data):\S+/gi;

/** Longest question that the agent reads, in UTF-16 units. */
export const MAX_QUESTION = 1000;

/**
 * One line of plain text: compatibility forms folded, invisible and control characters, tags, link targets
 * and addresses removed. The question cannot bring markup or line breaks into prompt, ticket or answer.
 */
export function plainText(question: string): string {
  return question
    .toWellFormed()
    .normalize("NFKC")
    .replace(/\p{Cf}/gu, "")
    .replace(/\p{Cc}|[\u2028\u2029]/gu, " ")
    .replace(LINK, "$1")
    .replace(TAG, " ")
    .replace(URL, " ")
    .replace(/\s+/g, " ")
    .trim();
}

/** The order number and the postcode that a question names, each null if it names none. */
export function orderReference(text: string): { order: string | null; postcode: string | null } {
  const order = /\bHB-?(\d{5})(?!\d)/i.exec(text)?.[1];
  const rest = text.replace(/\bHB-?\d+/gi, " ");
  const postcode = /(?<!\d)\d{4}(?!\d)/.exec(rest)?.[0];
  return { order: order ? `HB-${order}` : null, postcode: postcode ?? null };
}

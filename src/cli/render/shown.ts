import { safeText } from "../../core/safe-text.ts";

/**
 * Makes text of unknown origin safe for a terminal and for the log of a CI runner: a word that begins with `::`,
 * or `##[` anywhere, would be a command to GitHub's runner once it stands at the beginning of a line.
 */
export function shown(text: string): string {
  return safeText(text)
    .replace(/(^|\s)::/g, "$1\\u{3a}:")
    .replaceAll("##[", "##\\u{5b}");
}

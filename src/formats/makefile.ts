import { maskTo, type Piece } from "./mask.ts";

/**
 * The recipes of a Makefile as one shell text of the same length: `$(NAME)` becomes `${NAME}`, `$$` a shell's
 * `$`, the prefixes `@`, `-` and `+` are blank.
 *
 * @returns the text and the variables that are assigned a plain value
 */
export function makefileRecipes(text: string): { text: string; variables: Map<string, string> } {
  const pieces: Piece[] = [];
  const variables = new Map<string, string>();
  let start = 0;
  let continued = false;
  for (const line of text.split("\n")) {
    const recipe: boolean = line.startsWith("\t") || (continued && pieces.length > 0);
    if (recipe) {
      const shell = line
        .replace(/^[\t ]{0,200}[@+-]{1,3}/, (prefix) => " ".repeat(prefix.length))
        .replace(/\$\(([A-Za-z_][A-Za-z0-9_]{0,99})\)/g, "$${$1}")
        .replaceAll("$$", "\0$");
      pieces.push({ start, end: start + line.length, text: shell });
    } else {
      const assigned =
        /^(?:export )?([A-Za-z_][A-Za-z0-9_]{0,99})[ \t]{0,50}(?:::?|\?)?=[ \t]{0,50}(\S{0,512})[ \t\r]{0,50}$/.exec(
          line,
        );
      if (assigned && !assigned[2]!.includes("$")) variables.set(assigned[1]!, assigned[2]!);
    }
    continued = recipe && line.trimEnd().endsWith("\\");
    start += line.length + 1;
  }
  return { text: maskTo(text, pieces), variables };
}

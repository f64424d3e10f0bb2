/** A part of a text that is kept where the rest is blanked. */
export interface Piece {
  start: number;
  end: number;
  /** Stands in place of the part; as long as the part. */
  text?: string;
}

/**
 * The text with everything outside the pieces blank, line ends excepted, so that offsets and lines stay true;
 * a line end before each piece parts it from the one before.
 */
export function maskTo(text: string, pieces: readonly Piece[]): string {
  const out: string[] = [];
  let at = 0;
  for (const piece of pieces.toSorted((a, b) => a.start - b.start)) {
    if (piece.start < at || piece.end < piece.start) continue;
    if (piece.start > at) out.push(blank(text.slice(at, piece.start - 1)), "\n");
    out.push(piece.text ?? text.slice(piece.start, piece.end));
    at = piece.end;
  }
  out.push(blank(text.slice(at)));
  return out.join("");
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

/** Lines longer than this are cut in a diff. */
const MAX_LINE = 160;

/**
 * A small line diff for people: common beginning and end are left out, one line of context stays, removed
 * lines come before added ones. Not minimal: what matters is that every changed line is seen. Linear time.
 *
 * @param before the pinned text
 * @param after the text found
 * @param maxLines how many lines at the most; the rest is counted in a last line
 */
export function diffLines(before: string, after: string, maxLines = 16): string[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end])
    end += 1;
  const removed = a.slice(start, a.length - end).map((line) => `- ${cut(line)}`);
  const added = b.slice(start, b.length - end).map((line) => `+ ${cut(line)}`);
  const context = (line: string | undefined): string[] => (line === undefined ? [] : [`  ${cut(line)}`]);
  const body = [...removed, ...added];
  const shown =
    body.length > maxLines ? [...take(removed, maxLines / 2), ...take(added, maxLines / 2)] : body;
  const hidden = body.length - shown.length;
  return [
    `@@ line ${start + 1} @@`,
    ...context(start > 0 ? a[start - 1] : undefined),
    ...shown,
    ...(hidden > 0 ? [`  … ${hidden} more changed lines`] : []),
    ...context(end > 0 ? a[a.length - end] : undefined),
  ];
}

function take<T>(items: readonly T[], count: number): T[] {
  return items.slice(0, Math.floor(count));
}

function cut(line: string): string {
  return line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}…` : line;
}

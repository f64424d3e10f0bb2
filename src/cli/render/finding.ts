import type { Finding } from "../../core/finding.ts";
import { safeText } from "../../core/safe-text.ts";
import type { Paint } from "../io.ts";

/** Renders one finding: what, where with the source shown, expected and found aligned, why, and the fix. */
export function renderFinding(
  finding: Finding,
  options: { paint: Paint; width: number; severity: "error" | "note"; sources: ReadonlyMap<string, string> },
): string {
  const { paint, width, severity } = options;
  const colour = severity === "error" ? "red" : "yellow";
  const head = `${severity}[${finding.code}]: ${safeText(finding.message)}`;
  const lines = wrap(head, width, "  ");
  lines[0] = lines[0]!.replace(`${severity}[${finding.code}]`, (label) => paint(colour, label));
  lines.push(...place(finding, options));
  const pairs = [
    ...(finding.expected === undefined ? [] : [["expected", finding.expected] as const]),
    ...(finding.found === undefined ? [] : [["found", finding.found] as const]),
  ];
  for (const [label, value] of pairs) lines.push(`   ${label.padEnd(8)}  ${safeText(value)}`);
  for (const detail of finding.details ?? []) lines.push(`   ${paintDiff(safeText(detail), paint)}`);
  lines.push(...labelled("why", finding.why, width, paint), ...labelled("fix", finding.fix, width, paint));
  return `${lines.join("\n")}\n`;
}

function place(
  finding: Finding,
  { paint, sources }: { paint: Paint; sources: ReadonlyMap<string, string> },
): string[] {
  const { where } = finding;
  if (!where)
    return finding.path === undefined ? [] : [`  ${paint("cyan", "-->")} ${safeText(finding.path)}`];
  const lines = [`  ${paint("cyan", "-->")} ${safeText(where.file)}:${where.line}:${where.column}`];
  const source = sources.get(where.file)?.split("\n")[where.line - 1];
  if (source === undefined) return lines;
  const number = String(where.line);
  const gutter = " ".repeat(number.length);
  const shown = source.length > 160 ? `${source.slice(0, 160)}…` : source;
  const marks = Math.max(1, Math.min(where.length, shown.length - where.column + 1, 60));
  lines.push(
    ` ${gutter} ${paint("cyan", "|")}`,
    ` ${number} ${paint("cyan", "|")} ${safeText(shown.replaceAll("\t", " "))}`,
    ` ${gutter} ${paint("cyan", "|")} ${" ".repeat(where.column - 1)}${paint("red", "^".repeat(marks))}${finding.label ? ` ${safeText(finding.label)}` : ""}`,
  );
  return lines;
}

function labelled(label: string, text: string, width: number, paint: Paint): string[] {
  const [first, ...rest] = wrap(safeText(text), width - 6, "");
  return [` ${paint("dim", label)}  ${first ?? ""}`, ...rest.map((line) => `      ${line}`)];
}

function paintDiff(line: string, paint: Paint): string {
  if (line.startsWith("- ")) return paint("red", line);
  return line.startsWith("+ ") ? paint("green", line) : line;
}

/** Breaks a text at spaces into lines of at most `width` characters; a longer word stays whole, to be copied. */
export function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const next = line === "" ? word : `${line} ${word}`;
    if (line !== "" && next.length > width) {
      lines.push(line);
      line = indent + word;
    } else line = next;
  }
  return [...lines, line];
}

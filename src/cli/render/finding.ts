import type { Finding } from "../../core/finding.ts";
import { NOT_SHOWN } from "../../verify/lock-steps.ts";
import type { Paint } from "../io.ts";
import { shown } from "./shown.ts";

/** Source lines are cut to about this many characters around the marked place. */
const MAX_SOURCE = 160;

/** Renders one finding: what, where with the source shown, expected and found aligned, why, and the fix. */
export function renderFinding(
  finding: Finding,
  options: { paint: Paint; width: number; severity: "error" | "note"; sources: ReadonlyMap<string, string> },
): string {
  const { paint, width, severity } = options;
  const colour = severity === "error" ? "red" : "yellow";
  const head = `${severity}[${finding.code}]: ${shown(finding.message)}`;
  const lines = wrap(head, width, "  ");
  lines[0] = lines[0]!.replace(`${severity}[${finding.code}]`, (label) => paint(colour, label));
  lines.push(...place(finding, options));
  const pairs = [
    ...(finding.expected === undefined ? [] : [["expected", finding.expected] as const]),
    ...(finding.found === undefined ? [] : [["found", finding.found] as const]),
  ];
  for (const [label, value] of pairs) lines.push(`   ${label.padEnd(8)}  ${shown(value)}`);
  const details = finding.details ?? [];
  // The context after a change at the end of a text is the empty line behind its last newline.
  for (const detail of details.at(-1)?.trim() === "" ? details.slice(0, -1) : details)
    lines.push(`   ${paint("cyan", "|")} ${paintDiff(shown(detail), paint)}`.trimEnd());
  lines.push(...labelled("why", finding.why, width, paint), ...labelled("fix", finding.fix, width, paint));
  return `${lines.join("\n")}\n`;
}

function place(
  finding: Finding,
  { paint, sources }: { paint: Paint; sources: ReadonlyMap<string, string> },
): string[] {
  const { where } = finding;
  if (!where) return finding.path === undefined ? [] : [`  ${paint("cyan", "-->")} ${shown(finding.path)}`];
  const lines = [`  ${paint("cyan", "-->")} ${shown(where.file)}:${where.line}:${where.column}`];
  const source = sources.get(where.file)?.split("\n")[where.line - 1]?.trimEnd();
  // A value that is not shown is not shown with its line either.
  if (source === undefined || finding.found === NOT_SHOWN || finding.expected === NOT_SHOWN) return lines;
  const number = String(where.line);
  const gutter = " ".repeat(number.length);
  const start = where.column - 1;
  const from = source.length > MAX_SOURCE ? Math.max(0, start - MAX_SOURCE / 2) : 0;
  const piece = (begin: number, end: number) => shown(source.slice(begin, end).replaceAll("\t", " "));
  const before = `${from > 0 ? "…" : ""}${piece(from, start)}`;
  const marked = piece(start, Math.min(start + where.length, from + MAX_SOURCE));
  const after = piece(start + where.length, from + MAX_SOURCE);
  const cut = source.length > from + MAX_SOURCE ? "…" : "";
  const marks = "^".repeat(Math.max(1, Math.min(marked.length, 60)));
  lines.push(
    ` ${gutter} ${paint("cyan", "|")}`,
    ` ${number} ${paint("cyan", "|")} ${before}${marked}${after}${cut}`,
    ` ${gutter} ${paint("cyan", "|")} ${" ".repeat(before.length)}${paint("red", marks)}${finding.label ? ` ${shown(finding.label)}` : ""}`,
  );
  return lines;
}

function labelled(label: string, text: string, width: number, paint: Paint): string[] {
  const [first, ...rest] = steps(text).flatMap((step) => wrapStep(shown(step), width - 6));
  return [` ${paint("dim", label)}  ${first ?? ""}`, ...rest.map((line) => `      ${line}`)];
}

/** A fix may offer several ways, three spaces apart: each gets a line of its own, to be read and copied. */
export function steps(text: string): string[] {
  return text.split(/ {3,}|, (?=or if the change is meant: )/);
}

/** A command stays on one line whatever its length: broken in two it would be another command. */
export function wrapStep(text: string, width: number): string[] {
  const isCommand = /^(?:git|waybill|rm|cp|mv|ln|chmod|sha256sum|npm|npx|pip|docker) /.test(text);
  return isCommand ? [text] : wrap(text, width, "");
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

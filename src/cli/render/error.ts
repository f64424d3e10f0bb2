import type { Io } from "../io.ts";
import { steps, wrap, wrapStep } from "./finding.ts";
import { shown } from "./shown.ts";

/** What could not be done, or is noted: its code, what happened, a line each where it is several things, and the hint. */
export function renderError(
  { code, message, hint }: { code: string; message: string; hint: string },
  { paint, width }: Pick<Io, "paint" | "width">,
  kind: "error" | "note" = "error",
): string {
  const [first, ...rest] = message.split("\n").map(shown);
  const label = `${kind}[${code}]`;
  const lines = folded(`${label}: ${first}`, width, "  ");
  lines.push(...rest.flatMap((line) => folded(line, width - 2, "  ").map((part) => `  ${part}`)));
  lines[0] = lines[0]!.replace(label, paint(kind === "error" ? "red" : "yellow", label));
  const [way, ...more] = steps(hint).flatMap((step) => folded(shown(step), width - 6, ""));
  lines.push(` ${paint("dim", "fix")}  ${way ?? ""}`, ...more.map((line) => `      ${line}`));
  return `${lines.join("\n")}\n`;
}

/** Prose is folded, a command is not, nor a line with a path of this machine, which is there to be copied. */
function folded(text: string, width: number, indent: string): string[] {
  if (/(?:^|\s)(?:\/|[A-Za-z]:\\)\S/.test(text)) return [text];
  return indent === "" ? wrapStep(text, width) : wrap(text, width, indent);
}

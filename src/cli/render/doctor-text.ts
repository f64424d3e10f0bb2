import type { Diagnosis, Outcome } from "../../flows/doctor/consumer.ts";
import type { Io } from "../io.ts";
import { wrap, wrapStep } from "./finding.ts";
import { shown } from "./shown.ts";

const SIGN: Readonly<Record<Outcome, string>> = { accepts: "✔", refuses: "✖", "cannot tell": "◌" };
const COLOUR = { accepts: "green", refuses: "red", "cannot tell": "yellow" } as const;

/** One line for each consumer, the reasons, ways out and the command indented below it, and the counts last. */
export function renderDiagnoses(
  diagnoses: readonly Diagnosis[],
  target: string,
  { paint, width }: Pick<Io, "paint" | "width">,
): string {
  const lines = [shown(target), ""];
  const names = diagnoses.map(({ consumer, version }) => `${consumer}${version ? ` ${shown(version)}` : ""}`);
  const column = Math.max(...names.map((name) => name.length)) + 2;
  for (const [i, diagnosis] of diagnoses.entries()) {
    const { outcome, how } = diagnosis;
    const mark = paint(COLOUR[outcome], SIGN[outcome]);
    lines.push(
      `${mark} ${names[i]!.padEnd(column)}${paint(COLOUR[outcome], outcome.padEnd(11))}  ${howText(how)}`,
    );
    const add = (label: string, texts: readonly string[]) => {
      for (const text of texts) {
        const [first, ...rest] = wrapStep(shown(text), width - 9);
        lines.push(`    ${paint("dim", label)}  ${first ?? ""}`, ...rest.map((line) => `         ${line}`));
      }
    };
    add(outcome === "accepts" ? "if " : "why", diagnosis.why);
    add("fix", diagnosis.fix);
    if (diagnosis.said !== undefined) add("it said:", [diagnosis.said]);
    // Unbroken, whatever its length: it is there to be copied.
    if (diagnosis.command !== undefined) lines.push(`    ${paint("dim", "$")} ${shown(diagnosis.command)}`);
  }
  const count = (outcome: Outcome) => diagnoses.filter((one) => one.outcome === outcome).length;
  const counts = (["accepts", "refuses", "cannot tell"] as const)
    .filter((outcome) => count(outcome) > 0)
    .map(
      (outcome) =>
        `${count(outcome)} ${outcome === "accepts" ? "accept" : outcome === "refuses" ? "refuse" : "cannot tell"}`,
    );
  lines.push("", ...wrap(counts.join(", "), width, ""));
  return `${lines.join("\n")}\n`;
}

function howText(how: Diagnosis["how"]): string {
  if (how === "run") return "run";
  return how === "not installed" ? "not installed: by its rules" : "not run: by its rules";
}

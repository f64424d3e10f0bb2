import { JOB_ERRORS, WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { ALL_RULES } from "../../flows/rules.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { wrap } from "../render/finding.ts";

/** `waybill explain`: a code's page, offline; without a code, all of them. */
export const run: Run = ({ options, positionals }, io) => {
  const json = options.format === "json";
  const [code] = positionals;
  const jobs = Object.entries(JOB_ERRORS).map(([name, title]) => ({ code: name, title }));
  if (code === undefined) {
    const all = [...ALL_RULES.map(({ code: name, title }) => ({ code: name, title })), ...jobs];
    if (json) io.out(`${JSON.stringify(all, null, 2)}\n`);
    else for (const entry of all) io.out(`${entry.code.padEnd(15)}  ${entry.title}\n`);
    return Promise.resolve(EXIT.allowed);
  }
  const wanted = code.toUpperCase();
  const found = ALL_RULES.find((rule) => rule.code === wanted) ?? jobs.find((job) => job.code === wanted);
  if (!found)
    throw new WaybillError("WB-INPUT-007", `there is no code ${safeText(code)}`, {
      hint: "waybill explain lists all",
    });
  if (json) io.out(`${JSON.stringify(found, null, 2)}\n`);
  else if ("why" in found) {
    const paragraph = (label: string, text: string) =>
      `${io.paint("bold", label)}\n${wrap(text, io.width - 2, "")
        .map((line) => `  ${line}\n`)
        .join("")}\n`;
    io.out(`${io.paint("bold", found.code)}  ${found.title}\n\n`);
    io.out(paragraph("why", found.why));
    io.out(paragraph("fix", found.fix));
    if (found.example) {
      io.out(
        `${io.paint("bold", "fails")}\n${indent(found.example.bad)}\n${io.paint("bold", "passes")}\n${indent(found.example.good)}\n`,
      );
    }
    io.out(`blocks from level ${found.blocksAt} on\n`);
  } else
    io.out(
      `${io.paint("bold", found.code)}  ${found.title}\n\nthe job could not be done, so nothing was decided\n`,
    );
  return Promise.resolve(EXIT.allowed);
};

function indent(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}\n`)
    .join("");
}

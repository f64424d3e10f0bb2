import { join } from "node:path";
import { isHex } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import { operatorKeys } from "../../flows/operator-keys.ts";
import { savedWitnesses } from "../../flows/witnesses.ts";
import { fsckJournal } from "../../journal/fsck.ts";
import { JOURNAL_FOLDER } from "../../journal/journal.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { counted } from "../plain-words.ts";
import { renderFinding } from "../render/finding.ts";
import { shown } from "../render/shown.ts";

/** `waybill journal fsck`: every byte of the journal. Exit 1 with findings. */
export const run: Run = async ({ options }, io) => {
  const home = waybillHome(io.env);
  const named = options.operator === undefined ? [] : String(options.operator).split(",");
  for (const id of named)
    if (!isHex(id))
      throw new WaybillError("WB-INPUT-007", `--operator ${safeText(id)}: not a key id of 64 hex digits`, {
        hint: "waybill keys show",
      });
  // Whoever holds the keys of this home holds its journal.
  const own = operatorKeys(home);
  const report = await fsckJournal(join(home, JOURNAL_FOLDER), {
    operators: [...named, ...own],
    witnesses: savedWitnesses(home).map(({ verifier }) => verifier),
  });
  if (options.format === "json") io.out(`${JSON.stringify(report, null, 2)}\n`);
  else {
    for (const finding of report.findings)
      io.out(
        `${renderFinding(finding, { paint: io.paint, width: io.width, severity: "error", sources: new Map() })}\n`,
      );
    for (const { index, by, reason } of report.erased)
      io.out(`entry ${index} was erased by ${by.slice(0, 12)}: ${shown(reason)}\n`);
    for (const { index, verifier } of report.external)
      io.out(`entry ${index} came from outside, by ${verifier.slice(0, 12)}\n`);
    for (const note of report.notes) io.out(`${io.paint("yellow", "note")}: ${shown(note)}\n`);
    const about =
      report.size === undefined
        ? "the journal"
        : `${shown(report.origin ?? "")}, ${counted(report.size, "entry")}`;
    const sign =
      report.found === 0
        ? io.paint("green", "✔ whole")
        : io.paint("red", `✖ ${counted(report.found, "finding")}`);
    io.out(`${sign}  ${about}: ${counted(report.verified, "envelope")} verified\n`);
  }
  return report.found === 0 ? EXIT.allowed : EXIT.denied;
};

import { waybillHome } from "../../flows/home.ts";
import { proveInJournal } from "../../flows/journal.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shown } from "../render/shown.ts";
import { entryLine } from "./journal-show.ts";

/** `waybill journal prove`: that an entry is in the log, checked before it is printed. */
export const run: Run = ({ options, positionals }, io) => {
  const proved = proveInJournal(waybillHome(io.env), positionals[0]!);
  if (options.format === "json") io.out(`${JSON.stringify(proved, null, 2)}\n`);
  else {
    io.out(`${entryLine(proved.entry)}\n`);
    io.out(`leaf   ${proved.entry.leaf}\n`);
    for (const [i, sibling] of proved.proof.entries()) io.out(`${i === 0 ? "path " : "     "}  ${sibling}\n`);
    io.out(`root   ${proved.root}\n`);
    io.out(`size   ${proved.size}, signed by ${shown(proved.origin)}\n`);
  }
  io.err("with --format json the log entry is printed as bundles carry it\n");
  return Promise.resolve(EXIT.allowed);
};

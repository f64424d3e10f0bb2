import { WaybillError } from "../../core/errors.ts";
import { evidenceByUri } from "../../evidence/predicate-names.ts";
import { waybillHome } from "../../flows/home.ts";
import { type EntrySummary, showJournal } from "../../flows/journal.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { counted } from "../plain-words.ts";
import { shown } from "../render/shown.ts";

/** `waybill journal show`: head, key and newest entries. */
export const run: Run = ({ options }, io) => {
  const last = String(options.last);
  if (!/^\d{1,4}$/.test(last))
    throw new WaybillError("WB-INPUT-007", "--last is a number up to 9999", {
      hint: "waybill journal show --last 50",
    });
  const view = showJournal(waybillHome(io.env), Number(last));
  if (options.format === "json") {
    io.out(`${JSON.stringify(view, null, 2)}\n`);
    return Promise.resolve(EXIT.allowed);
  }
  io.out(`${io.paint("bold", shown(view.origin))}  ${counted(view.size, "entry")}\n`);
  io.out(`root          ${view.root}\nverifier key  ${shown(view.verifierKey)}\n\n`);
  io.out(`${view.checkpoint}\n`);
  for (const entry of view.entries) io.out(`${entryLine(entry)}\n`);
  return Promise.resolve(EXIT.allowed);
};

/** One entry in one line: index, leaf, what it is about, who signed. */
export function entryLine(entry: EntrySummary): string {
  const { index, leaf, keyId, predicateType, subjects = [], unknown } = entry;
  const names = subjects
    .slice(0, 3)
    .map(({ name, digest }) => `${name ?? "?"} ${Object.values(digest)[0]?.slice(0, 12) ?? ""}`);
  const type = predicateType === undefined ? "" : (evidenceByUri(predicateType)?.short ?? predicateType);
  const about = unknown ?? `${type.padEnd(13)}  ${names.join(", ")}${subjects.length > 3 ? ", …" : ""}`;
  const by = keyId === undefined ? "" : `  by ${keyId.slice(0, 12)}`;
  return `${String(index).padStart(6)}  ${leaf.slice(0, 12)}  ${shown(about)}${by}`;
}

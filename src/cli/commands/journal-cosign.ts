import { WaybillError } from "../../core/errors.ts";
import { cosignJournal, witnessNotes } from "../../flows/cosign-journal.ts";
import { waybillHome } from "../../flows/home.ts";
import { parseWitnesses, savedWitnesses, saveWitnesses } from "../../flows/witnesses.ts";
import { openJournal } from "../../journal/journal.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shown } from "../render/shown.ts";

/** `waybill journal cosign`: asks witnesses for their cosignatures. Exit 1 where one that was asked did not cosign. */
export const run: Run = async ({ options }, io) => {
  const home = waybillHome(io.env);
  const named = options.witness as string | undefined;
  const witnesses = named === undefined ? savedWitnesses(home) : parseWitnesses(named);
  if (witnesses.length === 0)
    throw new WaybillError("WB-INPUT-007", "--witness URL=KEY,… says whom to ask", {
      hint: "`waybill witness` prints its address and its key",
    });
  const journal = await openJournal(home);
  try {
    if (options.save === true) saveWitnesses(home, witnesses);
    const { checkpoint, results } = await cosignJournal(home, journal, witnesses, { signal: io.signal });
    const answer = {
      origin: journal.origin,
      size: checkpoint.size,
      checkpoint: checkpoint.note,
      witnesses: results.map(({ verifier, time, problem, seen, ahead }) => ({
        name: verifier.name,
        cosigned: problem === undefined,
        ...(time === undefined ? {} : { at: new Date(time * 1000).toISOString() }),
        ...(seen === undefined ? {} : { seen }),
        ...(ahead === undefined ? {} : { ahead }),
        ...(problem === undefined ? {} : { problem }),
      })),
    };
    if (options.format === "json") io.out(`${JSON.stringify(answer, null, 2)}\n`);
    else
      for (const { name, cosigned, at } of answer.witnesses)
        if (cosigned) io.out(`${shown(name)} cosigned ${answer.size} entries at ${at}\n`);
    for (const note of witnessNotes(results, checkpoint.size))
      io.err(`${io.paint("red", "error")}: ${shown(note)}\n`);
    if (results.length === 0) io.err("the journal is empty: there is nothing to cosign\n");
    return answer.witnesses.every(({ cosigned }) => cosigned) ? EXIT.allowed : EXIT.denied;
  } finally {
    await journal.close();
  }
};

import { join } from "node:path";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import { serveJournal } from "../../flows/journal-serve.ts";
import { parseWitnesses, savedWitnesses } from "../../flows/witnesses.ts";
import { TRUSTED_ROOT_FILE } from "../../journal/log-root.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { wholeNumber } from "../options.ts";
import { untilStopped } from "../until-stopped.ts";

/** `waybill journal serve`: the journal over HTTP, until Ctrl-C. */
export const run: Run = async ({ options }, io) => {
  const home = waybillHome(io.env);
  const trust = (options.trust as string | undefined) ?? (io.env.WAYBILL_TRUST || undefined);
  if (trust === undefined)
    throw new WaybillError("WB-INPUT-007", "--trust FILE says whose entries are taken", {
      hint: "waybill journal serve --trust /etc/waybill/trust.yaml",
    });
  const named = options.witness as string | undefined;
  const served = await serveJournal({
    home,
    trust,
    host: String(options.host),
    port: wholeNumber("port", options.port, 0, 65_535),
    witnesses: named === undefined ? savedWitnesses(home) : parseWitnesses(named),
    now: io.now,
    say: (line) => io.err(`${io.paint("yellow", "note")}: ${safeText(line)}\n`),
  });
  try {
    io.out(`serving ${served.origin} at ${served.url}\n`);
    io.out(`verifier key  ${served.verifierKey}\n`);
    io.out(`trusted root  ${join(served.folder, TRUSTED_ROOT_FILE)}\n`);
    io.err("Ctrl-C ends it\n");
    await untilStopped(io);
  } finally {
    await served.close();
  }
  return EXIT.allowed;
};

import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import { serveWitness } from "../../flows/witness-serve.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { wholeNumber } from "../options.ts";
import { untilStopped } from "../until-stopped.ts";

/** `waybill witness`: cosigns the checkpoints of other logs, until Ctrl-C. */
export const run: Run = async ({ options }, io) => {
  if (options.log === undefined)
    throw new WaybillError("WB-INPUT-007", "--log KEY,… says which logs it watches", {
      hint: "`waybill journal show` prints the verifier key of a journal",
    });
  const served = await serveWitness({
    home: waybillHome(io.env),
    logs: String(options.log),
    name: options.name as string | undefined,
    host: String(options.host),
    port: wholeNumber("port", options.port, 0, 65_535),
    say: (line) => io.err(`${io.paint("yellow", "note")}: ${safeText(line)}\n`),
  });
  try {
    io.out(`witnessing at ${served.url}\n`);
    io.out(`verifier key  ${served.verifierKey}\n`);
    io.err("Ctrl-C ends it\n");
    await untilStopped(io);
  } finally {
    await served.close();
  }
  return EXIT.allowed;
};

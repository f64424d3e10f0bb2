import { detectedIds, initFolder } from "../../flows/init.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { shown } from "../render/shown.ts";

/** `waybill init`: proposes a manifest for an existing folder. */
export const run: Run = async ({ options }, io) => {
  const outcome = await initFolder(String(options.dir), { write: options.print !== true });
  if (options.format === "json") {
    const components = outcome.detected.map(({ declared, because }) => ({ ...declared, because }));
    io.out(
      `${JSON.stringify({ file: outcome.file ?? null, components, ignore: outcome.ignore, text: outcome.text }, null, 2)}\n`,
    );
    return EXIT.allowed;
  }
  if (options.print === true) {
    io.out(outcome.text);
    return EXIT.allowed;
  }
  for (const { declared, because } of outcome.detected)
    io.out(`${declared.kind.padEnd(12)}  ${declared.name.padEnd(20)}  ${shown(because)}\n`);
  const count = detectedIds(outcome).length;
  io.out(`\nwrote ${outcome.file} with ${count} component${count === 1 ? "" : "s"}\n`);
  io.err("next: read waybill.yaml, set start.command, then waybill lock\n");
  return EXIT.allowed;
};

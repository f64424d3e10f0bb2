import { EXIT } from "./exit-codes.ts";
import { errorsAreUnused, processIo } from "./io.ts";
import { main } from "./main.ts";
import { outputIsWritten } from "./standard-output.ts";

const interrupt = new AbortController();
const argv = process.argv.slice(2);
// `run` hands signals to the command that it supervises.
if (argv[0] !== "run") process.once("SIGINT", () => interrupt.abort(new Error("interrupted")));
// Node's own exit status for these is 1, which here would say "denied".
for (const event of ["uncaughtException", "unhandledRejection"] as const)
  process.on(event, (error: unknown) => {
    process.stderr.write(`waybill has a bug: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(EXIT.bug);
  });
process.exitCode = await main(argv, processIo(interrupt.signal));
// Commands wait for all that they began. The end that comes by itself would clear the heap piece by piece first.
if (outputIsWritten() && errorsAreUnused()) process.exit();

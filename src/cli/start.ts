import { EXIT } from "./exit-codes.ts";
import { processIo } from "./io.ts";
import { main } from "./main.ts";

const interrupt = new AbortController();
const argv = process.argv.slice(2);
// `run` hands signals to the command that it supervises.
if (argv[0] !== "run") process.once("SIGINT", () => interrupt.abort(new Error("interrupted")));
// A reader that went away (`waybill check | head`) changes nothing of what was decided. An answer that could not
// be written otherwise is a job that could not be done: nobody may read its silence as the verdict.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  const code = error.code === "ENOSPC" || error.code === "EDQUOT" ? "WB-STORE-002" : "WB-STORE-001";
  process.stderr.write(`error[${code}]: the answer could not be written: ${error.code ?? error.message}\n`);
  process.stderr.write(" fix  make room, or send standard output elsewhere\n");
  process.on("exit", () => {
    process.exitCode = EXIT.jobFailed;
  });
});
// Node's own exit status for these is 1, which here would say "denied".
for (const event of ["uncaughtException", "unhandledRejection"] as const)
  process.on(event, (error: unknown) => {
    process.stderr.write(`waybill has a bug: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(EXIT.bug);
  });
process.exitCode = await main(argv, processIo(interrupt.signal));

import { processIo } from "./io.ts";
import { main } from "./main.ts";

const interrupt = new AbortController();
const argv = process.argv.slice(2);
// `run` hands signals to the command that it supervises.
if (argv[0] !== "run") process.once("SIGINT", () => interrupt.abort(new Error("interrupted")));
process.stdout.on("error", () => process.exit(0));
process.exitCode = await main(argv, processIo(interrupt.signal));

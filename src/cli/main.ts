import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import type { Command } from "./command.ts";
import { EXIT } from "./exit-codes.ts";
import type { Io } from "./io.ts";

/**
 * Runs one command line.
 *
 * @param argv without the program's own name
 * @returns the exit code; it never throws
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.some(
    (word, i) => word === "--format=json" || (word === "--format" && argv[i + 1] === "json"),
  );
  try {
    const { parseCommandLine } = await import("./parse.ts");
    const parsed = parseCommandLine(argv, await commandsFor(argv[0]));
    if (parsed.want === "version") {
      io.out(`waybill ${version()}\n`);
      return EXIT.allowed;
    }
    if (parsed.want === "help") {
      const { commandHelp, familyHelp, overview } = await import("./help.ts");
      if (parsed.command) io.out(commandHelp(parsed.command));
      else io.out(parsed.family === undefined ? overview() : familyHelp(parsed.family));
      return EXIT.allowed;
    }
    const run = await parsed.command.load();
    return await run(parsed.args, io);
  } catch (error) {
    return await report(error, io, json);
  }
}

/** The table of commands; for the one that runs at every door its own entry alone, which loads faster. */
async function commandsFor(word: string | undefined): Promise<readonly Command[]> {
  if (word === "verify") return [(await import("./verify-command.ts")).VERIFY];
  return (await import("./commands.ts")).COMMANDS;
}

/** The version of the package. */
export function version(): string {
  const { readFileSync } = process.getBuiltinModule("node:fs");
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** A job that could not be done is told with its code and hint; anything else is a bug and says so. */
async function report(error: unknown, io: Io, json: boolean): Promise<number> {
  if (io.signal.aborted) {
    io.err("interrupted; nothing was written half\n");
    return EXIT.interrupted;
  }
  if (error instanceof WaybillError) {
    if (json)
      io.out(
        `${JSON.stringify({ error: { code: error.code, message: error.message, hint: error.hint } }, null, 2)}\n`,
      );
    else io.err((await import("./render/error.ts")).renderError(error, io));
    return error.code === "WB-INPUT-007" ? EXIT.usage : EXIT.jobFailed;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err(`waybill has a bug: ${safeText(stack.split("\n")[0]!)}\n`);
  io.err(" fix  please report it with the command and this trace\n");
  io.err(`${stack.split("\n").slice(1).map(safeText).join("\n")}\n`);
  return EXIT.bug;
}

import type { RunEvent } from "../../act/run.ts";
import { WaybillError } from "../../core/errors.ts";
import type { Level } from "../../core/finding.ts";
import { waybillHome } from "../../flows/home.ts";
import { runFolder } from "../../flows/run.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { targetName } from "../options.ts";
import { ProgressLine } from "../progress.ts";
import { renderError } from "../render/error.ts";
import { shown } from "../render/shown.ts";
import { writeVerdict } from "../verdict-output.ts";

/** `waybill run`: refuses with 125, or becomes the declared command's own exit status. */
export const run: Run = async ({ options, positionals }, io) => {
  const format = String(options.format);
  const target = targetName(options.target);
  // The command's own output is stdout; what Waybill says of it goes to stderr.
  const talk: Io = { ...io, out: (text) => io.err(text) };
  const progress = new ProgressLine(io, "verifying");
  try {
    const result = await runFolder({
      folder: String(options.dir),
      target,
      level: options.level as Level,
      trust: options.trust as string | undefined,
      home: waybillHome(io.env),
      env: io.env,
      now: io.now(),
      command: positionals,
      onProgress: progress.update,
      onJudged: () => progress.done(),
      onEvent: (event) => say(event, io),
    });
    progress.done();
    if (!result.started) {
      // Where the release is allowed and only the command is another, "allowed" would be the wrong first word.
      const { command } = result.judgement.agent.manifest.manifest.start;
      if (result.why === "other-command")
        io.err(`refused: this is not the declared command\n${comparison(command, positionals)}`);
      else {
        writeVerdict(result.judgement, format, talk);
        io.err("refused: the command was not started\n");
      }
      return EXIT.refused;
    }
    const { outcome } = result;
    if (outcome.ok) return passOn(outcome.exit);
    if (outcome.refused === "mismatch") {
      io.err(`refused: ${shown(outcome.path)} changed between verification and start\n`);
      io.err(`   expected  ${shown(outcome.expected)}\n   found     ${shown(outcome.found)}\n`);
    } else if (outcome.refused === "expired") io.err("refused: the verdict ended while the copy was made\n");
    else io.err(`refused: interrupted by ${outcome.signal} before the start\n`);
    return EXIT.refused;
  } catch (error) {
    progress.done();
    if (!(error instanceof WaybillError)) throw error;
    io.err(renderError(error, io.paint));
    io.err("refused: the command was not started\n");
    return EXIT.refused;
  }
};

function comparison(declared: readonly string[], asked: readonly string[]): string {
  const show = (command: readonly string[]) => shown(JSON.stringify(command));
  return `   expected  ${show(declared)}\n   found     ${show(asked)}\n fix  waybill run   starts the declared command\n`;
}

function say(event: RunEvent, io: Io): void {
  if (event.type === "ended") return;
  if (event.type === "copied") {
    io.err(`verified  ${event.files} files copied to a private place\n`);
  } else io.err(`started   pid ${event.pid}\n`);
  for (const claim of event.claims) {
    const mark =
      claim.holds && claim.grade !== "process-mutable" ? io.paint("green", "✔") : io.paint("yellow", "◌");
    io.err(`  ${mark} ${claim.name.padEnd(18)} ${claim.grade.padEnd(16)} ${shown(claim.reason)}\n`);
  }
}

/** Ends as the command ended: with its code, or by the signal that ended it. */
function passOn({ code, signal }: { code: number | null; signal: NodeJS.Signals | null }): number {
  if (signal === null) return code ?? EXIT.bug;
  process.kill(process.pid, signal);
  // Not reached for signals that end a process; the shell's convention for the others.
  return 128;
}

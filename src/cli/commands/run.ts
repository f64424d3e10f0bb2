import { WaybillError } from "../../core/errors.ts";
import type { Level } from "../../core/finding.ts";
import { waybillHome } from "../../flows/home.ts";
import { runFolder } from "../../flows/run.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { targetName } from "../options.ts";
import { ProgressLine } from "../progress.ts";
import { jsonTalk, textTalk } from "../run-talk.ts";

/** `waybill run`: refuses with 125, or becomes the declared command's own exit status. */
export const run: Run = async ({ options, positionals }, io) => {
  const target = targetName(options.target);
  const talk = options.format === "json" ? jsonTalk(io) : textTalk(io);
  const progress = new ProgressLine(io, "verifying");
  try {
    const result = await runFolder({
      folder: String(options.dir),
      target,
      level: options.level as Level,
      trust: options.trust as string | undefined,
      trustDigest: options["trust-digest"] as string | undefined,
      home: waybillHome(io.env),
      env: io.env,
      now: io.now(),
      command: positionals,
      onProgress: progress.update,
      onJudged: () => progress.done(),
      onEvent: (event) => talk.event(event),
    });
    progress.done();
    if (!result.started) {
      const { command } = result.judgement.agent.manifest.manifest.start;
      if (result.why === "other-command") talk.otherCommand(command, positionals);
      else talk.denied(result.judgement);
      return EXIT.refused;
    }
    if (result.outcome.ok) return passOn(result.outcome.exit);
    talk.refused(result.outcome);
    return EXIT.refused;
  } catch (error) {
    progress.done();
    if (!(error instanceof WaybillError)) throw error;
    talk.failed(error);
    return EXIT.refused;
  }
};

/** Ends as the command ended: with its code, or by the signal that ended it. */
function passOn({ code, signal }: { code: number | null; signal: NodeJS.Signals | null }): number {
  if (signal === null) return code ?? EXIT.bug;
  process.kill(process.pid, signal);
  // Not reached for signals that end a process; the shell's convention for the others.
  return 128;
}

import type { Level } from "../../core/finding.ts";
import { waybillHome } from "../../flows/home.ts";
import { judge } from "../../flows/judge.ts";
import type { Run } from "../command.ts";
import { ProgressLine } from "../progress.ts";
import { writeVerdict } from "../verdict-output.ts";

/** `waybill check`: every check, at the door `ci`. */
export const run: Run = async ({ options }, io) => {
  const progress = new ProgressLine(io, "checking");
  const judgement = await judge({
    folder: String(options.dir),
    door: "ci",
    target: "ci",
    level: options.level as Level,
    home: waybillHome(io.env),
    env: io.env,
    now: io.now(),
    onProgress: progress.update,
    signal: io.signal,
  }).finally(() => progress.done());
  return writeVerdict(judgement, String(options.format), io);
};

import type { Door, Level } from "../../core/finding.ts";
import { waybillHome } from "../../flows/home.ts";
import { judge } from "../../flows/judge.ts";
import type { Run } from "../command.ts";
import { targetName } from "../options.ts";
import { ProgressLine } from "../progress.ts";
import { writeVerdict } from "../verdict-output.ts";

/** `waybill verify` without operands: bytes, settings, signatures and freshness, at any door. */
export const run: Run = async ({ options }, io) => {
  const progress = new ProgressLine(io, "verifying");
  const judgement = await judge({
    folder: String(options.dir),
    door: options.door as Door,
    target: targetName(options.target),
    level: options.level as Level,
    trust: options.trust as string | undefined,
    trustDigest: options["trust-digest"] as string | undefined,
    home: waybillHome(io.env),
    env: io.env,
    now: io.now(),
    only: "verify",
    onProgress: progress.update,
    signal: io.signal,
  }).finally(() => progress.done());
  return writeVerdict(judgement, String(options.format), io);
};

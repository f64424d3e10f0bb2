import type { Level } from "../../core/finding.ts";
import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import { openImage } from "../../flows/open-image.ts";
import { pullRelease } from "../../flows/pull.ts";
import type { Run } from "../command.ts";
import { imageOperand, registryAccess } from "../image-options.ts";
import { targetName } from "../options.ts";
import { bytes, ProgressLine } from "../progress.ts";
import { writeVerdict } from "../verdict-output.ts";

/** `waybill pull`: fetches a release, and places it where the door `pull` allows it. */
export const run: Run = async (args, io) => {
  const { options } = args;
  const progress = new ProgressLine(io, "verifying");
  const pulled = await pullRelease(openImage(imageOperand(args.positionals[0]!), registryAccess(args, io)), {
    dir: String(options.dir),
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
  const code = writeVerdict(pulled.judgement, String(options.format), io);
  if (pulled.placed) io.err(`placed ${safeText(pulled.dir)}; ${bytes(pulled.bytes)} fetched\n`);
  else io.err(`nothing was placed at ${safeText(pulled.dir)}\n`);
  return code;
};

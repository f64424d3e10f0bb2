import { safeText } from "../../core/safe-text.ts";
import { signModel } from "../../flows/model-sign.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { counted, near } from "../plain-words.ts";
import { ProgressLine } from "../progress.ts";
import { signedBy, signerFrom } from "../signer.ts";

/** `waybill model sign`: signs a model folder or file as OMS v1.0 does. */
export const run: Run = async ({ options, positionals }, io) => {
  const { statements } = await signerFrom(options, io);
  const progress = new ProgressLine(io, "hashing");
  const outcome = await signModel(positionals[0]!, statements, {
    ...(options.out === undefined ? {} : { out: String(options.out) }),
    onProgress: progress.update,
    signal: io.signal,
  }).finally(() => progress.done());
  if (options.format === "json") {
    const { by, ...rest } = outcome;
    io.out(`${JSON.stringify({ ...rest, ...by }, null, 2)}\n`);
    return EXIT.allowed;
  }
  const links = outcome.links > 0 ? `, ${counted(outcome.links, "link")} followed` : "";
  io.out(`signed  ${counted(outcome.files, "file")}${links}  ${io.paint("bold", `root ${outcome.root}`)}\n`);
  io.out(`${signedBy(outcome.by)}\n`);
  io.out(`wrote   ${safeText(near(outcome.file, io.cwd))}\n`);
  if (outcome.links > 0) io.err("note: model_signing verifies a model with links with --allow_symlinks\n");
  return EXIT.allowed;
};

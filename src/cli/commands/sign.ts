import { safeText } from "../../core/safe-text.ts";
import { signFolder } from "../../flows/sign.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { signedBy, signerFrom } from "../signer.ts";

/** `waybill sign`: signs the locked release with a stored key, or keyless; with an operand, an image. */
export const run: Run = async (args, io) => {
  const { options } = args;
  if (args.positionals.length > 0) return (await import("./sign-image.ts")).run(args, io);
  const { statements } = await signerFrom(options, io);
  const { release, by, file, models } = await signFolder(String(options.dir), statements);
  const { agent } = release.document;
  if (options.format === "json") {
    const answer = { agent, release: `sha256:${release.digest}`, ...by, file, models };
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return EXIT.allowed;
  }
  io.out(`signed  ${agent}  ${io.paint("bold", `sha256:${release.digest}`)}\n`);
  io.out(`${signedBy(by)}\nwrote   ${file}\n`);
  for (const model of models) {
    if ("file" in model) io.out(`wrote   ${model.file}  (OMS, for model_signing)\n`);
    else io.err(`note: ${model.component} has no model signature: ${safeText(model.problem)}\n`);
  }
  io.err("next: commit it, then waybill verify --trust FILE\n");
  return EXIT.allowed;
};

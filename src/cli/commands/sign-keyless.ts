import { safeText } from "../../core/safe-text.ts";
import { signFolderWith } from "../../flows/sign-keyless.ts";
import type { Arguments } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { keylessFrom } from "../keyless.ts";

/** `waybill sign --keyless`: signs the locked release as a CI job or person. */
export async function signKeyless(options: Arguments["options"], io: Io): Promise<number> {
  const outcome = await signFolderWith(String(options.dir), await keylessFrom(options, io));
  const { release, by, file, models } = outcome;
  const { agent } = release.document;
  if (options.format === "json") {
    const answer = { agent, release: `sha256:${release.digest}`, ...by, file, models };
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return EXIT.allowed;
  }
  io.out(`signed  ${agent}  ${io.paint("bold", `sha256:${release.digest}`)}\n`);
  if ("identity" in by)
    io.out(`as      ${safeText(by.identity.subject)}, by ${safeText(by.identity.issuer)}\n`);
  io.out(`wrote   ${file}\n`);
  for (const model of models) {
    if ("file" in model) io.out(`wrote   ${model.file}  (OMS, for model_signing)\n`);
    else io.err(`note: ${model.component} has no model signature: ${safeText(model.problem)}\n`);
  }
  io.err("next: commit it, then waybill verify --trust FILE\n");
  return EXIT.allowed;
}

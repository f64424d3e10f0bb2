import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import { signFolder } from "../../flows/sign.ts";
import { loadKey } from "../../sign/key-store.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { wantsKeyless } from "../keyless-options.ts";
import { passphrase } from "../passphrase.ts";

/** `waybill sign`: signs the locked release with a stored key, or keyless; with an operand, an image. */
export const run: Run = async (args, io) => {
  const { options } = args;
  if (args.positionals.length > 0) return (await import("./sign-image.ts")).run(args, io);
  if (wantsKeyless(options)) return (await import("./sign-keyless.ts")).signKeyless(options, io);
  const name = String(options.key);
  const secret = await passphrase(
    io,
    options["passphrase-file"] as string | undefined,
    `passphrase of key ${name}`,
  );
  const outcome = signFolder(String(options.dir), loadKey(waybillHome(io.env), name, secret));
  if (options.format === "json") {
    const answer = {
      agent: outcome.release.document.agent,
      release: `sha256:${outcome.release.digest}`,
      key: outcome.key,
      file: outcome.file,
      models: outcome.models,
    };
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return EXIT.allowed;
  }
  io.out(
    `signed  ${outcome.release.document.agent}  ${io.paint("bold", `sha256:${outcome.release.digest}`)}\n`,
  );
  io.out(`with    key ${name} (${outcome.key.keyId.slice(0, 12)})\n`);
  io.out(`wrote   ${outcome.file}\n`);
  for (const model of outcome.models) {
    if ("file" in model) io.out(`wrote   ${model.file}  (OMS, for model_signing)\n`);
    else io.err(`note: ${model.component} has no model signature: ${safeText(model.problem)}\n`);
  }
  io.err("next: commit it, then waybill verify --trust FILE\n");
  return EXIT.allowed;
};

import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import { signModel } from "../../flows/model-sign.ts";
import { loadKey } from "../../sign/key-store.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { passphrase } from "../passphrase.ts";
import { ProgressLine } from "../progress.ts";

/** `waybill model sign`: signs a model folder or file as OMS v1.0 does. */
export const run: Run = async ({ options, positionals }, io) => {
  const name = String(options.key);
  const secret = await passphrase(
    io,
    options["passphrase-file"] as string | undefined,
    `passphrase of key ${name}`,
  );
  const key = loadKey(waybillHome(io.env), name, secret);
  const progress = new ProgressLine(io, "hashing");
  const outcome = await signModel(positionals[0]!, key, {
    ...(options.out === undefined ? {} : { out: String(options.out) }),
    onProgress: progress.update,
    signal: io.signal,
  }).finally(() => progress.done());
  if (options.format === "json") {
    io.out(`${JSON.stringify(outcome, null, 2)}\n`);
    return EXIT.allowed;
  }
  const links = outcome.links > 0 ? `, ${outcome.links} links followed` : "";
  io.out(`signed  ${outcome.files} files${links}  ${io.paint("bold", `root ${outcome.root}`)}\n`);
  io.out(`with    key ${name} (${outcome.key.keyId.slice(0, 12)})\n`);
  io.out(`wrote   ${safeText(outcome.file)}\n`);
  if (outcome.links > 0) io.err("note: model_signing verifies a model with links with --allow_symlinks\n");
  return EXIT.allowed;
};

import { waybillHome } from "../flows/home.ts";
import type { ImageSigner } from "../flows/image-sign.ts";
import { loadKey } from "../sign/key-store.ts";
import { keySigner } from "../sign/statement-signer.ts";
import type { Arguments } from "./command.ts";
import type { Io } from "./io.ts";
import { wantsKeyless } from "./keyless-options.ts";
import { passphrase } from "./passphrase.ts";

/** The signer that the options ask for: keyless, else a stored key. */
export async function imageSigner(options: Arguments["options"], io: Io): Promise<ImageSigner> {
  if (wantsKeyless(options))
    return { statements: await (await import("./keyless.ts")).keylessFrom(options, io) };
  const name = String(options.key);
  const file = options["passphrase-file"] as string | undefined;
  const key = loadKey(waybillHome(io.env), name, await passphrase(io, file, `passphrase of key ${name}`));
  return { statements: keySigner(key), key };
}

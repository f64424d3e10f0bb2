import { safeText } from "../../core/safe-text.ts";
import { type ImageSigned, signImage } from "../../flows/image-sign.ts";
import { openImage } from "../../flows/open-image.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { imageOperand, layoutsOf, registryAccess } from "../image-options.ts";
import type { Io } from "../io.ts";
import { wantsKeyless } from "../keyless-options.ts";
import { signerFrom } from "../signer.ts";

/** `waybill sign IMAGE`: signs an image in its registry or layout, as cosign does. */
export const run: Run = async (args, io) => {
  const { options, positionals } = args;
  const opened = openImage(imageOperand(positionals[0]!), registryAccess(args, io));
  const layouts = layoutsOf(options.layout, wantsKeyless(options));
  const signed = await signImage(opened, await signerFrom(options, io), layouts, io.now());
  return tellSigned(signed, options.format, "signed", io);
};

/** Says what was signed and where it lies. */
export function tellSigned(signed: ImageSigned, format: unknown, verb: string, io: Io): number {
  const { image, digest, predicateType, by, places } = signed;
  if (format === "json") {
    const answer = { image, digest: `sha256:${digest}`, predicateType, ...by, places };
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return EXIT.allowed;
  }
  const label = (text: string) => text.padEnd(verb.length + 2);
  io.out(`${verb}  ${safeText(image)}  ${io.paint("bold", `sha256:${digest}`)}\n`);
  if ("key" in by) io.out(`${label("with")}key ${by.key.name} (${by.key.keyId.slice(0, 12)})\n`);
  else io.out(`${label("as")}${safeText(by.identity.subject)}, by ${safeText(by.identity.issuer)}\n`);
  for (const { place } of places) io.out(`${label("stored")}${place}\n`);
  return EXIT.allowed;
}

import { existsSync } from "node:fs";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { attestPath, readPredicateFile } from "../../flows/attest.ts";
import { evidenceTypes } from "../../flows/evidence-types.ts";
import { signImage } from "../../flows/image-sign.ts";
import { openImage } from "../../flows/open-image.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { layoutsOf, looksLikeImage, registryAccess } from "../image-options.ts";
import { wantsKeyless } from "../keyless-options.ts";
import { signerFrom } from "../signer.ts";
import { tellSigned } from "./sign-image.ts";

/** `waybill attest IMAGE|FILE|FOLDER`: signs what a predicate says about it. */
export const run: Run = async (args, io) => {
  const { options, positionals } = args;
  const [subject] = positionals as [string];
  const predicateFile = options.predicate as string | undefined;
  const type = options.type as string | undefined;
  if (predicateFile === undefined || type === undefined)
    throw new WaybillError("WB-INPUT-007", "an attestation is a predicate of a type", {
      hint: "waybill attest SUBJECT --predicate FILE --type TYPE",
    });
  const claim = { type: evidenceTypes(type)[0]!, predicate: readPredicateFile(predicateFile) };
  const out = options.out as string | undefined;
  if (!existsSync(subject) && looksLikeImage(subject)) {
    if (out !== undefined)
      throw new WaybillError("WB-INPUT-007", "--out is for files: beside an image it lies in its registry", {
        hint: "leave out --out",
      });
    const opened = openImage(subject, registryAccess(args, io));
    const layouts = layoutsOf(options.layout, wantsKeyless(options));
    const signed = await signImage(opened, await signerFrom(options, io), layouts, io.now(), claim);
    return tellSigned(signed, options.format, "attested", io);
  }
  const { statements } = await signerFrom(options, io);
  const attested = await attestPath(subject, claim, statements, out);
  const { subject: about, predicateType, by, file } = attested;
  if (options.format === "json") {
    const answer = { name: about.name, digest: `sha256:${about.sha256}`, predicateType, ...by, file };
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return EXIT.allowed;
  }
  io.out(`attested  ${safeText(about.name)}  ${io.paint("bold", `sha256:${about.sha256}`)}\n`);
  if ("key" in by) io.out(`with      key ${by.key.name} (${by.key.keyId.slice(0, 12)})\n`);
  else io.out(`as        ${safeText(by.identity.subject)}, by ${safeText(by.identity.issuer)}\n`);
  io.out(`type      ${safeText(predicateType)}\nwrote     ${safeText(file)}\n`);
  return EXIT.allowed;
};

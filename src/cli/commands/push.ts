import { safeText } from "../../core/safe-text.ts";
import { openImage } from "../../flows/open-image.ts";
import { pushRelease } from "../../flows/push.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { imageOperand, registryAccess } from "../image-options.ts";
import { bytes, ProgressLine } from "../progress.ts";

/** `waybill push`: a whole release as one artifact. */
export const run: Run = async (args, io) => {
  const opened = openImage(imageOperand(args.positionals[0]!), registryAccess(args, io), { create: true });
  const progress = new ProgressLine(io, "pushing");
  const pushed = await pushRelease(String(args.options.dir), opened, {
    onProgress: progress.update,
    signal: io.signal,
  }).finally(() => progress.done());
  const { agent, release, digest, sent, there, evidence } = pushed;
  const answer = { agent, release: `sha256:${release}`, artifact: `sha256:${digest}`, sent, there, evidence };
  if (args.options.format === "json") io.out(`${JSON.stringify(answer, null, 2)}\n`);
  else {
    io.out(`pushed    ${agent}  ${io.paint("bold", answer.release)}\n`);
    io.out(`to        ${safeText(opened.shown)}  ${answer.artifact}\n`);
    io.out(`sent      ${sent.blobs} blobs, ${bytes(sent.bytes)}; ${there} were there\n`);
    io.out(`evidence  ${evidence} bundles\n`);
    if (evidence === 0) io.err("note: it is not signed: waybill sign, then push again\n");
  }
  return EXIT.allowed;
};

import { safeText } from "../core/safe-text.ts";
import type { ChangedTrust } from "../flows/trust-save.ts";
import type { Io } from "./io.ts";
import { near } from "./plain-words.ts";

/** Tells what a change of a trust policy has done, and what is to be done next. */
export function tellChange({ before, after, kept }: ChangedTrust, format: string, io: Io): void {
  const { file } = after.source;
  const digest = `sha256:${after.digest}`;
  if (format === "json") {
    const answer = { file, version: after.version, digest, ...(kept === undefined ? {} : { kept }) };
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
  } else {
    io.out(`wrote  ${safeText(file)}  version ${after.version}  ${digest}\n`);
    if (kept !== undefined) io.out(`kept   ${safeText(near(kept, io.cwd))}\n`);
  }
  if (before.roots ?? after.roots)
    io.err(`next: its roots run waybill trust sign --trust ${safeText(file)}; until then doors refuse it\n`);
}

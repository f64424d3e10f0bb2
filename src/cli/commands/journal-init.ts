import { join } from "node:path";
import { encodeVerifierKey } from "../../core/note.ts";
import { waybillHome } from "../../flows/home.ts";
import { openJournal } from "../../journal/journal.ts";
import { TRUSTED_ROOT_FILE } from "../../journal/log-root.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { counted } from "../plain-words.ts";

/** `waybill journal init`: a log of one's own under WAYBILL_HOME. Made already: says so, changes nothing. */
export const run: Run = async ({ options }, io) => {
  const origin = options.origin as string | undefined;
  const create = origin === undefined ? {} : { origin };
  const journal = await openJournal(waybillHome(io.env), { create, now: io.now() });
  const { size } = journal.checkpoint();
  const { publicKey, logId } = journal.reader.key;
  await journal.close();
  const answer = {
    origin: journal.origin,
    folder: journal.folder,
    size,
    verifierKey: encodeVerifierKey(journal.origin, publicKey, "ed25519"),
    logId,
    trustedRoot: join(journal.folder, TRUSTED_ROOT_FILE),
  };
  if (options.format === "json") io.out(`${JSON.stringify(answer, null, 2)}\n`);
  else {
    io.out(`journal ${answer.origin} in ${answer.folder}, ${counted(size, "entry")}\n`);
    io.out(`verifier key  ${answer.verifierKey}\n`);
    io.out(`trusted root  ${answer.trustedRoot}\n`);
  }
  io.err("next: whoever verifies needs the trusted root; with cosign: --trusted-root FILE\n");
  return EXIT.allowed;
};

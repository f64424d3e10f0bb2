import { WaybillError } from "../core/errors.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { makeAccessWindowStatement } from "../evidence/access-window.ts";
import { encodeStatement } from "../evidence/statement.ts";
import type { Sealer } from "../journal/access-log.ts";
import type { Journal } from "../journal/journal.ts";
import { type Envelope, IN_TOTO_PAYLOAD, signEnvelope } from "../sign/dsse.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { importPublicKey, publicKeyPem } from "../sign/keys.ts";

/**
 * Signs the windows of a service's accesses by the machine's key and logs them in its journal. The signed envelope is
 * kept with the key that made it, so that it can be logged after a crash, and after the key was replaced.
 *
 * @param service who observed, as the statement names it
 * @param say told, once until it works again, when a window cannot be logged
 */
export function windowSealer(
  journal: Journal,
  machine: SigningKey,
  service: string,
  say: (line: string) => void,
): Sealer {
  let said = false;
  return {
    sign({ root, from, to, count, refused }) {
      const statement = makeAccessWindowStatement(root, { service, from, to, count, refused });
      const payload = Buffer.from(encodeStatement(statement));
      const envelope = signEnvelope(IN_TOTO_PAYLOAD, payload, machine.privateKey);
      return `${JSON.stringify({ envelope, publicKey: publicKeyPem(machine.publicKey) })}\n`;
    },
    async log(signed) {
      try {
        const { envelope, publicKey } = parseStrictJson(signed) as unknown as {
          envelope: Envelope;
          publicKey: string;
        };
        await journal.append({ envelope, publicKey: importPublicKey(publicKey) });
        said = false;
      } catch (error) {
        if (!said) say(`accesses are recorded and not in the journal yet: ${(error as Error).message}`);
        said = true;
        throw error instanceof WaybillError
          ? error
          : new WaybillError("WB-STORE-003", "a signed window cannot be read", {
              hint: "see the access log",
            });
      }
    },
  };
}

import { WaybillError } from "../../core/errors.ts";
import { waybillHome } from "../../flows/home.ts";
import { listKeys, loadPublicKey } from "../../sign/key-store.ts";
import { publicKeyPem } from "../../sign/keys.ts";
import { trustTemplate } from "../../verify/trust-template.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { principalName } from "../options.ts";

const YEAR_MS = 365 * 86_400_000;

/** `waybill keys show`: public keys, or the text of a trust policy for one. */
export const run: Run = ({ options, positionals }, io) => {
  const home = waybillHome(io.env);
  const names =
    positionals[0] === undefined && options.trust !== true ? listKeys(home) : [positionals[0] ?? "default"];
  const keys = names.map((name) => loadPublicKey(home, name));
  if (options.trust === true) {
    const principal = principalName(options.principal);
    const expires = new Date(io.now().getTime() + YEAR_MS).toISOString().replace(/\.\d{3}Z$/, "Z");
    io.out(
      trustTemplate({
        principal,
        publicKey: publicKeyPem(keys[0]!.publicKey),
        expires,
      }),
    );
    return Promise.resolve(EXIT.allowed);
  }
  if (options.format === "json") {
    const answer = keys.map((key) => ({
      name: key.name,
      keyId: key.keyId,
      publicKey: publicKeyPem(key.publicKey),
    }));
    io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return Promise.resolve(EXIT.allowed);
  }
  if (keys.length === 0)
    throw new WaybillError("WB-INPUT-001", "there are no keys yet", { hint: "waybill keys create" });
  for (const key of keys) io.out(`${key.name}  ${key.keyId}\n${publicKeyPem(key.publicKey)}`);
  return Promise.resolve(EXIT.allowed);
};

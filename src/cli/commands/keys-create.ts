import { waybillHome } from "../../flows/home.ts";
import { createKey } from "../../sign/key-store.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { passphrase } from "../passphrase.ts";

/** `waybill keys create`: a P-256 key, encrypted, never in the agent's folder. */
export const run: Run = async ({ options, positionals }, io) => {
  const name = positionals[0] ?? "default";
  const secret = await passphrase(
    io,
    options["passphrase-file"] as string | undefined,
    `passphrase for the new key ${name}`,
  );
  const home = waybillHome(io.env);
  const key = createKey({ home, name, passphrase: secret });
  if (options.format === "json") io.out(`${JSON.stringify({ name, keyId: key.keyId }, null, 2)}\n`);
  else io.out(`created key ${name}  ${key.keyId}\n`);
  io.err(`next: waybill keys show ${name} --trust > trust.yaml, and keep it with whoever runs the agent\n`);
  return EXIT.allowed;
};

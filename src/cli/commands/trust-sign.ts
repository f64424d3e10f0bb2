import { waybillHome } from "../../flows/home.ts";
import { openTrust, signTrust } from "../../flows/trust-save.ts";
import { loadKey } from "../../sign/key-store.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { passphrase } from "../passphrase.ts";
import { near } from "../plain-words.ts";

/** `waybill trust sign`: a root's signature on the version that the policy is now. */
export const run: Run = async ({ options }, io) => {
  const named = (options.trust as string | undefined) ?? io.env.WAYBILL_TRUST;
  const { path, policy } = openTrust(named);
  const name = String(options.key);
  const secret = await passphrase(
    io,
    options["passphrase-file"] as string | undefined,
    `passphrase of key ${name}`,
  );
  const key = loadKey(waybillHome(io.env), name, secret);
  const file = signTrust(path, policy, key);
  const answer = {
    file,
    version: policy.version,
    digest: `sha256:${policy.digest}`,
    key: { name, keyId: key.keyId },
  };
  if (options.format === "json") io.out(`${JSON.stringify(answer, null, 2)}\n`);
  else {
    io.out(`signed  version ${policy.version}  ${io.paint("bold", answer.digest)}\n`);
    io.out(`with    key ${name} (${key.keyId.slice(0, 12)})\n`);
    io.out(`wrote   ${near(file, io.cwd)}\n`);
  }
  const { roots, keys } = policy;
  if (!roots) io.err("note: the policy names no roots, so no door asks for this signature\n");
  else if (!keys.some(({ keyId, principal }) => keyId === key.keyId && roots.principals.includes(principal)))
    io.err(
      `note: ${name} is no key of its roots (${roots.principals.join(", ")}); the signature counts only for an outgoing root\n`,
    );
  return EXIT.allowed;
};

import { openTrust, signTrust } from "../../flows/trust-save.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { near } from "../plain-words.ts";
import { signerFrom } from "../signer.ts";

/** `waybill trust sign`: a root's signature on the version that the policy is now. */
export const run: Run = async ({ options }, io) => {
  const named = (options.trust as string | undefined) ?? io.env.WAYBILL_TRUST;
  const { path, policy } = openTrust(named);
  const { statements, key } = await signerFrom(options, io);
  if (!key) throw new TypeError("a version is signed with a stored key");
  const { name } = key;
  const file = await signTrust(path, policy, statements);
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

import { realpathSync } from "node:fs";
import { shortDigest } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { allowRelease } from "../../flows/channel.ts";
import { waybillHome } from "../../flows/home.ts";
import { findTrust } from "../../flows/trust-source.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { targetName, wholeNumber } from "../options.ts";
import { signerFrom } from "../signer.ts";

/** `waybill channel allow`: the releaser's word on what may run at a target, until when. */
export const run: Run = async ({ options }, io) => {
  const target = targetName(options.target);
  const days = wholeNumber("days", options.days, 1, 3650);
  const retain = wholeNumber("retain", options.retain, 0, 99);
  const home = waybillHome(io.env);
  const trust = findTrust(realpathSync(String(options.dir)), options.trust as string | undefined, io.env);
  const policy = trust.origin === "operator" ? trust.policy : undefined;
  const { statements, key } = await signerFrom(options, io);
  if (!key && !policy)
    throw new WaybillError(
      "WB-INPUT-007",
      "keyless, the number of the statement cannot be told without trust",
      {
        hint: "add --trust FILE, the policy that names this identity, or set WAYBILL_TRUST",
      },
    );
  const { channel, file } = await allowRelease({
    folder: String(options.dir),
    target,
    days,
    retain,
    home,
    now: io.now(),
    trust: policy,
    signer: statements,
    ownKey: key?.publicKey,
  });
  if (options.format === "json") {
    io.out(`${JSON.stringify({ ...channel, file }, null, 2)}\n`);
    return EXIT.allowed;
  }
  io.out(`allowed  ${channel.agent} at ${target}, statement ${channel.seq}, until ${channel.expires}\n`);
  channel.releases.forEach((digest, i) => {
    io.out(`         ${shortDigest(digest)}  ${i === 0 ? "this release" : "retained"}\n`);
  });
  io.out(`wrote    ${file}\n`);
  return EXIT.allowed;
};

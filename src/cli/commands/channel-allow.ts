import { realpathSync } from "node:fs";
import { shortDigest } from "../../core/digest.ts";
import { allowRelease } from "../../flows/channel.ts";
import { waybillHome } from "../../flows/home.ts";
import { findTrust } from "../../flows/trust-source.ts";
import { loadKey } from "../../sign/key-store.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { targetName, wholeNumber } from "../options.ts";
import { passphrase } from "../passphrase.ts";

/** `waybill channel allow`: the releaser's word on what may run at a target, until when. */
export const run: Run = async ({ options }, io) => {
  const target = targetName(options.target);
  const days = wholeNumber("days", options.days, 1, 3650);
  const retain = wholeNumber("retain", options.retain, 0, 99);
  const name = String(options.key);
  const secret = await passphrase(
    io,
    options["passphrase-file"] as string | undefined,
    `passphrase of key ${name}`,
  );
  const home = waybillHome(io.env);
  const key = loadKey(home, name, secret);
  const trust = findTrust(realpathSync(String(options.dir)), options.trust as string | undefined, io.env);
  const { channel, file } = allowRelease({
    ...(trust.origin === "operator" ? { trust: trust.policy } : {}),
    folder: String(options.dir),
    target,
    days,
    retain,
    key,
    home,
    now: io.now(),
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

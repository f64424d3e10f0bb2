import { realpathSync } from "node:fs";
import { shortDigest } from "../../core/digest.ts";
import { allowRelease } from "../../flows/channel.ts";
import { waybillHome } from "../../flows/home.ts";
import { findTrust } from "../../flows/trust-source.ts";
import { loadKey, type SigningKey } from "../../sign/key-store.ts";
import type { Arguments, Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { wantsKeyless } from "../keyless-options.ts";
import { targetName, wholeNumber } from "../options.ts";
import { passphrase } from "../passphrase.ts";

/** `waybill channel allow`: the releaser's word on what may run at a target, until when. */
export const run: Run = async ({ options }, io) => {
  const target = targetName(options.target);
  const days = wholeNumber("days", options.days, 1, 3650);
  const retain = wholeNumber("retain", options.retain, 0, 99);
  const home = waybillHome(io.env);
  const trust = findTrust(realpathSync(String(options.dir)), options.trust as string | undefined, io.env);
  const policy = trust.origin === "operator" ? trust.policy : undefined;
  const wanted = { folder: String(options.dir), target, days, retain, home, now: io.now() };
  const { channel, file } = wantsKeyless(options)
    ? await (await import("./channel-keyless.ts")).allowKeyless({ ...wanted, trust: policy }, options, io)
    : allowRelease({
        ...wanted,
        ...(policy ? { trust: policy } : {}),
        key: await storedKey(options, home, io),
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

async function storedKey(options: Arguments["options"], home: string, io: Io): Promise<SigningKey> {
  const name = String(options.key);
  const file = options["passphrase-file"] as string | undefined;
  return loadKey(home, name, await passphrase(io, file, `passphrase of key ${name}`));
}

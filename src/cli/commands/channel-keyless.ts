import { WaybillError } from "../../core/errors.ts";
import type { ChannelOptions } from "../../flows/channel.ts";
import { allowReleaseWith } from "../../flows/sign-keyless.ts";
import type { Arguments } from "../command.ts";
import type { Io } from "../io.ts";
import { keylessFrom } from "../keyless.ts";

/**
 * `waybill channel allow --keyless`.
 *
 * @throws WaybillError WB-INPUT-007 without a trust policy: nothing else tells the signer's earlier statements from those
 *   that anybody put there
 */
export async function allowKeyless(
  wanted: Omit<ChannelOptions, "key">,
  options: Arguments["options"],
  io: Io,
): ReturnType<typeof allowReleaseWith> {
  const { trust } = wanted;
  if (!trust)
    throw new WaybillError(
      "WB-INPUT-007",
      "keyless, the number of the statement cannot be told without trust",
      {
        hint: "add --trust FILE, the policy that names this identity, or set WAYBILL_TRUST",
      },
    );
  return allowReleaseWith({ ...wanted, trust }, await keylessFrom(options, io));
}

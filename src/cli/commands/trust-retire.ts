import type { Json } from "../../core/canonical-json.ts";
import { isHex } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import type { TrustChange } from "../../flows/trust-edit.ts";
import { changeTrust } from "../../flows/trust-save.ts";
import { listKeys, loadPublicKey } from "../../sign/key-store.ts";
import type { Trust } from "../../verify/trust.ts";
import type { Arguments, Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { near } from "../plain-words.ts";
import { tellChange } from "../trust-change.ts";
import { instantOption, readIdentity } from "../trust-options.ts";

/** `waybill trust retire`: a key or identity that is lost, stolen (`--reason`) or merely at its end (`--until`). */
export const run: Run = async ({ options }, io) => {
  const named = (options.trust as string | undefined) ?? io.env.WAYBILL_TRUST;
  const changed = changeTrust(named, (policy) => [retirement(options, policy, io)]);
  tellChange(changed, String(options.format), io);
  const { kept } = changed;
  if (kept !== undefined)
    io.err(`next: what stops verifying: waybill trust plan ${named} AGENT --trust ${near(kept, io.cwd)}\n`);
  return Promise.resolve(EXIT.allowed);
};

function retirement(options: Arguments["options"], policy: Trust, io: Io): TrustChange {
  const until = instantOption(options, "until");
  const since = instantOption(options, "since");
  const identity = readIdentity(options);
  const key = options.key === undefined ? undefined : keyIdFor(String(options.key), policy, io);
  if ((key === undefined) === (identity === undefined))
    throw new WaybillError("WB-INPUT-007", "either --key or --identity says what is retired", {
      hint: "one of the two; waybill trust show lists what the policy names",
    });
  if (until !== undefined) {
    if (since !== undefined || options.reason !== undefined)
      throw new WaybillError("WB-INPUT-007", "--until ends a window; --since and --reason revoke", {
        hint: "a stolen key is revoked, one that is replaced in good order has an end",
      });
    return key === undefined
      ? { end: "identity", identity: identity!, at: until }
      : { end: "key", keyId: key, at: until };
  }
  if (identity?.subjectPattern !== undefined)
    throw new WaybillError("WB-INPUT-007", "an exact identity is revoked, never a pattern", {
      hint: "--identity SUBJECT; --until ends a pattern",
    });
  const entry: Record<string, Json> = {
    ...(key === undefined
      ? {
          identity: {
            ...(identity?.issuer === undefined ? {} : { issuer: identity.issuer }),
            subject: identity?.subject ?? "",
          },
        }
      : { key }),
    ...(since === undefined ? {} : { compromisedSince: since }),
    reason: String(options.reason ?? "retired"),
  };
  return { add: "revocation", entry };
}

/** A key by its id, by the beginning of the id of one that the policy names, or by its name in the store. */
function keyIdFor(text: string, policy: Trust, io: Io): string {
  if (isHex(text)) return text;
  if (/^[0-9a-f]{8,63}$/.test(text)) {
    const found = policy.keys.filter(({ keyId }) => keyId.startsWith(text));
    if (found.length === 1) return found[0]!.keyId;
  }
  const home = waybillHome(io.env);
  if (listKeys(home).includes(text)) return loadPublicKey(home, text).keyId;
  throw new WaybillError("WB-INPUT-001", `${safeText(text)} is no key of the policy, and no name of yours`, {
    hint: "waybill trust show lists the policy's keys, waybill keys show your own",
  });
}

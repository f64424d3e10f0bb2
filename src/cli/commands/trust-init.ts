import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { waybillHome } from "../../flows/home.ts";
import { completeTrust, type TrustChange } from "../../flows/trust-edit.ts";
import { liesWithAgent } from "../../flows/trust-save.ts";
import { loadVerifyKey } from "../../flows/verify-bundles.ts";
import { writeFileAtomic } from "../../hash/atomic-write.ts";
import { loadPublicKey } from "../../sign/key-store.ts";
import { publicKeyPem } from "../../sign/keys.ts";
import { trustTemplate } from "../../verify/trust-template.ts";
import type { Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { principalName, wholeNumber } from "../options.ts";
import { inDays, readIdentity, showLint, splitList } from "../trust-options.ts";

/** `waybill trust init`: a policy to begin with; nothing is fetched. */
export const run: Run = async ({ options }, io) => {
  const principal = principalName(options.principal);
  const identity = readIdentity(options);
  const publicKey =
    options["public-key"] !== undefined
      ? publicKeyPem(loadVerifyKey(String(options["public-key"])))
      : options.key !== undefined || identity === undefined
        ? publicKeyPem(loadPublicKey(waybillHome(io.env), String(options.key ?? "default")).publicKey)
        : undefined;
  const changes: TrustChange[] = [];
  if (options["sigstore-public"] === true) {
    const { SIGSTORE_PUBLIC, SIGSTORE_PUBLIC_ROOT } = await import("../../sign/sigstore-public.ts");
    changes.push({ add: "trusted-root", name: SIGSTORE_PUBLIC, root: SIGSTORE_PUBLIC_ROOT });
  }
  if (identity) changes.push({ add: "identity", principal, identity, window: {} });
  if (options.roots === true) changes.push({ add: "root", principal });
  const template = trustTemplate({
    principal,
    ...(publicKey === undefined ? {} : { publicKey }),
    expires: inDays(io.now(), wholeNumber("days", options.days, 1, 3650)),
    ...(options.agents === undefined ? {} : { agents: splitList(String(options.agents)) }),
  });
  const { source, digest } = completeTrust(template, changes);
  if (options.out === undefined) io.out(source.text);
  else {
    const file = resolve(io.cwd, String(options.out));
    if (existsSync(file))
      throw new WaybillError("WB-INPUT-010", `${String(options.out)} exists already`, {
        hint: `waybill trust add --trust ${String(options.out)} adds to it`,
      });
    writeFileAtomic(file, source.text, { exclusive: true });
    io.out(`wrote  ${safeText(String(options.out))}  version 1  sha256:${digest}\n`);
    if (liesWithAgent(file))
      io.err("note: it lies in an agent's folder, where it is self-asserted: keep it elsewhere\n");
    if (options.roots === true) io.err(`next: waybill trust sign --trust ${String(options.out)}\n`);
  }
  if (identity) showLint([identity], io);
  return EXIT.allowed;
};

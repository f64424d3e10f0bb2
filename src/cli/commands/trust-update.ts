import { canonicalJson, type Json } from "../../core/canonical-json.ts";
import { WaybillError } from "../../core/errors.ts";
import { waybillHome } from "../../flows/home.ts";
import { changeTrust, openTrust } from "../../flows/trust-save.ts";
import { fetchTrustedRoot } from "../../flows/trust-update.ts";
import { SIGSTORE_PUBLIC } from "../../sign/sigstore-public.ts";
import type { Arguments, Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import { tellChange } from "../trust-change.ts";

/** `waybill trust update`: takes over the current trusted root of a TUF repository. Goes to the network. */
export const run: Run = async ({ options }, io) => {
  const named = (options.trust as string | undefined) ?? io.env.WAYBILL_TRUST;
  const { name, ...source } = wanted(options);
  const { policy } = openTrust(named);
  const root = await fetchTrustedRoot(source, waybillHome(io.env));
  if (canonicalJson(root) === standing(policy.source.data, name)) {
    if (options.format === "json")
      io.out(
        `${JSON.stringify({ file: policy.source.file, version: policy.version, digest: `sha256:${policy.digest}` }, null, 2)}\n`,
      );
    else io.out(`the trusted root ${name} is current; nothing was changed\n`);
    return EXIT.allowed;
  }
  tellChange(
    changeTrust(named, () => [{ add: "trusted-root", name, root }]),
    String(options.format),
    io,
  );
  return EXIT.allowed;
};

function wanted(options: Arguments["options"]): { name: string; mirror?: string; root?: string } {
  const { mirror, "tuf-root": root, "root-name": name } = options;
  if (options["sigstore-public"] === true && mirror === undefined && root === undefined)
    return { name: SIGSTORE_PUBLIC };
  if (options["sigstore-public"] !== true && mirror !== undefined && root !== undefined && name !== undefined)
    return { name: String(name), mirror: String(mirror), root: String(root) };
  throw new WaybillError("WB-INPUT-007", "nothing says what to fetch, or only half of it", {
    hint: "--sigstore-public, or all of --mirror URL --tuf-root root.json --root-name NAME",
  });
}

/** The trusted root that the policy holds under this name, as canonical text. */
function standing(document: Json, name: string): string | undefined {
  const { trustedRoots } = document as { trustedRoots?: { name: string; root: Json }[] };
  const found = trustedRoots?.find((each) => each.name === name);
  return found && canonicalJson(found.root);
}

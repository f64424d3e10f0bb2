import type { Json } from "../../core/canonical-json.ts";
import { WaybillError } from "../../core/errors.ts";
import { parseVerifierKey } from "../../core/note.ts";
import { safeText } from "../../core/safe-text.ts";
import { parseStrictJson } from "../../core/strict-json.ts";
import { waybillHome } from "../../flows/home.ts";
import type { TrustChange } from "../../flows/trust-edit.ts";
import { changeTrust } from "../../flows/trust-save.ts";
import { loadVerifyKey } from "../../flows/verify-bundles.ts";
import { readTextBounded } from "../../hash/read-file.ts";
import { loadPublicKey } from "../../sign/key-store.ts";
import { publicKeyPem } from "../../sign/keys.ts";
import { parseTrustedRoot } from "../../sign/trusted-root.ts";
import type { Arguments, Run } from "../command.ts";
import { EXIT } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { principalName, wholeNumber } from "../options.ts";
import { tellChange } from "../trust-change.ts";
import { inDays, instantOption, readIdentity, showLint, splitList } from "../trust-options.ts";

/** Largest trusted_root.json that is read, in bytes. */
const MAX_ROOT_BYTES = 1 << 20;

/** `waybill trust add`: names a signer, a right, a root, a witness; the version rises and the old one is kept. */
export const run: Run = async ({ options }, io) => {
  const named = (options.trust as string | undefined) ?? io.env.WAYBILL_TRUST;
  const changes = [...(await materialChanges(options)), ...principalChanges(options, io)];
  if (options.days !== undefined)
    changes.push({ expires: inDays(io.now(), wholeNumber("days", options.days, 1, 3650)) });
  if (changes.length === 0)
    throw new WaybillError("WB-INPUT-007", "nothing to add", {
      hint: "--principal NAME with a signer or a right, --trusted-root, --witness or --days: --help has them all",
    });
  tellChange(
    changeTrust(named, () => changes),
    String(options.format),
    io,
  );
  const identity = readIdentity(options);
  if (identity) showLint([identity], io);
  return EXIT.allowed;
};

/** What verification stands on: trusted roots and witnesses. */
async function materialChanges(options: Arguments["options"]): Promise<TrustChange[]> {
  const changes: TrustChange[] = [];
  const count = (name: string) =>
    options[name] === undefined ? {} : { threshold: wholeNumber(name, options[name], 1, 100) };
  if (options["sigstore-public"] === true) {
    const { SIGSTORE_PUBLIC, SIGSTORE_PUBLIC_ROOT } = await import("../../sign/sigstore-public.ts");
    changes.push({ add: "trusted-root", name: SIGSTORE_PUBLIC, root: SIGSTORE_PUBLIC_ROOT });
  }
  for (const option of ["trusted-root", "journal"] as const) {
    const file = options[option];
    if (file === undefined) continue;
    const root = readRoot(String(file));
    const name = option === "journal" ? "journal" : String(options["root-name"] ?? "private");
    changes.push({ add: "trusted-root", name, root });
  }
  if (options.witness !== undefined) {
    const key = String(options.witness);
    const verifier = parseVerifierKey(key);
    if ("problem" in verifier)
      throw new WaybillError("WB-INPUT-007", `--witness ${safeText(key)}: ${verifier.problem}`, {
        hint: "`waybill witness` prints its verifier key",
      });
    changes.push({ add: "witness", key, ...count("witness-threshold") });
  }
  return changes;
}

function principalChanges(options: Arguments["options"], io: Io): TrustChange[] {
  const window = {
    ...keep("notBefore", instantOption(options, "not-before")),
    ...keep("notAfter", instantOption(options, "not-after")),
  };
  const identity = readIdentity(options);
  const threshold =
    options.threshold === undefined
      ? {}
      : { threshold: wholeNumber("threshold", options.threshold, 1, 1000) };
  const wanted = ["key", "public-key", "evidence"].some((name) => options[name] !== undefined);
  if (options.principal === undefined) {
    if (!wanted && !identity && options.root !== true) return [];
    throw new WaybillError("WB-INPUT-007", "--principal NAME says whose it is", {
      hint: "--principal with a name of the policy, or a new one",
    });
  }
  const principal = principalName(options.principal);
  const changes: TrustChange[] = [{ add: "principal", name: principal }];
  const pems = [
    ...(options.key === undefined
      ? []
      : [publicKeyPem(loadPublicKey(waybillHome(io.env), String(options.key)).publicKey)]),
    ...(options["public-key"] === undefined
      ? []
      : [publicKeyPem(loadVerifyKey(String(options["public-key"])))]),
  ];
  for (const publicKey of pems) changes.push({ add: "key", principal, publicKey, window });
  if (identity) changes.push({ add: "identity", principal, identity, window });
  if (options.evidence !== undefined)
    for (const evidence of splitList(String(options.evidence)))
      changes.push({
        add: "rule",
        principal,
        evidence,
        agents: splitList(String(options.agents ?? "*")),
        ...(options.targets === undefined || evidence !== "channel"
          ? {}
          : { targets: splitList(String(options.targets)) }),
        ...(options.root === true ? {} : threshold),
      });
  if (options.root === true) changes.push({ add: "root", principal, ...threshold });
  return changes;
}

function readRoot(file: string): Json {
  const text = readTextBounded(file, MAX_ROOT_BYTES, { follow: true });
  const hint = "a trusted_root.json, as `cosign trusted-root create` or `waybill journal init` writes it";
  let root: Json;
  try {
    root = parseStrictJson(text, { maxBytes: MAX_ROOT_BYTES, maxDepth: 32 });
  } catch (cause) {
    const { message } = cause as Error;
    throw new WaybillError("WB-INPUT-005", `${safeText(file)} is not JSON: ${message}`, { hint, cause });
  }
  const parsed = parseTrustedRoot(root);
  if (!("problem" in parsed)) return root;
  throw new WaybillError("WB-INPUT-006", `${safeText(file)}: ${parsed.problem}`, { hint });
}

function keep<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: string };
}

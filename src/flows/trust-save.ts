import { existsSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { makeTrustVersionStatement } from "../evidence/trust-version.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { readTextBounded } from "../hash/read-file.ts";
import type { StatementSigner } from "../sign/statement-signer.ts";
import { parseTrust, type Trust } from "../verify/trust.ts";
import { type EditedTrust, editTrust, type TrustChange } from "./trust-edit.ts";
import { readBeside, signatureFile, versionFile } from "./trust-files.ts";

/**
 * Opens a policy to change or sign it: the file itself, behind any links.
 *
 * @throws WaybillError WB-INPUT-001 without a name or a file, and those of `parseTrust`
 */
export function openTrust(named: string | undefined): { path: string; policy: Trust } {
  if (named === undefined || named === "")
    throw new WaybillError("WB-INPUT-001", "no trust policy was named", {
      hint: "--trust FILE or WAYBILL_TRUST; waybill trust init writes one to begin with",
    });
  let path: string;
  try {
    path = realpathSync(named);
  } catch (cause) {
    throw new WaybillError("WB-INPUT-001", `${named} does not exist`, {
      hint: `waybill trust init --out ${named}`,
      cause,
    });
  }
  return { path, policy: parseTrust(readTextBounded(path, MAX_YAML_BYTES), named) };
}

/** What a change of a policy has done. */
export interface ChangedTrust extends EditedTrust {
  /** Where the former version lies; absent where the version stays, for nobody has signed it yet. */
  kept?: string;
}

/**
 * Changes a policy in its place. The version that it replaces is kept beside it first: doors that have not seen
 * the new one follow the signatures from version to version. A version that needs its roots' signatures and has
 * none yet is amended instead, for no door can have accepted it.
 *
 * @param named as the caller called it
 * @throws WaybillError as `editTrust`; WB-STORE-001/002; WB-INPUT-010 when other content lies under that version
 */
export function changeTrust(named: string | undefined, make: (policy: Trust) => TrustChange[]): ChangedTrust {
  const { path, policy } = openTrust(named);
  const amend =
    policy.roots !== undefined &&
    readBeside(path, policy.version, { signaturesOnly: true }).signatures.length === 0;
  const edited = editTrust(policy.source.text, String(named), make(policy), amend);
  if (amend) {
    writeFileAtomic(path, edited.after.source.text);
    return edited;
  }
  const { before, after } = edited;
  const kept = versionFile(path, before.version);
  if (existsSync(kept)) {
    if (parseTrust(readTextBounded(kept, MAX_YAML_BYTES), kept).digest !== before.digest)
      throw new WaybillError("WB-INPUT-010", `${kept} holds another version ${before.version}`, {
        hint: "find out which one doors have accepted; give the other one a higher version",
      });
  } else writeFileAtomic(kept, before.source.text, { exclusive: true });
  writeFileAtomic(path, after.source.text);
  return { ...edited, kept };
}

/**
 * Signs the version that a policy is now, beside it.
 *
 * @returns the bundle's path
 * @throws WaybillError WB-STORE-001/002, those of `parseTrust` for the version before, and as the signer
 */
export async function signTrust(path: string, policy: Trust, signer: StatementSigner): Promise<string> {
  const former = versionFile(path, policy.version - 1);
  const previous = existsSync(former)
    ? parseTrust(readTextBounded(former, MAX_YAML_BYTES), former).digest
    : undefined;
  const statement = makeTrustVersionStatement({
    digest: policy.digest,
    version: policy.version,
    ...(previous === undefined ? {} : { previous }),
  });
  const { bundle, signerId } = await signer.sign(encodeStatement(statement));
  const file = signatureFile(path, policy.version, signerId);
  writeFileAtomic(file, bundle);
  return file;
}

/** The folder of an agent that a path lies in is no place for the trust that judges it. */
export function liesWithAgent(path: string): boolean {
  for (let at = dirname(path); ; at = dirname(at)) {
    if (existsSync(`${at}/waybill.yaml`)) return true;
    if (dirname(at) === at) return false;
  }
}

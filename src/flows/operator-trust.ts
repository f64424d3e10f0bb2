import { WaybillError } from "../core/errors.ts";
import type { Finding } from "../core/finding.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { parseTrust, type Trust } from "../verify/trust.ts";
import { trustExpired } from "../verify/trust-judge.ts";
import { trustVersion } from "../verify/trust-version.ts";
import { rememberTrust } from "./trust-memory.ts";
import { findTrust, trustVersions } from "./trust-source.ts";

/** The operator's policy where nothing lies in an agent's folder: a lone bundle, an image. */
interface OperatorTrust {
  policy: Trust;
  /** Why it must not be gone by: replayed, or not signed by its roots. Empty where it may. */
  refused: Finding[];
  notes: string[];
}

/**
 * Opens the policy that the operator names and holds it against the version that this machine accepted last, as
 * every door does; one that is accepted is remembered.
 *
 * @param file as the operator names it
 * @param options `digest` of the first policy to accept, `sha256:…`
 * @throws WaybillError as `findTrust` and `trustVersions`
 */
function operatorTrust(
  file: string,
  options: { home: string; env: NodeJS.ProcessEnv; now: Date; digest?: string | undefined },
): OperatorTrust {
  const source = findTrust(undefined, file, options.env);
  const policy = source.policy!;
  const versions = trustVersions(source, options) ?? { signatures: [], history: new Map() };
  const step = trustVersion(policy, versions, options.now);
  const refused = step.results.flatMap((result) => (result.status === "fail" ? result.findings : []));
  const forgotten = step.accepted ? rememberTrust(source, versions, options.home) : [];
  return { policy, refused, notes: [...step.notes, ...forgotten] };
}

/**
 * The operator's policy for work that has no verdict to put findings into.
 *
 * @param options `digest` as for `operatorTrust`; `home` absent: nothing is remembered and no version compared, for callers without a home folder
 * @throws WaybillError WB-INPUT-006 for a policy that must not be gone by, or is at its end; and as `operatorTrust`
 */
export function currentTrust(
  file: string,
  options: { home?: string | undefined; digest?: string | undefined; now: Date },
): Trust {
  const { home, digest, now } = options;
  const { policy, refused } =
    home === undefined
      ? { policy: parseTrust(readTextBounded(file, MAX_YAML_BYTES, { follow: true }), file), refused: [] }
      : operatorTrust(file, { home, env: process.env, digest, now });
  const [first] = refused;
  if (first) throw new WaybillError("WB-INPUT-006", `${first.message} (${first.code})`, { hint: first.fix });
  const ended = trustExpired(policy, now);
  if (ended !== null)
    throw new WaybillError("WB-INPUT-006", `${file}: ${ended}`, {
      hint: "get the current trust policy from its roots",
    });
  return policy;
}

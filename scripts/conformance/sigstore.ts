import { createPublicKey, type KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseStrictJson } from "../../src/core/strict-json.ts";
import { MAX_NAMED_BUNDLE_BYTES, parseBundle } from "../../src/sign/bundle.ts";
import type { Established } from "../../src/sign/established.ts";
import { SIGSTORE_PUBLIC_ROOT } from "../../src/sign/sigstore-public.ts";
import { parseTrustedRoot } from "../../src/sign/trusted-root.ts";
import { verifyBundle } from "../../src/sign/verify-bundle.ts";

const IDENTITY =
  "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER = "https://token.actions.githubusercontent.com";

/**
 * Runs the cases of sigstore/sigstore-conformance `test/assets/bundle-verify`: a folder a case, `a.txt` beside them.
 * A name that ends in `_fail` must be refused, every other accepted. Gives the number that came out as labelled,
 * and for the others a line each. Throws when the folder cannot be read or holds no case.
 */
export async function sigstoreSuite(dir: string): Promise<{ passed: number; failed: string[] }> {
  const cases = (await readdir(dir)).filter((name) => existsSync(join(dir, name, "bundle.sigstore.json")));
  if (cases.length === 0) throw new Error(`no folder with a bundle.sigstore.json in ${dir}`);
  const failed: string[] = [];
  for (const name of cases.sort()) {
    const refusal = await refusalOf(join(dir, name), join(dir, "a.txt"));
    if (name.endsWith("_fail") && refusal === null) failed.push(`${name}: accepted, must be refused`);
    if (!name.endsWith("_fail") && refusal !== null) failed.push(`${name}: ${refusal}`);
  }
  return { passed: cases.length - failed.length, failed };
}

/** Why a case is refused, or null when it is accepted. Bundles must be logged, as the suite's clients demand. */
export async function refusalOf(folder: string, defaultArtifact: string): Promise<string | null> {
  const at = (name: string) => join(folder, name);
  const read = async (name: string) => (existsSync(at(name)) ? await readFile(at(name), "utf8") : undefined);
  const key = await read("key.pub");
  const [identity, issuer, rootText] = [
    await read("identity"),
    await read("issuer"),
    await read("trusted_root.json"),
  ];
  // The suite passes both to the client then, which must refuse to choose.
  if (key !== undefined && (identity !== undefined || folder.includes("-and-client-identity")))
    return "a key and an identity are given";
  const bundle = parseBundle(await readFile(at("bundle.sigstore.json"), "utf8"), {
    maxBytes: MAX_NAMED_BUNDLE_BYTES,
  });
  if ("problem" in bundle) return bundle.problem;
  const root = parseTrustedRoot(rootText === undefined ? SIGSTORE_PUBLIC_ROOT : parseStrictJson(rootText));
  if ("problem" in root) return root.problem;
  if ((key === undefined) === (bundle.signer.kind === "key"))
    return "signed in another way than it shall be verified";
  const publicKey: KeyObject | undefined = key === undefined ? undefined : createPublicKey(key);
  const bytes = await readFile(existsSync(at("artifact")) ? at("artifact") : defaultArtifact);
  const result = verifyBundle(
    bundle,
    { roots: [{ name: "root", root }], findKey: () => publicKey, requireLog: true },
    { bytes },
  );
  if ("problem" in result) return `${result.problem.code} ${result.problem.detail}`;
  return identityProblem(result, (identity ?? IDENTITY).trim(), (issuer ?? ISSUER).trim());
}

function identityProblem({ signer }: Established, identity: string, issuer: string): string | null {
  if (signer.kind === "key") return null;
  const { subjects, issuer: found } = signer.identity;
  return found === issuer && subjects.includes(identity)
    ? null
    : `signed by ${subjects.join(", ")} of ${found ?? "no issuer"}`;
}

import { X509Certificate } from "node:crypto";
import { sha256 } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import type { HttpClient } from "../../net/http.ts";
import { parseBundle } from "../bundle.ts";
import type { CertificateIdentity } from "../established.ts";
import type { SignedBundle, StatementSigner } from "../statement-signer.ts";
import type { NamedRoot } from "../trusted-root.ts";
import { verifyBundle } from "../verify-bundle.ts";
import type { IdentityToken } from "./identity-token.ts";
import type { Services } from "./services.ts";
import { type CertifiedKey, newCertifiedKey, signCertified } from "./sign.ts";

/** A certificate that ends sooner than this, in milliseconds, is not used again. */
const SPARE = 120_000;

/**
 * Signs by the identity of a token: Fulcio certifies a key that lives as long as this signer, once for all statements
 * that are signed within the certificate's minutes. Each bundle is verified under the trusted root before it is given
 * out, as a door will do.
 *
 * @param options `root` is the one that names these services; `now` in milliseconds since 1970
 */
export function keylessSigner(options: {
  identity: IdentityToken;
  services: Services;
  root: NamedRoot;
  http: HttpClient;
  now: () => number;
}): StatementSigner {
  const { identity, services, root, http, now } = options;
  let key: CertifiedKey | undefined;
  return {
    sign: async (statementJson) => {
      if (key === undefined || endOf(key) - now() < SPARE)
        key = await newCertifiedKey(identity, services, http);
      const bundle = await signCertified(statementJson, key, services, http);
      return { bundle, ...namesOf(proven(bundle, services, root)) };
    },
  };
}

function endOf({ certificate }: CertifiedKey): number {
  return new X509Certificate(certificate).validToDate.getTime();
}

function proven(text: string, services: Services, root: NamedRoot): CertificateIdentity {
  const parsed = parseBundle(text);
  if ("problem" in parsed) throw unproven(root, parsed.problem);
  const established = verifyBundle(parsed, {
    roots: [root],
    findKey: () => undefined,
    requireLog: services.rekor.length > 0,
    requireTime: true,
  });
  if ("problem" in established) throw unproven(root, established.problem.detail);
  const { signer } = established;
  if (signer.kind !== "certificate") throw unproven(root, "it names no certificate");
  return signer.identity;
}

function namesOf({ issuer = "", subjects }: CertificateIdentity): Omit<SignedBundle, "bundle"> {
  const subject = subjects[0] ?? "";
  return { signerId: sha256(`${issuer}\n${subject}`), by: { identity: { subject, issuer } } };
}

function unproven(root: NamedRoot, why: string): WaybillError {
  return new WaybillError(
    "WB-NET-002",
    `what the services gave does not verify under trusted root ${root.name}: ${why}`,
    { hint: "does that root name these services? nothing was written" },
  );
}

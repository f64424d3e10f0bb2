import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { HttpClient } from "../net/http.ts";
import { AUDIENCE, ambientToken } from "../sign/keyless/ambient-token.ts";
import { describeToken, parseIdentityToken } from "../sign/keyless/identity-token.ts";
import { lackingTime, PUBLIC_GOOD, readSigningConfig, type Services } from "../sign/keyless/services.ts";
import { keylessSigner } from "../sign/keyless/signer.ts";
import { SIGSTORE_PUBLIC, SIGSTORE_PUBLIC_ROOT } from "../sign/sigstore-public.ts";
import type { StatementSigner } from "../sign/statement-signer.ts";
import { MAX_TRUSTED_ROOT_BYTES, type NamedRoot, parseTrustedRoot } from "../sign/trusted-root.ts";

/** Which services sign, and for whom. Files are named as the user named them. */
export interface KeylessOptions {
  /** An identity token; that of the CI job when absent. */
  token?: string;
  /** The issuer that the token must be of. */
  issuer?: string;
  /** Services one by one, or all in a signing_config.json; the public-good ones when absent. */
  fulcioUrl?: string;
  /** Of a Rekor v2 log. */
  rekorUrl?: string;
  tsaUrl?: string;
  signingConfig?: string;
  /** The trusted_root.json that names them; the shipped one for the public-good ones. */
  trustedRoot?: string;
}

/** What keyless signing takes from the outer world. */
export interface KeylessWorld {
  env: NodeJS.ProcessEnv;
  now(): Date;
  http?: HttpClient;
}

/**
 * Makes the signer for an identity: finds the services, the root under which their answers must verify, and the token,
 * in this order, so that what is wrong on this machine is said before anything is asked of a server.
 *
 * @throws WaybillError WB-INPUT-007 for options that do not fit together, WB-INPUT-020 without a token that counts,
 *   WB-INPUT-001..006 for the files, WB-NET-001..006 when GitHub is asked for a token
 */
export async function openKeyless(options: KeylessOptions, world: KeylessWorld): Promise<StatementSigner> {
  const http = world.http ?? new HttpClient();
  const services = servicesOf(options, world.now().getTime());
  const root = rootOf(options, services);
  const text = options.token ?? (await ambientToken(world.env, http));
  const identity = parseIdentityToken(text, world.now().getTime());
  if ("problem" in identity)
    throw new WaybillError("WB-INPUT-020", `the identity token cannot be used: ${identity.problem}`, {
      hint: "ask its issuer for a new one, with the audience `sigstore`; they live for minutes",
    });
  // Whoever holds a token may use it: Sigstore's servers are shown only what is meant for them.
  if (services === PUBLIC_GOOD && !identity.audiences.includes(AUDIENCE))
    throw new WaybillError(
      "WB-INPUT-020",
      `the identity token is not for Sigstore: ${describeToken(identity)}`,
      { hint: `ask its issuer for one with the audience \`${AUDIENCE}\`` },
    );
  if (options.issuer !== undefined && identity.issuer !== options.issuer)
    throw new WaybillError(
      "WB-INPUT-020",
      `the identity token is not of ${safeText(options.issuer)}: ${describeToken(identity)}`,
      { hint: "give the token of that issuer, or leave out --oidc-issuer" },
    );
  return keylessSigner({ identity, services, root, http, now: () => world.now().getTime() });
}

function servicesOf(options: KeylessOptions, now: number): Services {
  const { fulcioUrl, rekorUrl, tsaUrl, signingConfig } = options;
  const single = fulcioUrl !== undefined || rekorUrl !== undefined || tsaUrl !== undefined;
  if (signingConfig !== undefined) {
    if (single)
      throw unfit("a signing config and single addresses", "give --signing-config, or the addresses");
    const services = readSigningConfig(readJson(signingConfig), now);
    if ("problem" in services)
      throw new WaybillError("WB-INPUT-006", `${signingConfig}: ${services.problem}`, {
        hint: "`cosign signing-config create` writes one",
      });
    return services;
  }
  if (!single) return PUBLIC_GOOD;
  // Never half of one Sigstore and half of another: an address that is not given is not used.
  if (fulcioUrl === undefined) throw unfit("services without a Fulcio", "add --fulcio-url");
  const services: Services = {
    fulcio: address("fulcio-url", fulcioUrl),
    rekor: rekorUrl === undefined ? [] : [{ url: address("rekor-url", rekorUrl), version: 2 }],
    timestamps: tsaUrl === undefined ? [] : [address("tsa-url", tsaUrl)],
  };
  const lacking = lackingTime(services);
  if (lacking !== null) throw unfit(lacking, "add --tsa-url; a Rekor v1 log is named by --signing-config");
  return services;
}

function rootOf({ trustedRoot }: KeylessOptions, services: Services): NamedRoot {
  if (trustedRoot === undefined && services !== PUBLIC_GOOD)
    throw unfit("services of your own without their root", "add --trusted-root trusted_root.json");
  const name = trustedRoot ?? SIGSTORE_PUBLIC;
  const root = parseTrustedRoot(trustedRoot === undefined ? SIGSTORE_PUBLIC_ROOT : readJson(trustedRoot));
  if ("problem" in root)
    throw new WaybillError("WB-INPUT-006", `${name}: ${safeText(root.problem)}`, {
      hint: "`cosign trusted-root create` writes one",
    });
  return { name, root };
}

function readJson(file: string): Json {
  const text = readTextBounded(file, MAX_TRUSTED_ROOT_BYTES, { follow: true });
  try {
    return parseStrictJson(text, { maxBytes: MAX_TRUSTED_ROOT_BYTES, maxDepth: 32 });
  } catch (cause) {
    throw new WaybillError("WB-INPUT-005", `${file}: ${safeText((cause as Error).message)}`, {
      hint: "is it the file that was meant?",
      cause,
    });
  }
}

function address(option: string, text: string): URL {
  if (URL.canParse(text)) return new URL(text);
  throw unfit(`--${option} ${safeText(text)} is no address`, "give it with https:// in front");
}

function unfit(what: string, hint: string): WaybillError {
  return new WaybillError("WB-INPUT-007", `keyless signing cannot begin: ${what}`, { hint });
}

import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { settingsDigest } from "../core/settings.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { type Channel, makeChannelStatement } from "../evidence/channel.ts";
import { evidenceFileName } from "../evidence/files.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { HttpClient } from "../net/http.ts";
import { ambientToken } from "../sign/keyless/ambient-token.ts";
import { describeToken, parseIdentityToken } from "../sign/keyless/identity-token.ts";
import { lackingTime, PUBLIC_GOOD, readSigningConfig, type Services } from "../sign/keyless/services.ts";
import { keylessSigner } from "../sign/keyless/signer.ts";
import { SIGSTORE_PUBLIC, SIGSTORE_PUBLIC_ROOT } from "../sign/sigstore-public.ts";
import type { SignedBundle, StatementSigner } from "../sign/statement-signer.ts";
import { MAX_TRUSTED_ROOT_BYTES, type NamedRoot, parseTrustedRoot } from "../sign/trusted-root.ts";
import { type ChannelOptions, nextChannel } from "./channel.ts";
import { modelStatements } from "./oms-sign.ts";
import { type ModelSignature, openLocked, type SignOutcome, writeBundle } from "./sign.ts";

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
  if (options.issuer !== undefined && identity.issuer !== options.issuer)
    throw new WaybillError(
      "WB-INPUT-020",
      `the identity token is not of ${safeText(options.issuer)}: ${describeToken(identity)}`,
      { hint: "give the token of that issuer, or leave out --oidc-issuer" },
    );
  return keylessSigner({ identity, services, root, http, now: () => world.now().getTime() });
}

/** What `waybill sign --keyless` did. */
export type KeylessOutcome = Omit<SignOutcome, "key"> & Pick<SignedBundle, "by">;

/**
 * Signs the locked release and its models as `signFolder` does, with any signer. The release is signed first and nothing
 * is written before it is.
 *
 * @throws WaybillError as `openLocked` and the signer
 */
export async function signFolderWith(folder: string, signer: StatementSigner): Promise<KeylessOutcome> {
  const { path, lock, manifest, release } = openLocked(folder);
  const leaves = lock.components.map((component) => component.leaf);
  const statement = makeReleaseStatement(lock.agent, leaves, settingsDigest(lock.settings));
  const { bundle, signerId, by } = await signer.sign(encodeStatement(statement));
  const file = writeBundle(path, evidenceFileName({ evidence: "release" }, signerId), bundle);
  const models: ModelSignature[] = [];
  for (const model of modelStatements(path, manifest.components, lock.components)) {
    const { component, name } = model;
    if ("problem" in model) {
      models.push({ component, problem: model.problem });
      continue;
    }
    const signed = await signedModel(encodeStatement(model.statement), signer);
    if ("problem" in signed) models.push({ component, problem: signed.problem });
    else {
      const into = evidenceFileName({ evidence: "model", name }, signed.signerId);
      models.push({ component, file: writeBundle(path, into, signed.bundle) });
    }
  }
  return { release, file, by, models };
}

/**
 * Signs the next channel statement as `allowRelease` does, with any signer.
 *
 * @param options `trust` says whose earlier statements count, the signer's own among them
 * @throws WaybillError as `nextChannel` and the signer
 */
export async function allowReleaseWith(
  options: Omit<ChannelOptions, "key" | "trust"> & { trust: NonNullable<ChannelOptions["trust"]> },
  signer: StatementSigner,
): Promise<{ channel: Channel; file: string }> {
  const { path, channel } = nextChannel({ ...options, isOwn: () => false });
  const { bundle, signerId } = await signer.sign(encodeStatement(makeChannelStatement(channel)));
  const name = evidenceFileName({ evidence: "channel", target: options.target }, signerId);
  return { channel, file: writeBundle(path, name, bundle) };
}

/** A model of too many files is no reason not to sign the release. */
async function signedModel(
  statement: string,
  signer: StatementSigner,
): Promise<SignedBundle | { problem: string }> {
  try {
    return await signer.sign(statement);
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== "WB-INPUT-003") throw error;
    return { problem: error.message };
  }
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
      hint: "is this the right file?",
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

import { WaybillError } from "../core/errors.ts";
import { type KeylessOptions, openKeyless } from "../flows/sign-keyless.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { HttpClient } from "../net/http.ts";
import { MAX_TOKEN_BYTES } from "../sign/keyless/identity-token.ts";
import type { StatementSigner } from "../sign/statement-signer.ts";
import type { Arguments } from "./command.ts";
import type { Io } from "./io.ts";
import { KEYLESS_OPTIONS } from "./keyless-options.ts";

/**
 * The keyless signer that the options ask for.
 *
 * @throws WaybillError WB-INPUT-007 for such an option without --keyless, and as `openKeyless`
 */
export async function keylessFrom(options: Arguments["options"], io: Io): Promise<StatementSigner> {
  if (!options.keyless) {
    const stray = Object.keys(KEYLESS_OPTIONS).find((name) => options[name] !== undefined);
    throw new WaybillError("WB-INPUT-007", `--${stray} is for keyless signing`, { hint: "add --keyless" });
  }
  const fields = {
    token: await tokenOf(options["identity-token"]),
    issuer: options["oidc-issuer"],
    fulcioUrl: options["fulcio-url"],
    rekorUrl: options["rekor-url"],
    tsaUrl: options["tsa-url"],
    signingConfig: options["signing-config"],
    trustedRoot: options["trusted-root"],
  };
  const given = Object.entries(fields).filter(([, value]) => typeof value === "string");
  const http = new HttpClient({ signal: io.signal });
  return openKeyless(Object.fromEntries(given) as KeylessOptions, { env: io.env, now: io.now, http });
}

async function tokenOf(file: string | boolean | undefined): Promise<string | undefined> {
  if (typeof file !== "string") return undefined;
  if (file !== "-") return readTextBounded(file, MAX_TOKEN_BYTES, { follow: true });
  let token = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) {
    token += chunk;
    // What is longer is refused by whoever parses it.
    if (token.length > MAX_TOKEN_BYTES) break;
  }
  return token;
}

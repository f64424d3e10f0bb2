import type { Arguments, OptionSpec } from "./command.ts";

const text = (value: string, help: string): OptionSpec => ({ type: "string", value, help });

/** The options of commands that can sign without a stored key. */
export const KEYLESS_OPTIONS = {
  keyless: {
    type: "boolean",
    help: "sign as a CI job or person, by servers of a Sigstore",
  },
  "identity-token": text("FILE", "OIDC token, - for stdin; default: the CI job's own"),
  "oidc-issuer": text("URL", "the issuer that the token must be of"),
  "fulcio-url": text("URL", "a private Fulcio; default: Sigstore's public one"),
  "rekor-url": text("URL", "its Rekor v2 log"),
  "tsa-url": text("URL", "its timestamp authority, with the path"),
  "signing-config": text("FILE", "all of these in a signing_config.json"),
  "trusted-root": text("FILE", "trusted_root.json of the private services"),
} satisfies Record<string, OptionSpec>;

/** Whether any of them was given. What does not fit together is said by `keylessFrom`. */
export function wantsKeyless(options: Arguments["options"]): boolean {
  return Object.keys(KEYLESS_OPTIONS).some((name) => options[name] !== undefined && options[name] !== false);
}

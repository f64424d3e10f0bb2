import { LEVELS } from "../core/finding.ts";
import type { OptionSpec } from "./command.ts";

// Options that several commands take.

export const dir: OptionSpec = {
  type: "string",
  short: "C",
  value: "DIR",
  default: ".",
  help: "the agent's folder",
};
/** The formats of an answer; text when none is named. */
export const format = (...oneOf: string[]): OptionSpec => ({
  type: "string",
  value: "FORMAT",
  default: "text",
  oneOf,
  help: `${oneOf.join(", ")}`,
});
export const trust: OptionSpec = {
  type: "string",
  value: "FILE",
  help: "the operator's trust policy; default: $WAYBILL_TRUST",
};
export const trustDigest: OptionSpec = {
  type: "string",
  value: "DIGEST",
  help: "sha256:… of the first trust policy to accept; default: $WAYBILL_TRUST_DIGEST",
};
export const target: OptionSpec = {
  type: "string",
  value: "NAME",
  default: "production",
  help: "the target whose channel applies",
};
export const level: OptionSpec = {
  type: "string",
  value: "LEVEL",
  default: "baseline",
  oneOf: LEVELS,
  help: `what is demanded: ${LEVELS.join(", ")}`,
};
export const verdictFormats = format("text", "json", "sarif", "github");

/** An option with a value. */
export const text = (value: string, help: string): OptionSpec => ({ type: "string", value, help });

/** The options of every command that talks to a registry. */
export const REGISTRY_OPTIONS = {
  "plain-http": {
    type: "string",
    value: "HOSTS",
    help: "registries, with commas between them, that speak plain http; this machine may always",
  },
  mirror: {
    type: "string",
    value: "HOST=URL",
    help: "a server that is asked first for what a digest names; several with commas between them",
  },
} satisfies Record<string, OptionSpec>;

/** Which stored key signs. */
export const key: OptionSpec = {
  type: "string",
  value: "NAME",
  default: "default",
  help: "a key of `waybill keys`",
};

/** Where its passphrase is. */
export const passphraseFile: OptionSpec = {
  type: "string",
  value: "FILE",
  help: "file of the passphrase; default: $WAYBILL_PASSPHRASE, else asked",
};

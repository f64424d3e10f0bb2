import type { Command } from "../command.ts";
import { format, passphraseFile } from "../option-specs.ts";

/** Commands about keys of your own. */
export const KEYS_COMMANDS: readonly Command[] = [
  {
    name: "keys create",
    summary: "create an encrypted P-256 key under WAYBILL_HOME",
    operands: "[NAME]",
    count: [0, 1],
    options: { "passphrase-file": passphraseFile, format: format("text", "json") },
    examples: ["waybill keys create", "waybill keys create release"],
    load: async () => (await import("../commands/keys-create.ts")).run,
  },
  {
    name: "keys show",
    summary: "show public keys, or a trust policy that names one",
    operands: "[NAME]",
    count: [0, 1],
    options: {
      trust: { type: "boolean", help: "print a trust policy for this key" },
      principal: {
        type: "string",
        value: "NAME",
        default: "releaser",
        help: "with --trust: whose key it is",
      },
      format: format("text", "json"),
    },
    examples: ["waybill keys show", "waybill keys show release --trust > /etc/waybill/trust.yaml"],
    load: async () => (await import("../commands/keys-show.ts")).run,
  },
];

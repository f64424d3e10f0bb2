import { DOORS, LEVELS } from "../core/finding.ts";
import type { Command, OptionSpec } from "./command.ts";

const dir: OptionSpec = {
  type: "string",
  short: "C",
  value: "DIR",
  default: ".",
  help: "the agent's folder",
};
const format = (...oneOf: string[]): OptionSpec => ({
  type: "string",
  value: "FORMAT",
  default: "text",
  oneOf,
  help: `${oneOf.join(", ")}`,
});
const trust: OptionSpec = {
  type: "string",
  value: "FILE",
  help: "the operator's trust policy; default: $WAYBILL_TRUST",
};
const target: OptionSpec = {
  type: "string",
  value: "NAME",
  default: "production",
  help: "the target whose channel applies",
};
const level: OptionSpec = {
  type: "string",
  value: "LEVEL",
  default: "baseline",
  oneOf: LEVELS,
  help: `what is demanded: ${LEVELS.join(", ")}`,
};
const key: OptionSpec = {
  type: "string",
  value: "NAME",
  default: "default",
  help: "a key of `waybill keys`",
};
const passphraseFile: OptionSpec = {
  type: "string",
  value: "FILE",
  help: "file of the passphrase; default: $WAYBILL_PASSPHRASE, else asked",
};
const verdictFormats = format("text", "json", "sarif", "github");

/** Every command: help, dispatch and docs/cli.md are made of this table. */
export const COMMANDS: readonly Command[] = [
  {
    name: "init",
    summary: "find the components of a folder and write waybill.yaml",
    count: [0, 0],
    options: {
      dir,
      print: { type: "boolean", help: "print the manifest, write nothing" },
      format: format("text", "json"),
    },
    examples: ["waybill init", "waybill init --print"],
    load: async () => (await import("./commands/init.ts")).run,
  },
  {
    name: "lock",
    summary: "pin every component and the settings into waybill.lock",
    count: [0, 0],
    options: {
      dir,
      sha256sums: { type: "boolean", help: "also write waybill.sha256sums for `sha256sum --check`" },
      format: format("text", "json"),
    },
    examples: ["waybill lock", "waybill lock --sha256sums && sha256sum --check waybill.sha256sums"],
    load: async () => (await import("./commands/lock.ts")).run,
  },
  {
    name: "check",
    summary: "run every check on what is proposed (door ci)",
    count: [0, 0],
    options: { dir, level, format: verdictFormats },
    examples: [
      "waybill check",
      "waybill check --format github",
      "waybill check --level strict --format sarif",
    ],
    load: async () => (await import("./commands/check.ts")).run,
  },
  {
    name: "sign",
    summary: "sign the locked release",
    count: [0, 0],
    options: { dir, key, "passphrase-file": passphraseFile, format: format("text", "json") },
    examples: ["waybill sign", "waybill sign --key release"],
    load: async () => (await import("./commands/sign.ts")).run,
  },
  {
    name: "verify",
    summary: "verify bytes, settings, signatures and freshness at a door",
    count: [0, 0],
    options: {
      dir,
      trust,
      door: { type: "string", value: "DOOR", default: "start", oneOf: DOORS, help: DOORS.join(", ") },
      target,
      level,
      format: verdictFormats,
    },
    examples: [
      "waybill verify --trust /etc/waybill/trust.yaml",
      "waybill verify --door start --level strict",
    ],
    load: async () => (await import("./commands/verify.ts")).run,
  },
  {
    name: "run",
    summary: "verify, then start the declared command out of a private copy",
    operands: "[-- CMD…]",
    count: [0, 1024],
    options: {
      dir,
      trust,
      target,
      level: { ...level, oneOf: ["baseline", "strict"], help: "what is demanded: baseline, strict" },
      format: format("text", "json"),
    },
    examples: ["waybill run", "waybill run --level strict -- node src/server.ts"],
    load: async () => (await import("./commands/run.ts")).run,
  },
  {
    name: "channel allow",
    summary: "sign that the locked release may run at a target, until a date",
    count: [0, 0],
    options: {
      dir,
      target,
      trust: { ...trust, help: "also count statements of releasers whom this policy names" },
      days: { type: "string", value: "N", default: "30", help: "how long it counts" },
      retain: { type: "string", value: "N", default: "3", help: "earlier releases that stay allowed" },
      key,
      "passphrase-file": passphraseFile,
      format: format("text", "json"),
    },
    examples: ["waybill channel allow", "waybill channel allow --target staging --days 7"],
    load: async () => (await import("./commands/channel-allow.ts")).run,
  },
  {
    name: "keys create",
    summary: "create an encrypted P-256 key under WAYBILL_HOME",
    operands: "[NAME]",
    count: [0, 1],
    options: { "passphrase-file": passphraseFile, format: format("text", "json") },
    examples: ["waybill keys create", "waybill keys create release"],
    load: async () => (await import("./commands/keys-create.ts")).run,
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
    load: async () => (await import("./commands/keys-show.ts")).run,
  },
  {
    name: "explain",
    summary: "what a code means, why it matters and how to put it right",
    operands: "[CODE]",
    count: [0, 1],
    options: { format: format("text", "json") },
    examples: ["waybill explain WB-PROMPT-001", "waybill explain"],
    load: async () => (await import("./commands/explain.ts")).run,
  },
];

import type { Command, OptionSpec } from "../command.ts";
import { format, key, passphraseFile, text, trust, trustDigest } from "../option-specs.ts";

const changedTrust: OptionSpec = { ...trust, help: "the trust policy to change; default: $WAYBILL_TRUST" };

const identityOptions: Record<string, OptionSpec> = {
  identity: text("SUBJECT", "exactly this subject of a certificate"),
  "identity-pattern": text("PATTERN", "instead: * within a path segment, ** anything"),
  issuer: text("URL", "who vouches for it: the OIDC issuer"),
  "from-root": text("NAMES", "trusted roots whose authorities may issue it"),
};

/** Commands about the trust policy. */
export const TRUST_COMMANDS: readonly Command[] = [
  {
    name: "trust init",
    summary: "write a trust policy to begin with",
    count: [0, 0],
    options: {
      principal: { ...text("NAME", "who may sign releases and channels"), default: "releaser" },
      key: text("NAME", "its key, of `waybill keys`; default, when no other signer is given: default"),
      "public-key": text("FILE", "its public key in PEM"),
      ...identityOptions,
      agents: text("NAMES", "agents that it may sign for; default: every one"),
      "sigstore-public": {
        type: "boolean",
        help: "trust Sigstore's public instance (the root shipped here)",
      },
      roots: { type: "boolean", help: "the principal signs versions of the policy too" },
      days: { ...text("N", "how long the policy counts"), default: "365" },
      out: text("FILE", "where to write it; default: standard output"),
    },
    examples: [
      "waybill trust init --out /etc/waybill/trust.yaml",
      "waybill trust init --sigstore-public --issuer https://token.actions.githubusercontent.com --identity https://github.com/ORG/REPO/.github/workflows/release.yml@refs/heads/main",
    ],
    load: async () => (await import("../commands/trust-init.ts")).run,
  },
  {
    name: "trust add",
    summary: "add a signer, a right, a trusted root or a witness",
    count: [0, 0],
    options: {
      trust: changedTrust,
      principal: text("NAME", "whose it is; a new name makes a new principal"),
      key: text("NAME", "a key of `waybill keys`"),
      "public-key": text("FILE", "a public key in PEM"),
      ...identityOptions,
      "not-before": text("INSTANT", "the key or identity counts from then"),
      "not-after": text("INSTANT", "the key or identity counts until then"),
      evidence: text("TYPES", "what the principal may sign: release,channel,sbom…"),
      agents: text("NAMES", "with --evidence: for these agents; default: every one"),
      targets: text("NAMES", "with --evidence channel: at these targets; default: every one"),
      root: { type: "boolean", help: "the principal signs versions of the policy" },
      threshold: text("N", "how many principals must sign, for the rule or the roots"),
      "sigstore-public": {
        type: "boolean",
        help: "trust Sigstore's public instance (the root shipped here)",
      },
      "trusted-root": text("FILE", "trust the authorities of a trusted_root.json"),
      "root-name": text("NAME", "how identities call it; default: private"),
      journal: text("FILE", "trust the log of a trusted_root.json that a journal wrote"),
      witness: text("KEY", "trust a witness: its verifier key name+hash+base64"),
      "witness-threshold": text("N", "how many witnesses must have cosigned"),
      days: text("N", "let the policy count for so many days from now"),
      format: format("text", "json"),
    },
    examples: [
      "waybill trust add --principal bob --public-key bob.pub --evidence release --threshold 2",
      "waybill trust add --principal ci --issuer https://gitlab.com --identity https://gitlab.com/GROUP/PROJECT//.gitlab-ci.yml@refs/heads/main",
    ],
    load: async () => (await import("../commands/trust-add.ts")).run,
  },
  {
    name: "trust retire",
    summary: "revoke a key or an identity, or give it an end",
    count: [0, 0],
    options: {
      trust: changedTrust,
      key: text("KEY", "key id, the beginning of one, or a name of `waybill keys`"),
      ...identityOptions,
      since: text("INSTANT", "compromised since then: signatures proved to be older still count"),
      reason: text("TEXT", "why it is revoked; default: retired"),
      until: text("INSTANT", "do not revoke: it counts until then"),
      format: format("text", "json"),
    },
    examples: [
      'waybill trust retire --key 56012fab --since 2026-05-01T00:00:00Z --reason "laptop stolen"',
      "waybill trust retire --key old --until 2027-01-01T00:00:00Z",
    ],
    load: async () => (await import("../commands/trust-retire.ts")).run,
  },
  {
    name: "trust show",
    summary: "who may sign what, until when, and what is wrong with the policy",
    operands: "[FILE]",
    count: [0, 1],
    options: { trust, "trust-digest": trustDigest, format: format("text", "json") },
    examples: ["waybill trust show /etc/waybill/trust.yaml"],
    load: async () => (await import("../commands/trust-show.ts")).run,
  },
  {
    name: "trust plan",
    summary: "what would stop verifying under another trust policy",
    operands: "NEW [AGENT|BUNDLE…]",
    count: [1, 1000],
    options: {
      trust: { ...trust, help: "the current one; default: $WAYBILL_TRUST" },
      format: format("text", "json"),
    },
    examples: [
      "waybill trust plan new.yaml",
      "waybill trust plan new.yaml --trust trust.yaml agents/support",
    ],
    load: async () => (await import("../commands/trust-plan.ts")).run,
  },
  {
    name: "trust sign",
    summary: "sign the version that a trust policy is now, as one of its roots",
    count: [0, 0],
    options: {
      trust: { ...trust, help: "the trust policy; default: $WAYBILL_TRUST" },
      key,
      "passphrase-file": passphraseFile,
      format: format("text", "json"),
    },
    examples: ["waybill trust sign --trust /etc/waybill/trust.yaml --key root"],
    load: async () => (await import("../commands/trust-sign.ts")).run,
  },
  {
    name: "trust update",
    summary: "fetch the current root of Sigstore's public instance, by TUF",
    count: [0, 0],
    options: {
      trust: changedTrust,
      "sigstore-public": { type: "boolean", help: "Sigstore's public instance; goes to the network" },
      mirror: text("URL", "another TUF repository instead"),
      "tuf-root": text("FILE", "with --mirror: its root.json, which you trust"),
      "root-name": text("NAME", "with --mirror: how the policy calls the trusted root"),
      format: format("text", "json"),
    },
    examples: ["waybill trust update --trust /etc/waybill/trust.yaml --sigstore-public"],
    load: async () => (await import("../commands/trust-update.ts")).run,
  },
];

import type { Command } from "../command.ts";
import { format, key, passphraseFile, text, trust } from "../option-specs.ts";

/** Commands about a model that belongs to no agent. */
export const MODEL_COMMANDS: readonly Command[] = [
  {
    name: "model sign",
    summary: "sign a bare model folder or file (OMS)",
    operands: "PATH",
    count: [1, 1],
    options: {
      key,
      "passphrase-file": passphraseFile,
      out: text("FILE", "where the signature goes; default: PATH/model.sig, for a file PATH.sig"),
      format: format("text", "json"),
    },
    examples: ["waybill model sign models/base", "waybill model sign base.gguf --out base.gguf.sig"],
    load: async () => (await import("../commands/model-sign.ts")).run,
  },
  {
    name: "model verify",
    summary: "verify a bare model against its signature (OMS)",
    operands: "PATH",
    count: [1, 1],
    options: {
      signature: text("FILE", "default: PATH/model.sig, for a file PATH.sig"),
      key: text("FILE", "the public key that must have signed, PEM"),
      trust: { ...trust, help: "a trust policy that has rules for `model`" },
      agent: text("NAME", "with --trust: the agent that the model is for"),
      "certificate-chain": text("FILE", "roots in PEM, for a signer with a certificate"),
      identity: text("NAME", "who must have signed, as its certificate says"),
      issuer: text("URL", "who vouches for the identity"),
      "trusted-root": text("ROOT", "a trusted_root.json; default: sigstore-public"),
      "ignore-unsigned-files": { type: "boolean", help: "accept files that are not signed, and list them" },
      format: format("text", "json"),
    },
    examples: [
      "waybill model verify models/base --key publisher.pub",
      "waybill model verify models/base --certificate-chain roots.pem",
      "waybill model verify w.gguf --identity a@b.example --issuer https://c.example",
    ],
    load: async () => (await import("../commands/model-verify.ts")).run,
  },
];

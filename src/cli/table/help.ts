import type { Command } from "../command.ts";
import { format, REGISTRY_OPTIONS } from "../option-specs.ts";

/** Commands that explain. */
export const HELP_COMMANDS: readonly Command[] = [
  {
    name: "doctor",
    summary: "which other verifiers would accept it, and why not",
    operands: "BUNDLE|IMAGE",
    count: [1, 1],
    options: {
      key: { type: "string", value: "FILE", help: "the public key in PEM that should have signed it" },
      identity: { type: "string", value: "NAME", help: "whom its certificate should be for" },
      issuer: { type: "string", value: "URL", help: "on whose word the certificate should be issued" },
      "trusted-root": {
        type: "string",
        value: "FILE",
        help: "a trusted_root.json, or sigstore-public, which is the default for certificates",
      },
      artifact: { type: "string", value: "PATH", help: "the signed file, or the model's folder" },
      digest: { type: "string", value: "ALG:HEX", help: "the artifact's digest instead" },
      ...REGISTRY_OPTIONS,
      for: { type: "string", value: "NAMES", help: "ask only these: waybill,cosign2,cosign3,…" },
      format: format("text", "json"),
    },
    examples: [
      "waybill doctor model.sig --key k.pub --artifact model/",
      "waybill doctor registry.example/agent:1.2 --key k.pub --for cosign3,kyverno",
    ],
    load: async () => (await import("../commands/doctor.ts")).run,
  },
  {
    name: "explain",
    summary: "what a code means, why it matters and how to put it right",
    operands: "[CODE]",
    count: [0, 1],
    options: { format: format("text", "json") },
    examples: ["waybill explain WB-PROMPT-001", "waybill explain"],
    load: async () => (await import("../commands/explain.ts")).run,
  },
];

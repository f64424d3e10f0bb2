import type { Command } from "../command.ts";
import { format, text, trust } from "../option-specs.ts";

/** Commands about transparency logs. */
export const JOURNAL_COMMANDS: readonly Command[] = [
  {
    name: "journal init",
    summary: "make a transparency log of one's own under WAYBILL_HOME",
    count: [0, 0],
    options: {
      origin: {
        type: "string",
        value: "HOST",
        help: "the log's name for ever, a host name; default: made of its key",
      },
      format: format("text", "json"),
    },
    examples: ["waybill journal init", "waybill journal init --origin log.example.org"],
    load: async () => (await import("../commands/journal-init.ts")).run,
  },
  {
    name: "journal show",
    summary: "the journal's head, its key and its newest entries",
    count: [0, 0],
    options: {
      last: { type: "string", value: "N", default: "20", help: "how many entries" },
      format: format("text", "json"),
    },
    examples: ["waybill journal show", "waybill journal show --last 100 --format json"],
    load: async () => (await import("../commands/journal-show.ts")).run,
  },
  {
    name: "journal prove",
    summary: "prove that an entry is in the journal",
    operands: "INDEX|DIGEST",
    count: [1, 1],
    options: { format: format("text", "json") },
    examples: ["waybill journal prove 0", "waybill journal prove sha256:DIGEST --format json"],
    load: async () => (await import("../commands/journal-prove.ts")).run,
  },
  {
    name: "journal serve",
    summary: "serve it over HTTP, for makers whom trust names (Rekor v2)",
    count: [0, 0],
    options: {
      trust: { ...trust, help: "whose entries are taken; default: $WAYBILL_TRUST" },
      host: { ...text("ADDRESS", "where to listen"), default: "127.0.0.1" },
      port: { ...text("PORT", "0 for any free one"), default: "3000" },
      witness: text("URL=KEY,…", "witnesses that cosign; default: the saved ones"),
    },
    examples: [
      "waybill journal serve --trust /etc/waybill/trust.yaml",
      "waybill journal serve --trust trust.yaml --port 0",
    ],
    load: async () => (await import("../commands/journal-serve.ts")).run,
  },
  {
    name: "journal upload",
    summary: "store bundles beside their entries that came from outside",
    operands: "BUNDLE…",
    count: [1, 1000],
    options: { format: format("text", "json") },
    examples: ["waybill journal upload sbom.sigstore.json"],
    load: async () => (await import("../commands/journal-upload.ts")).run,
  },
  {
    name: "journal cosign",
    summary: "ask witnesses to cosign the journal's checkpoint",
    count: [0, 0],
    options: {
      witness: text("URL=KEY,…", "whom to ask; default: the saved ones"),
      save: { type: "boolean", help: "save them: `journal serve` and every signature ask them too" },
      format: format("text", "json"),
    },
    examples: [
      "waybill journal cosign",
      "waybill journal cosign --save --witness https://witness.example=witness.example+HASH+KEY",
    ],
    load: async () => (await import("../commands/journal-cosign.ts")).run,
  },
  ...["journal fsck", "fsck"].map(
    (name): Command => ({
      name,
      summary: name === "fsck" ? "the same as `journal fsck`" : "check every byte of the journal",
      count: [0, 0],
      options: {
        operator: {
          type: "string",
          value: "KEYID,…",
          help: "keys that may erase envelopes and vouch for entries from outside, beside those of this home",
        },
        format: format("text", "json"),
      },
      examples: [`waybill ${name}`, `waybill ${name} --format json`],
      load: async () => (await import("../commands/journal-fsck.ts")).run,
    }),
  ),
  {
    name: "witness",
    summary: "cosign the checkpoints of other logs (C2SP tlog-witness)",
    count: [0, 0],
    options: {
      log: text("KEY,…", "verifier keys of the logs, as `waybill journal show` prints them"),
      name: text("NAME", "its name for ever; default: made of its key"),
      host: { ...text("ADDRESS", "where to listen"), default: "127.0.0.1" },
      port: { ...text("PORT", "0 for any free one"), default: "3001" },
    },
    examples: ["waybill witness --name witness.example.org --log log.example.org+HASH+KEY"],
    load: async () => (await import("../commands/witness.ts")).run,
  },
];

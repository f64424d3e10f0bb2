import { DOORS } from "../core/finding.ts";
import type { Command } from "./command.ts";
import {
  dir,
  level,
  REGISTRY_OPTIONS,
  target,
  text,
  trust,
  trustDigest,
  verdictFormats,
} from "./option-specs.ts";

/** The table's entry of `waybill verify`, apart from the others: it runs at every door and must start fast. */
export const VERIFY: Command = {
  name: "verify",
  summary: "verify a release at a door, Sigstore bundles, or an image",
  operands: "[BUNDLE…|IMAGE]",
  count: [0, 10_000],
  options: {
    dir,
    trust,
    "trust-digest": trustDigest,
    door: { type: "string", value: "DOOR", default: "start", oneOf: DOORS, help: DOORS.join(", ") },
    target,
    level,
    key: { type: "string", value: "FILE", help: "bundles: the public key that must have signed" },
    identity: {
      type: "string",
      value: "NAME",
      help: "bundles: who must have signed, by certificate",
    },
    issuer: { type: "string", value: "URL", help: "bundles: who vouches for the identity" },
    "trusted-root": {
      type: "string",
      value: "ROOT",
      help: "bundles: a trusted_root.json, or sigstore-public",
    },
    artifact: { type: "string", value: "FILE", help: "bundles: the file that they must be about" },
    digest: { type: "string", value: "DIGEST", help: "bundles: its digest, sha256:HEX" },
    type: { type: "string", value: "TYPE", help: "bundles: the predicate type, a URI or a short name" },
    agent: { type: "string", value: "NAME", help: "bundles, with --trust: the agent it is about" },
    "require-log": { type: "boolean", help: "bundles: refuse what is in no trusted log" },
    platform: text("OS/ARCH", "images: the platform's image of an index"),
    ...REGISTRY_OPTIONS,
    format: verdictFormats,
  },
  examples: [
    "waybill verify --trust /etc/waybill/trust.yaml",
    "waybill verify --door start --level strict",
    "waybill verify registry.example/team/agent:1.2 --key cosign.pub --platform linux/amd64",
    "waybill verify sbom.sigstore.json --key cosign.pub --artifact app.tar",
    "waybill verify a.json --identity ci@example.com --issuer https://example.com",
  ],
  load: async () => (await import("./commands/verify.ts")).run,
};

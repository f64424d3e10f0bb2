import type { Json } from "../core/canonical-json.ts";
import type { PublicLogKey } from "./log-key.ts";

/** File of the trusted root that names this log alone. */
export const TRUSTED_ROOT_FILE = "trusted_root.json";

/**
 * The text of a Sigstore trusted root (protobuf-specs, sigstore_trustroot.proto) whose only log is this one: what
 * `cosign --trusted-root` takes, and what a trust policy names to trust the journal. cosign wants the origin to be
 * the host of `baseUrl`.
 *
 * @param start RFC 3339: when the log was made
 */
export function encodeLogRoot(
  origin: string,
  key: Pick<PublicLogKey, "publicKey" | "logId">,
  start: string,
): string {
  const publicKey = key.publicKey.export({ type: "spki", format: "der" });
  const root: Json = {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [
      {
        baseUrl: `https://${origin}`,
        hashAlgorithm: "SHA2_256",
        publicKey: {
          rawBytes: publicKey.toString("base64"),
          keyDetails: "PKIX_ED25519",
          validFor: { start },
        },
        logId: { keyId: Buffer.from(key.logId, "hex").toString("base64") },
      },
    ],
    certificateAuthorities: [],
    ctlogs: [],
    timestampAuthorities: [],
  };
  return `${JSON.stringify(root, null, 2)}\n`;
}

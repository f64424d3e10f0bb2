import type { Hex } from "../core/digest.ts";
import { makeKeyBundle } from "./bundle.ts";
import type { SigningKey } from "./key-store.ts";

/** A statement in a bundle, and by whom. */
export interface SignedBundle {
  /** The bundle's text: RFC 8785 JSON and a newline. */
  bundle: string;
  /** The signer's name for files: the key id, or SHA-256 of issuer, LF and subject. */
  signerId: Hex;
  by: { key: { name: string; keyId: Hex } } | { identity: { subject: string; issuer: string } };
}

/** Whoever signs statements: a stored key, or a CI job by its identity. */
export interface StatementSigner {
  /**
   * Signs a statement into a Sigstore bundle v0.3.
   *
   * @param statementJson its exact text (`encodeStatement`)
   * @throws WaybillError WB-INPUT-003 when the bundle would exceed 1 MiB; WB-NET-001..006 for a signer that asks servers
   */
  sign(statementJson: string): Promise<SignedBundle>;
}

/** Signs with a stored key; nothing leaves this machine. */
export function keySigner(key: SigningKey): StatementSigner {
  const { name, keyId, privateKey } = key;
  return {
    sign: async (statementJson) => ({
      bundle: makeKeyBundle(statementJson, privateKey),
      signerId: keyId,
      by: { key: { name, keyId } },
    }),
  };
}

import type { KeyObject } from "node:crypto";
import type { Hex } from "../core/digest.ts";
import { makeKeyBundle } from "./bundle.ts";
import type { SigningKey } from "./key-store.ts";

/** A statement in a bundle, and by whom. */
export interface SignedBundle {
  /** The bundle's text: RFC 8785 JSON and a newline. */
  bundle: string;
  /** The signer's name for files: the key id, or SHA-256 of issuer, LF and subject. */
  signerId: Hex;
  /** Of a signer with a key: its public half. */
  publicKey?: KeyObject;
  by: { key: { name: string; keyId: Hex } } | { identity: { subject: string; issuer: string } };
}

/** How a bundle is wanted. */
export interface BundleWish {
  /** The form in which a key is named: model_signing knows its own alone. cosign's when not given. */
  hint?: "cosign" | "oms";
  /** Largest bundle; 1 MiB when not given. */
  maxBytes?: number;
}

/** Whoever signs statements: a stored key, or a CI job by its identity. */
export interface StatementSigner {
  /**
   * Signs a statement into a Sigstore bundle v0.3.
   *
   * @param statementJson its exact text (`encodeStatement`)
   * @throws WaybillError WB-INPUT-003 when the bundle would be too large; WB-NET-001..006 for a signer that asks servers
   */
  sign(statementJson: string, wish?: BundleWish): Promise<SignedBundle>;
}

/** Signs with a stored key; nothing leaves this machine. */
export function keySigner(key: SigningKey): StatementSigner {
  const { name, keyId, privateKey, publicKey } = key;
  return {
    sign: async (statementJson, wish) => ({
      bundle: makeKeyBundle(statementJson, privateKey, wish),
      signerId: keyId,
      publicKey,
      by: { key: { name, keyId } },
    }),
  };
}

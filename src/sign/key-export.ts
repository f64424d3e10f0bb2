import type { KeyObject } from "node:crypto";
import { curveOf, noPassphrase } from "./keys.ts";
import { encryptPkcs8 } from "./pbes2.ts";

/**
 * A private key as encrypted PKCS#8 PEM (RFC 5958 §3; PBES2 of RFC 8018 with aes-256-cbc).
 *
 * @throws WaybillError WB-INPUT-008 for an empty passphrase
 */
export function exportPrivateKey(privateKey: KeyObject, passphrase: string): string {
  curveOf(privateKey);
  if (passphrase === "") throw noPassphrase();
  return encryptPkcs8(privateKey.export({ type: "pkcs8", format: "der" }), passphrase);
}

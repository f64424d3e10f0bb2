import { createPrivateKey, createPublicKey } from "node:crypto";
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { refuseInside, type SigningKey } from "./key-store.ts";
import { generateKeyPair, keyId } from "./keys.ts";

const MAX_PEM_BYTES = 16_384;

/**
 * The key with which this machine's doors sign what they decided, made at the first use:
 * `HOME/machine/door.key`, PKCS#8 in PEM, readable by its owner alone. It is not encrypted, as an SSH host key is
 * not: a door has nobody to ask for a passphrase. It stands for verdicts and access windows, never for releases.
 *
 * @param home Waybill's home folder
 * @throws WaybillError WB-INPUT-017 home lies in an agent's folder, WB-STORE-001/002 it cannot be written, WB-STORE-003 it is damaged or others may read it
 */
export function openMachineKey(home: string): SigningKey {
  const folder = join(home, "machine");
  const path = join(folder, "door.key");
  let pem = readIfThere(path);
  if (pem === undefined) {
    refuseInside(folder);
    const made = generateKeyPair().privateKey.export({ type: "pkcs8", format: "pem" });
    makeFolder(folder, { mode: 0o700, hint: "let WAYBILL_HOME name a folder that this user can write" });
    try {
      writeFileAtomic(path, made, { mode: 0o600, exclusive: true });
    } catch (error) {
      // Another process was first: its key is the one.
      if (!(error instanceof WaybillError) || error.code !== "WB-INPUT-010") throw error;
    }
    pem = readIfThere(path) ?? "";
  }
  if (process.platform !== "win32" && (lstatSync(path).mode & 0o077) !== 0)
    throw damaged(path, "others than its owner may read or write it");
  try {
    const privateKey = createPrivateKey({ key: pem, format: "pem" });
    const publicKey = createPublicKey(privateKey);
    return { name: "door", keyId: keyId(publicKey), publicKey, privateKey };
  } catch (cause) {
    throw damaged(path, "it is no private key that is accepted", cause);
  }
}

/** True where this machine has its key already. */
export function hasMachineKey(home: string): boolean {
  return lstatSync(join(home, "machine", "door.key"), { throwIfNoEntry: false }) !== undefined;
}

function readIfThere(path: string): string | undefined {
  try {
    return readTextBounded(path, MAX_PEM_BYTES);
  } catch (error) {
    if (error instanceof WaybillError && error.code === "WB-INPUT-001") return undefined;
    throw error;
  }
}

function damaged(path: string, what: string, cause?: unknown): WaybillError {
  return new WaybillError("WB-STORE-003", `${path} cannot be used: ${what}`, {
    hint: "find out who changed it; then remove it: a new one is made, and trust must name the new one",
    cause,
  });
}

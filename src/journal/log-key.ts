import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { WaybillError } from "../core/errors.ts";
import {
  ed25519Signer,
  ed25519Verifier,
  type NoteSigner,
  type NoteVerifier,
  noteKeyId,
} from "../core/note.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { readTextBounded } from "../hash/read-file.ts";

/**
 * File of the key that signs checkpoints. It has no passphrase: it is the machine's key, as that of an ssh host,
 * which must sign with nobody at hand after every append. It speaks for the log alone ("this is its head"), never for
 * a maker of evidence, and whoever can read it can rewrite the journal beside it anyway.
 */
export const KEY_FILE = "key";

/** The public half of a log's key under its origin. */
export interface PublicLogKey {
  publicKey: KeyObject;
  verifier: NoteVerifier;
  /** The whole key id, hex: `logId.keyId` of a trusted root. */
  logId: string;
}

/** The key of a log under its origin. */
export interface LogKey extends PublicLogKey {
  signer: NoteSigner;
}

/**
 * Makes the key file (Ed25519, PKCS#8 PEM, 0600), or opens the one that an interrupted `create` left.
 *
 * @param folder the journal, which exists
 * @throws WaybillError WB-STORE-001/002 it cannot be written, WB-STORE-003 what is there is no such key
 */
export function makeLogKey(folder: string): KeyObject {
  const path = join(folder, KEY_FILE);
  try {
    writeFileAtomic(path, pem(generateKeyPairSync("ed25519").privateKey), { mode: 0o600, exclusive: true });
  } catch (error) {
    if (!(error instanceof WaybillError && error.code === "WB-INPUT-010")) throw error;
  }
  return readLogKey(folder);
}

/**
 * Reads the key file.
 *
 * @throws WaybillError WB-STORE-003 it is missing or not exactly an Ed25519 key in PKCS#8 PEM
 */
export function readLogKey(folder: string): KeyObject {
  const path = join(folder, KEY_FILE);
  try {
    const text = readTextBounded(path, 4096);
    const key = createPrivateKey({ key: text, format: "pem" });
    if (key.asymmetricKeyType !== "ed25519") throw new Error("not an Ed25519 key");
    if (pem(key) !== text) throw new Error("not in the form in which it was written");
    return key;
  } catch (cause) {
    // The message could quote the file.
    throw new WaybillError("WB-STORE-003", `${path} is not the journal's key`, {
      hint: "put it back from a backup; without it nothing can be appended, and the log can still be read",
      cause,
    });
  }
}

/** The key under the log's origin. */
export function logKey(origin: string, privateKey: KeyObject): LogKey {
  return { ...publicLogKey(origin, createPublicKey(privateKey)), signer: ed25519Signer(origin, privateKey) };
}

/** The public key under the log's origin. Throws RangeError unless it is Ed25519. */
export function publicLogKey(origin: string, publicKey: KeyObject): PublicLogKey {
  return {
    publicKey,
    verifier: ed25519Verifier(origin, publicKey),
    logId: noteKeyId(origin, publicKey, "ed25519"),
  };
}

function pem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

import type { KeyObject } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { MANIFEST_FILE } from "../core/manifest.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { exportPrivateKey } from "./key-export.ts";
import { generateKeyPair, importPrivateKey, importPublicKey, keyId, publicKeyPem } from "./keys.ts";

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
const MAX_KEY_BYTES = 16_384;

/** A key of the store, without its private half. */
export interface StoredKey {
  name: string;
  keyId: Hex;
  publicKey: KeyObject;
}

/** An opened key. */
export interface SigningKey extends StoredKey {
  privateKey: KeyObject;
}

/**
 * Creates a P-256 key and stores it: `HOME/keys/NAME.key` (encrypted PKCS#8, 0600, folder 0700) and `NAME.pub`.
 *
 * @param home WAYBILL_HOME, made when absent
 * @throws WaybillError WB-INPUT-007 not a name, WB-INPUT-008 empty passphrase, WB-INPUT-010 the key exists,
 *   WB-INPUT-017 home lies in an agent's folder, where a key would be packed, pushed and served with the agent,
 *   WB-STORE-001/002 it cannot be written
 */
export function createKey(options: { home: string; name: string; passphrase: string }): StoredKey {
  const { home, name, passphrase } = options;
  const paths = keyPaths(home, name);
  refuseInside(paths.folder);
  const { privateKey, publicKey } = generateKeyPair();
  const pem = exportPrivateKey(privateKey, passphrase);
  makeFolder(paths.folder);
  writeFileAtomic(paths.key, pem, { mode: 0o600, exclusive: true });
  try {
    // Someone else's public key may lie there already: one name would then stand for two keys.
    writeFileAtomic(paths.pub, publicKeyPem(publicKey), { mode: 0o644, exclusive: true });
  } catch (error) {
    rmSync(paths.key, { force: true });
    throw error;
  }
  return { name, keyId: keyId(publicKey), publicKey };
}

/**
 * Opens a stored key. Its public half is derived from the private one; a `NAME.pub` that says otherwise is an error.
 *
 * @throws WaybillError WB-INPUT-001 no such key, WB-INPUT-002 unreadable, WB-STORE-003 the two files disagree,
 *   and those of `importPrivateKey`
 */
export function loadKey(home: string, name: string, passphrase: string): SigningKey {
  const paths = keyPaths(home, name);
  const privateKey = importPrivateKey(readKeyFile(paths.key, name), passphrase);
  const publicKey = importPublicKey(publicKeyPem(privateKey));
  if (exists(paths.pub) && keyId(loadPublicKey(home, name).publicKey) !== keyId(publicKey))
    throw new WaybillError("WB-STORE-003", `${paths.pub} is not the public half of ${name}.key`, {
      hint: `find out who changed it; then write it again: openssl pkey -in ${paths.key} -pubout -out ${paths.pub}`,
    });
  return { name, keyId: keyId(publicKey), publicKey, privateKey };
}

/**
 * Reads the public half of a stored key; needs no passphrase.
 *
 * @throws WaybillError WB-INPUT-001 no such key, WB-INPUT-002 unreadable, WB-INPUT-016 not a public key
 */
export function loadPublicKey(home: string, name: string): StoredKey {
  const publicKey = importPublicKey(readKeyFile(keyPaths(home, name).pub, name));
  return { name, keyId: keyId(publicKey), publicKey };
}

/** Names of the stored keys (of `NAME.key` files), sorted; an empty list when there is no store. */
export function listKeys(home: string): string[] {
  let names: string[];
  try {
    names = readdirSync(join(home, "keys"));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw unreadable(join(home, "keys"), cause as Error);
  }
  return names
    .filter((file) => file.endsWith(".key"))
    .map((file) => file.slice(0, -".key".length))
    .filter((name) => NAME.test(name))
    .sort();
}

/** Where a key's files lie. Throws WB-INPUT-007 for what is not a name. */
export function keyPaths(home: string, name: string): { folder: string; key: string; pub: string } {
  if (!NAME.test(name))
    throw new WaybillError(
      "WB-INPUT-007",
      "a key's name has lower-case letters, digits, '.', '_', '-'; at most 64",
      {
        hint: "for example: waybill keys create releaser",
      },
    );
  const folder = join(resolve(home), "keys");
  return { folder, key: join(folder, `${name}.key`), pub: join(folder, `${name}.pub`) };
}

/**
 * Refuses a folder that is, or lies in, an agent's folder: one that holds a manifest. Goes by what the path
 * really leads to, links and `..` resolved.
 *
 * @throws WaybillError WB-INPUT-017
 */
export function refuseInside(keyFolder: string): void {
  for (let at = nearestReal(keyFolder); ; at = dirname(at)) {
    if (existsSync(join(at, MANIFEST_FILE)))
      throw new WaybillError("WB-INPUT-017", `${keyFolder} lies inside the agent's folder ${at}`, {
        hint: "set WAYBILL_HOME to a folder outside of the agent, such as ~/.waybill: keys must never be packed with it",
      });
    if (dirname(at) === at) return;
  }
}

/** The real path of the nearest existing folder at or above a path. */
function nearestReal(path: string): string {
  for (let at = path; ; at = dirname(at)) {
    try {
      return realpathSync.native(at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== "ENOENT" && code !== "ENOTDIR") || dirname(at) === at)
        throw unreadable(at, error as Error);
    }
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if ((statSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const full = code === "ENOSPC" || code === "EDQUOT";
    throw new WaybillError(full ? "WB-STORE-002" : "WB-STORE-001", `cannot make ${folder}: ${message}`, {
      hint: "set WAYBILL_HOME to a folder that you own",
      cause,
    });
  }
}

function readKeyFile(path: string, name: string): string {
  try {
    if (statSync(path).size > MAX_KEY_BYTES)
      throw new WaybillError("WB-INPUT-003", `${path} is too large for a key`, {
        hint: "is it another file?",
      });
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === "ENOENT")
      throw new WaybillError("WB-INPUT-001", `there is no ${path}`, {
        hint: `waybill keys create ${name}`,
        cause,
      });
    throw unreadable(path, cause as Error);
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function unreadable(path: string, cause: Error): WaybillError {
  return new WaybillError("WB-INPUT-002", `cannot read ${path}: ${cause.message}`, {
    hint: "check that it exists and that you may read it",
    cause,
  });
}

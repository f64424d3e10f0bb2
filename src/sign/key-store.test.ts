import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { createKey, keyPaths, listKeys, loadKey, loadPublicKey } from "./key-store.ts";
import { generateKeyPair, keyId, publicKeyPem } from "./keys.ts";

let dir: string;
let home: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "waybill-keys-"));
  home = join(dir, "home");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const passphrase = "correct horse";

test("create, list, load", () => {
  assert.deepEqual(listKeys(home), []);
  const made = createKey({ home, name: "releaser", passphrase });
  const { folder, key, pub } = keyPaths(home, "releaser");
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(key).mode & 0o777, 0o600);
  assert.equal(readFileSync(pub, "utf8"), publicKeyPem(made.publicKey));
  assert.deepEqual(readdirSync(folder).sort(), ["releaser.key", "releaser.pub"]);
  assert.deepEqual(listKeys(home), ["releaser"]);
  const loaded = loadKey(home, "releaser", passphrase);
  assert.equal(loaded.keyId, made.keyId);
  assert.equal(keyId(loaded.privateKey), made.keyId);
  assert.equal(loadPublicKey(home, "releaser").keyId, made.keyId);
  assert.throws(() => loadKey(home, "releaser", "wrong"), { code: "WB-INPUT-009" });
});

test("nothing is overwritten", () => {
  createKey({ home, name: "a", passphrase });
  const { key, pub, folder } = keyPaths(home, "a");
  const before = readFileSync(key, "utf8");
  assert.throws(() => createKey({ home, name: "a", passphrase }), { code: "WB-INPUT-010" });
  rmSync(pub);
  assert.throws(() => createKey({ home, name: "a", passphrase }), { code: "WB-INPUT-010" });
  assert.equal(readFileSync(key, "utf8"), before);
  loadKey(home, "a", passphrase);
  writeFileSync(join(folder, "b.pub"), "someone else's");
  assert.throws(() => createKey({ home, name: "b", passphrase }), { code: "WB-INPUT-010" });
  assert.deepEqual(listKeys(home), ["a"]);
});

test("a folder that others may enter is closed", () => {
  mkdirSync(join(home, "keys"), { recursive: true });
  chmodSync(join(home, "keys"), 0o755);
  createKey({ home, name: "a", passphrase });
  assert.equal(statSync(join(home, "keys")).mode & 0o777, 0o700);
});

test("keys never come to lie in the agent's folder, whatever the path looks like", () => {
  const agentFolder = join(dir, "agent");
  mkdirSync(join(agentFolder, "sub"), { recursive: true });
  writeFileSync(join(agentFolder, "waybill.yaml"), "");
  symlinkSync(join(agentFolder, "sub"), join(dir, "innocent"));
  symlinkSync(agentFolder, join(dir, "alias"));
  for (const inside of [
    agentFolder,
    join(agentFolder, ".waybill"),
    join(agentFolder, "sub", "..", "deep", "home"),
    join(dir, "innocent"),
    join(dir, "innocent", "not-there-yet"),
  ])
    assert.throws(() => createKey({ home: inside, name: "a", passphrase }), {
      code: "WB-INPUT-017",
      message: /inside the agent's folder/,
    });
  // The `keys` folder itself may be the link.
  mkdirSync(home);
  symlinkSync(join(agentFolder, "sub"), join(home, "keys"));
  assert.throws(() => createKey({ home, name: "a", passphrase }), { code: "WB-INPUT-017" });
  assert.deepEqual(readdirSync(agentFolder, { recursive: true }).toSorted(), ["sub", "waybill.yaml"]);
  createKey({ home: join(dir, "agent-home"), name: "a", passphrase });
});

test("names, missing and damaged files have codes", () => {
  for (const name of ["", "../x", "a/b", ".hidden", "A", "x".repeat(65)])
    assert.throws(() => createKey({ home, name, passphrase }), { code: "WB-INPUT-007" });
  assert.throws(() => loadKey(home, "none", passphrase), { code: "WB-INPUT-001" });
  assert.throws(() => loadPublicKey(home, "none"), { code: "WB-INPUT-001" });
  assert.throws(() => createKey({ home, name: "a", passphrase: "" }), { code: "WB-INPUT-008" });
  assert.deepEqual(listKeys(home), []);
  createKey({ home, name: "a", passphrase });
  const { key, pub } = keyPaths(home, "a");
  writeFileSync(pub, publicKeyPem(generateKeyPair().publicKey));
  assert.throws(() => loadKey(home, "a", passphrase), { code: "WB-STORE-003" });
  writeFileSync(key, "\0".repeat(20_000));
  assert.throws(() => loadKey(home, "a", passphrase), { code: "WB-INPUT-003" });
  rmSync(key);
  mkdirSync(key);
  assert.throws(() => loadKey(home, "a", passphrase), { code: "WB-INPUT-002" });
  writeFileSync(join(dir, "file"), "");
  assert.throws(() => createKey({ home: join(dir, "file"), name: "a", passphrase }), {
    code: "WB-STORE-001",
  });
});

import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openMachineKey } from "./machine-key.ts";

const home = mkdtempSync(join(tmpdir(), "waybill-machine-"));
after(() => rmSync(home, { recursive: true, force: true }));
const path = join(home, "machine", "door.key");

test("the door's key is made once, for its owner's eyes, and is the same afterwards", () => {
  const first = openMachineKey(home);
  assert.equal(openMachineKey(home).keyId, first.keyId);
  if (process.platform !== "win32") assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a key that others may read is not used", { skip: process.platform === "win32" }, () => {
  openMachineKey(home);
  chmodSync(path, 0o640);
  assert.throws(() => openMachineKey(home), { code: "WB-STORE-003" });
  chmodSync(path, 0o600);
});

test("a damaged key is an error and is never replaced in silence", () => {
  writeFileSync(path, "nothing");
  assert.throws(() => openMachineKey(home), { code: "WB-STORE-003" });
});

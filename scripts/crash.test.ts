import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { crash, interrupted, leftovers, makeScene, TEMPORARY, waybill, wholeLock } from "./crash.ts";

test("killed at any moment, lock, keys and evidence are whole", async () => {
  // Few rounds: `node scripts/crash.ts --rounds 200` takes its time.
  await crash(1, "npm test", () => {});
});

test("Ctrl-C while 1 GiB is hashed: exit 130, no lock, nothing left lying about", async () => {
  const scene = makeScene();
  try {
    truncateSync(join(scene.folder, "model.bin"), 1 << 30);
    let end = "";
    // Too early, and Node itself ends by the signal: once more, later.
    for (let ms = 400; end !== "130" && ms < 10_000; ms *= 1.6) {
      end = await interrupted(scene, ["lock"], "SIGINT", ms);
      assert.ok(["130", "SIGINT"].includes(end), end);
    }
    assert.equal(end, "130");
    assert.equal(existsSync(join(scene.folder, "waybill.lock")), false);
    assert.deepEqual(leftovers(scene), []);
  } finally {
    scene.remove();
  }
});

test("what a killed run left changes neither the release nor the verdict of `check`", () => {
  const scene = makeScene();
  try {
    assert.equal(waybill(scene, "lock").status, 0);
    const before = wholeLock(scene);
    const check = waybill(scene, "check", "--format", "json");
    writeFileSync(join(scene.folder, ".waybill-0123456789abcdef.tmp"), before!.slice(0, 100));
    writeFileSync(join(scene.folder, ".waybill/.waybill-0123456789abcdef.tmp"), "half");
    assert.equal(waybill(scene, "lock").status, 0);
    assert.equal(wholeLock(scene), before);
    const again = waybill(scene, "check", "--format", "json");
    const verdict = (text: string) => {
      const { decidedAt: _, ...rest } = JSON.parse(text) as { decidedAt: string };
      return rest;
    };
    assert.deepEqual(verdict(again.out), verdict(check.out));
  } finally {
    scene.remove();
  }
});

test("a full disk: WB-STORE-002, exit 4, the old lock stays", (t) => {
  const scene = makeScene();
  const disk = join(scene.folder, "../disk");
  mkdirSync(disk);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4096k", "tmpfs", disk]).status === 0;
  try {
    if (!mounted) return t.skip("needs to mount a tmpfs");
    spawnSync("cp", ["-r", `${scene.folder}/.`, disk]);
    const small = { ...scene, folder: disk };
    assert.equal(waybill(small, "lock").status, 0);
    const before = wholeLock(small);
    writeFileSync(join(disk, "prompts/system.md"), "another prompt\n");
    fill(join(disk, "waybill.evidence"));
    const { status, err } = waybill(small, "lock");
    assert.equal(status, 4, err);
    assert.match(err, /^error\[WB-STORE-002\]/);
    assert.equal(wholeLock(small), before);
    assert.deepEqual(
      readdirSync(disk).filter((name) => TEMPORARY.test(name)),
      [],
    );
    // With room again, the same command works.
    rmSync(join(disk, "waybill.evidence"), { recursive: true });
    assert.equal(waybill(small, "lock").status, 0);
    assert.notEqual(wholeLock(small), before);
    assert.equal(readFileSync(join(disk, "waybill.lock"), "utf8"), wholeLock(small));
  } finally {
    if (mounted) spawnSync("umount", [disk]);
    scene.remove();
  }
});

/** Writes until the disk is full. */
function fill(folder: string): void {
  mkdirSync(folder);
  for (let i = 0, size = 1 << 16; size >= 1; i += 1) {
    try {
      writeFileSync(join(folder, `fill-${i}`), Buffer.alloc(size));
    } catch {
      size >>= 1;
    }
  }
}

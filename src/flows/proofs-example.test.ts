// The example's own model, trained here (testdata/requirements.yaml).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { judge } from "./judge.ts";
import { lockFolder } from "./lock.ts";
import { scratch } from "./proofs-agent.test.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/support-agent");

test("a model that was changed and still passes every behavioural test is refused all the same", async () => {
  const place = mkdtempSync(join(scratch, "e-"));
  const folder = join(place, "support-agent");
  const made = new Set(["model", "image", "node_modules", ".waybill", "waybill.evidence"]);
  cpSync(EXAMPLE, folder, {
    recursive: true,
    filter: (path) => dirname(path) !== EXAMPLE || !made.has(basename(path)),
  });
  const script = (file: string, ...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, file), ...args], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  };
  const verdict = async () => {
    const options = { folder, door: "ci", target: "production", level: "baseline", only: "verify" } as const;
    return (await judge({ ...options, home: join(place, "home"), env: {}, now: new Date() })).verdict;
  };
  script("training/train.ts", "--dataset", "dataset", "--out", "model");
  script("scripts/build-image.ts", "--out", "image");
  const tested = script("tests/behaviour/run.ts");
  assert.match(tested, /^adversarial: \d+ passed, 0 failed$/m);
  await lockFolder(folder, {});
  assert.deepEqual((await verdict()).blocking, []);

  // The lowest bit of every weight: other bytes everywhere, the same answers.
  const file = join(folder, "model/intent.safetensors");
  const bytes = readFileSync(file);
  for (let i = 8 + Number(bytes.readBigUInt64LE(0)); i < bytes.length; i += 4) bytes[i]! ^= 1;
  writeFileSync(file, bytes);
  assert.equal(script("tests/behaviour/run.ts"), tested);
  const { outcome, blocking } = await verdict();
  assert.equal(outcome, "deny");
  assert.deepEqual(
    blocking.map((f) => `${f.code} ${f.component} ${f.path}`),
    ["WB-MODEL-001 model/intent model/intent.safetensors"],
  );
});

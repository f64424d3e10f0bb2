import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { WaybillError } from "../core/errors.ts";
import { openAgentFolder } from "./agent-folder.ts";
import { collectFacts } from "./facts.ts";
import { lockFolder } from "./lock.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "waybill-lock-bounds-")));
after(() => rmSync(root, { recursive: true, force: true }));
let n = 0;

function agent(more: string, component = "{kind: prompt, name: p, path: prompts}"): string {
  n += 1;
  const folder = join(root, String(n));
  mkdirSync(join(folder, "prompts"), { recursive: true });
  writeFileSync(join(folder, "prompts/system.md"), "You are.\n");
  writeFileSync(
    join(folder, "waybill.yaml"),
    `waybill: v1\nagent: tiny\ncomponents:\n  - ${component}\nstart: {command: [x]}\n${more}\n`,
  );
  return folder;
}

const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

test("the deepest manifest that is read makes a lock that is read", async () => {
  // The manifest itself and `runtime` are two levels.
  const folder = agent(`runtime: {a: ${nested(58)}}`);
  await lockFolder(folder, {});
  assert.ok(openAgentFolder(folder).lock);
  await assert.rejects(lockFolder(agent(`runtime: {a: ${nested(59)}}`), {}), { code: "WB-INPUT-005" });
});

test("a lock that no reader would take is not written", async () => {
  // Each number takes a line of its own, indented: 60 kB of manifest make over 2 MiB of settings.
  const folder = agent(`runtime: {a: ${"[".repeat(50)}${"1,".repeat(30_000)}1${"]".repeat(50)}}`);
  await assert.rejects(lockFolder(folder, { checksums: true }), (error) => {
    assert.ok(error instanceof WaybillError);
    assert.equal(error.code, "WB-INPUT-011");
    assert.match(error.message, /^no reader would take the lock: waybill\.lock: settings: over 2 MiB$/);
    return true;
  });
  for (const name of ["waybill.lock", "waybill.sha256sums", ".waybill"])
    assert.ok(!existsSync(join(folder, name)), name);
});

test("a lock that was there stays when its successor could not be read", async () => {
  const folder = agent("", "{kind: corpus, name: c, paths: [prompts]}");
  await lockFolder(folder, {});
  const before = readFileSync(join(folder, "waybill.lock"), "utf8");
  const deep = join(folder, "prompts", ...Array<string>(257).fill("d"));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, "x"), "x");
  await assert.rejects(lockFolder(folder, {}), { code: "WB-INPUT-011" });
  rmSync(join(folder, "prompts/d"), { recursive: true });
  const under = join(folder, "prompts", ...Array<string>(256).fill("d"));
  mkdirSync(under, { recursive: true });
  writeFileSync(join(under, "x"), "x");
  // 256 folders below `prompts` can be walked, and with `paths` the tree's paths begin above it.
  await assert.rejects(lockFolder(folder, {}), /no reader would take the lock/);
  assert.equal(readFileSync(join(folder, "waybill.lock"), "utf8"), before);
});

test("8 MiB of YAML are taken apart, and what is beyond is said to be unread", async () => {
  const folder = agent("");
  const text = `a: |\n${"  x\n".repeat((1 << 18) - 10)}`;
  for (let i = 0; i < 10; i += 1) writeFileSync(join(folder, `k${i}.yaml`), text);
  writeFileSync(join(folder, "run.sh"), "true\n");
  const facts = await collectFacts(openAgentFolder(folder));
  const read = facts.texts.map(({ path }) => path);
  assert.equal(read.filter((path) => path.endsWith(".yaml")).length, 8);
  assert.ok(read.includes("run.sh"));
  assert.deepEqual(
    facts.unreadTexts.map(({ path }) => path),
    ["k8.yaml", "k9.yaml"],
  );
});

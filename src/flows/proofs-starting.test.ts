// What starts and what does not: `waybill run` as an operator calls it (testdata/requirements.yaml).
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadPublicKey } from "../sign/key-store.ts";
import { publicKeyPem } from "../sign/keys.ts";
import { trustTemplate } from "../verify/trust-template.ts";
import { Agent, MANIFEST, releasedAgent } from "./proofs-agent.test.ts";

const skip = process.platform === "win32" && "needs a POSIX shell";

test("run refuses a model with one changed byte with 125 and the finding, and the command never runs", {
  skip,
}, async () => {
  const agent = await releasedAgent();
  assert.equal(agent.starts(), true);
  for (const level of ["baseline", "strict"]) {
    agent.flip("model/weights.safetensors");
    const { status, stdout, stderr } = agent.waybill(["run", "--level", level]);
    assert.equal(status, 125, stderr);
    assert.equal(stdout, "");
    assert.equal(agent.started(), false);
    assert.match(stderr, /^error\[WB-MODEL-001\]: model\/base .*: model\/weights\.safetensors changed$/m);
    assert.match(stderr, /^ {2}--> waybill\.yaml:4:\d+$/m);
    assert.match(stderr, /^ {3}expected {2}chunks:[0-9a-f]{64} /m);
    assert.match(stderr, /^ {3}found {5}chunks:[0-9a-f]{64} /m);
    assert.match(stderr, /^refused: the command was not started$/m);
    agent.flip("model/weights.safetensors");
  }
  assert.equal(agent.starts(), true);
});

test("every file of a model is hashed on every start, also when size and time of change stay the same", {
  skip,
}, async () => {
  const agent = await releasedAgent();
  assert.equal(agent.starts(), true);
  for (const path of ["model/weights.safetensors", "model/config.json", "model/tokenizer.json"]) {
    agent.quietly(path, () => agent.flip(path));
    assert.equal(agent.starts(), false, path);
    await agent.refusedFor("model/base", path, "WB-MODEL-001");
    agent.quietly(path, () => agent.flip(path));
  }
  assert.equal(agent.starts(), true);
});

test("an edited prompt does not start until the folder is locked, signed and allowed again", {
  skip,
}, async () => {
  const agent = await releasedAgent();
  assert.equal(agent.starts(), true);
  agent.edit("prompts/system.md", "Never promise", "Always promise");
  assert.equal(agent.starts(), false);
  await agent.lock();
  assert.equal(agent.starts(), false, "locked and not signed");
  await agent.release();
  assert.equal(agent.starts(), true);
});

test("a changed argument or setting does not start until the folder is locked, signed and allowed again", {
  skip,
}, async () => {
  for (const [from, to, setting] of [
    ["src/start.sh]", "src/start.sh, --fast]", "start.command"],
    ["LOG_LEVEL: info", "LOG_LEVEL: debug", "start.env.LOG_LEVEL"],
  ] as const) {
    const agent = await releasedAgent();
    agent.edit("waybill.yaml", from, to);
    assert.equal(agent.starts(), false, setting);
    const [finding] = await agent.refused();
    assert.equal(finding?.code, "WB-LOCK-003");
    assert.ok(finding.message.includes(setting));
    assert.equal(finding.where?.file, "waybill.yaml");
    await agent.release();
    assert.equal(agent.starts(), true, setting);
  }
});

test("the value of a declared secret is in no file and in no output of lock, sign, verify and run", {
  skip,
}, () => {
  const agent = new Agent({
    "waybill.yaml": MANIFEST.replace("LOG_LEVEL: info", "TOKEN: { secret: env:API_TOKEN }"),
    "src/start.sh": 'printf %s "$TOKEN" | wc -c | tr -d " "\n',
  });
  const value = "correct-horse-battery-staple-7741";
  const env = { API_TOKEN: value, WAYBILL_PASSPHRASE: "a passphrase" };
  let talk = "";
  const must = (...args: string[]) => {
    const { status, stdout, stderr } = agent.waybill(args, env);
    assert.equal(status, 0, `${args.join(" ")}\n${stdout}${stderr}`);
    talk += stdout + stderr;
    return stdout;
  };
  must("keys", "create");
  const { publicKey } = loadPublicKey(agent.home, "default");
  const pem = publicKeyPem(publicKey);
  writeFileSync(
    agent.trust,
    trustTemplate({ principal: "releaser", publicKey: pem, expires: "2099-01-01T00:00:00Z" }),
  );
  must("lock", "--sha256sums");
  must("sign");
  must("verify");
  must("verify", "--format", "json");
  // It reached the process.
  assert.equal(must("run"), `${value.length}\n`);
  // The one place where somebody did say it: a refusal does not repeat it either.
  agent.edit("waybill.yaml", "API_TOKEN", "OTHER_TOKEN");
  const refused = agent.waybill(["run"], { ...env, OTHER_TOKEN: value });
  assert.equal(refused.status, 125);
  talk += refused.stdout + refused.stderr;

  assert.match(talk, /refused: the command was not started/);
  assert.ok(!talk.includes(value));
  const files = readdirSync(agent.root, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  assert.ok(
    files.some((file) => file.name === "waybill.lock") &&
      files.some((file) => file.name.endsWith(".sigstore.json")),
  );
  for (const file of files)
    assert.ok(!readFileSync(join(file.parentPath, file.name)).includes(value), file.name);
});

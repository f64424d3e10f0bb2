import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { encodeLock, makeLock } from "../core/lock.ts";
import { makeChannelStatement } from "../evidence/channel.ts";
import { evidenceFileName } from "../evidence/files.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { allowRelease } from "./channel.ts";
import { judge } from "./judge.ts";
import { Agent, newKey } from "./proofs-agent.test.ts";
import { signFolder, writeBundle } from "./sign.ts";
import { findTrust } from "./trust-source.ts";

const NOW = new Date();
const codes = (results: readonly { code: string; status: string }[], status: string) =>
  results.filter((result) => result.status === status).map((result) => result.code);

test("a component that is declared and left out of the lock is found, also when the digest fits", async () => {
  const agent = new Agent();
  const lock = await agent.lock();
  const without = lock.components.filter(({ leaf }) => leaf.kind !== "model");
  agent.write("waybill.lock", encodeLock(makeLock(lock.agent, lock.settings, without)));
  const { verdict } = await judge({ ...agent.options(), door: "ci" });
  assert.equal(verdict.outcome, "deny");
  assert.deepEqual(codes(verdict.results, "fail").slice(0, 2), ["WB-LOCK-002", "WB-MODEL-001"]);
  await assert.rejects(signFolder(agent.folder, keySigner(agent.key)), { code: "WB-INPUT-011" });
});

test("a locked component that nothing declares is found", async () => {
  const agent = new Agent();
  const lock = await agent.lock();
  const [first] = lock.components.filter(({ leaf }) => leaf.kind === "prompt");
  const phantom = { ...first!, leaf: { ...first!.leaf, name: "safety-guard" } };
  agent.write("waybill.lock", encodeLock(makeLock(lock.agent, lock.settings, [...lock.components, phantom])));
  const { verdict } = await judge({ ...agent.options(), door: "ci" });
  assert.deepEqual(codes(verdict.results, "fail").slice(0, 2), ["WB-LOCK-002", "WB-PROMPT-001"]);
});

test("keys called like members of every object are settings like any other", async () => {
  const agent = new Agent();
  agent.write(
    "waybill.yaml",
    `${agent.read("waybill.yaml")}\nruntime: { toString: 1, constructor: { valueOf: 2 } }\n`,
  );
  await agent.lock();
  agent.edit("waybill.yaml", "valueOf: 2", "valueOf: 3");
  const { verdict } = await judge({ ...agent.options(), door: "ci" });
  assert.match(verdict.reason, /runtime\.constructor\.valueOf/);
  agent.edit("waybill.yaml", "toString: 1, ", "");
  assert.equal((await judge({ ...agent.options(), door: "ci" })).verdict.outcome, "deny");
});

test("a forged channel statement decides neither the number nor what stays allowed", async () => {
  const agent = new Agent();
  await agent.release();
  const mallory = newKey("mallory");
  const forged = makeChannelStatement({
    agent: agent.openLock().agent,
    target: "production",
    seq: 900_000_000_000,
    expires: "2099-01-01T00:00:00Z",
    releases: ["b".repeat(64)],
  });
  writeBundle(
    agent.folder,
    evidenceFileName({ evidence: "channel", target: "production" }, mallory.keyId),
    makeKeyBundle(encodeStatement(forged), mallory.privateKey),
  );
  const options = {
    folder: agent.folder,
    ...agent.signer(),
    home: agent.home,
    target: "production",
    now: NOW,
  };
  const { channel } = await allowRelease({ ...options, days: 30, retain: 3 });
  assert.equal(channel.seq, 2);
  assert.equal(channel.releases.length, 1);
  // A releaser whom the operator's trust names is heard.
  agent.trustKeys([agent.key, mallory]);
  const trust = findTrust(agent.folder, agent.trust, {}).policy;
  const heard = await allowRelease({ ...options, days: 30, retain: 3, trust });
  assert.equal(heard.channel.seq, 900_000_000_001);
});

test("what the folder's own trust accepts is not remembered by the door", async () => {
  const agent = new Agent();
  await agent.release();
  cpSync(agent.trust, agent.path("waybill.trust.yaml"));
  const { verdict } = await judge({ ...agent.options(), trust: undefined, door: "start", only: "verify" });
  assert.equal(verdict.trust.origin, "self-asserted");
  assert.equal(readdirSync(agent.home).includes("doors"), false);
  await agent.verify("strict");
  assert.ok(readdirSync(agent.home).includes("doors"));
});

test("trust that is reached through the agent's folder is self-asserted, however it is named", () => {
  const agent = new Agent();
  const outside = join(agent.root, "own.yaml");
  cpSync(agent.trust, outside);
  const origin = (file: string) => findTrust(agent.folder, file, {}).origin;
  assert.equal(origin(outside), "operator");
  symlinkSync("../own.yaml", agent.path("link.yaml"));
  assert.equal(origin(agent.path("link.yaml")), "self-asserted");
  symlinkSync(agent.path("link.yaml"), join(agent.root, "two.yaml"));
  assert.equal(origin(join(agent.root, "two.yaml")), "self-asserted");
  mkdirSync(join(agent.root, "policies"));
  renameSync(outside, join(agent.root, "policies/own.yaml"));
  symlinkSync("../policies", agent.path("shared"));
  symlinkSync(agent.path("shared"), join(agent.root, "far"));
  assert.equal(origin(join(agent.root, "far/own.yaml")), "self-asserted");
  assert.equal(origin(join(agent.root, "policies/own.yaml")), "operator");
  symlinkSync("policies/own.yaml", join(agent.root, "plain.yaml"));
  assert.equal(origin(join(agent.root, "plain.yaml")), "operator");
});

test("signatures are never written through a link", async () => {
  const agent = new Agent();
  await agent.lock();
  const outside = join(agent.root, "outside");
  mkdirSync(outside);
  symlinkSync(outside, agent.path("waybill.evidence"));
  await assert.rejects(agent.sign(), { code: "WB-STORE-003" });
  assert.deepEqual(readdirSync(outside), []);
});

test("what a door has seen outlives the signer's key, and a door that has seen nothing says so", async () => {
  const agent = new Agent();
  await agent.release();
  const first = join(agent.root, "first");
  cpSync(agent.path("waybill.evidence"), first, { recursive: true });
  await agent.release();
  const seen = await agent.verify("strict");
  assert.match(seen.verdict.notes.join(), /this door remembers no channel statement for production/);
  assert.deepEqual((await agent.verify("strict")).verdict.notes, []);

  // The signer's key expires; a second releaser signs a number that is lower than what was seen.
  const second = newKey("second");
  agent.trustKeys([agent.key, second]);
  rmSync(agent.path("waybill.evidence"), { recursive: true });
  await agent.sign(second);
  const { home, folder } = agent;
  await allowRelease({
    folder,
    ...agent.signer(second),
    home: join(agent.root, "elsewhere"),
    target: "production",
    days: 30,
    retain: 3,
    now: NOW,
  });
  const policy = JSON.parse(agentPolicy(agent));
  policy.principals[0].keys[0].notAfter = "2020-01-01T00:00:00Z";
  writeFileSync(agent.trust, JSON.stringify(policy));
  assert.equal(await agent.denied("strict"), "WB-ROLL-004");
  assert.ok(home.startsWith(agent.root));
});

test("a verdict ends no later than the key that signed", async () => {
  const agent = new Agent();
  await agent.release();
  const soon = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d{3}Z$/, "Z");
  agent.trustKeys([agent.key], { notAfter: soon });
  const { verdict } = await agent.verify("strict");
  assert.equal(verdict.outcome, "allow");
  assert.equal(verdict.validUntil, soon.replace("Z", ".000Z"));
});

test("a diff hides lines that may hold a secret", async () => {
  const agent = new Agent();
  agent.write("src/settings.env", "API_TOKEN=sekret-1\nMODE=a\n");
  await agent.lock();
  agent.write("src/settings.env", "API_TOKEN=sekret-2\nMODE=b\n");
  const { verdict } = await judge({ ...agent.options(), door: "ci" });
  const text = JSON.stringify(verdict);
  assert.match(text, /MODE=b/);
  assert.doesNotMatch(text, /sekret/);
});

function agentPolicy(agent: Agent): string {
  return findTrust(agent.folder, agent.trust, {}).policy!.source.text;
}

test("a channel is not signed over statements that could not all be read", async () => {
  const agent = new Agent();
  await agent.release();
  for (let i = 0; i < 80; i += 1) agent.write(`waybill.evidence/z${i}.sigstore.json`, "{}");
  const options = {
    folder: agent.folder,
    ...agent.signer(),
    home: agent.home,
    target: "production",
    now: NOW,
  };
  await assert.rejects(allowRelease({ ...options, days: 30, retain: 3 }), { code: "WB-INPUT-003" });
});

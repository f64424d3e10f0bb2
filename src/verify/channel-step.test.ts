import assert from "node:assert/strict";
import { test } from "node:test";
import type { Release } from "../core/release.ts";
import { type Channel, makeChannelStatement } from "../evidence/channel.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { generateKeyPair, publicKeyPem } from "../sign/keys.ts";
import { channelFreshness } from "./channel-step.ts";
import { type BundleText, readStatements } from "./signed.ts";
import { parseTrust, type Trust } from "./trust.ts";

const [alice, bob, mallory] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
type Pair = typeof alice;
const trust = (threshold: number, principals: Record<string, Pair>, more: object = {}): Trust =>
  parseTrust(
    JSON.stringify({
      waybillTrust: "v1",
      version: 1,
      expires: "2099-01-01T00:00:00Z",
      principals: Object.entries(principals).map(([name, pair]) => ({
        name,
        keys: [{ publicKey: publicKeyPem(pair.publicKey) }],
      })),
      rules: [
        {
          evidence: "channel",
          agents: ["tiny"],
          targets: ["production"],
          principals: Object.keys(principals),
          threshold,
        },
      ],
      ...more,
    }),
  );
const release = { digest: "a".repeat(64), document: { agent: "tiny" } } as Release;
let count = 0;
const statement = (more: Partial<Channel> = {}, key: Pair = alice): BundleText => {
  count += 1;
  const channel = {
    agent: "tiny",
    target: "production",
    seq: 5,
    expires: "2030-01-01T00:00:00Z",
    releases: [release.digest],
    ...more,
  };
  return {
    file: `${count}.sigstore.json`,
    text: makeKeyBundle(encodeStatement(makeChannelStatement(channel)), key.privateKey),
  };
};
const step = (
  here: BundleText[],
  kept: BundleText[] = [],
  more: { trust?: Trust; strict?: boolean } = {},
) => {
  const { results, ...rest } = channelFreshness(
    release,
    "production",
    readStatements(here).statements,
    kept,
    more.trust ?? trust(1, { alice }),
    { now: new Date("2027-01-01T00:00:00Z"), strict: more.strict ?? true },
  );
  const codes = (status: string) => results.filter((r) => r.status === status).map((r) => r.code);
  return { ...rest, failed: codes("fail"), open: codes("not-evaluated"), count: results.length };
};

test("the highest trusted statement counts; it alone is remembered", () => {
  const [old, current] = [statement({ seq: 4, releases: ["b".repeat(64)] }), statement()];
  for (const here of [
    [old, current],
    [current, old],
  ]) {
    const { failed, open, remember } = step(here);
    assert.deepEqual([failed, open, remember], [[], [], [current]]);
  }
  assert.deepEqual(step([current], [old]).remember, [current]);
  assert.deepEqual(step([current], [current]).remember, []);
});

test("a lower number, other content under one number: refused and not remembered", () => {
  const older = step([statement({ seq: 4 })], [statement({ seq: 5 })]);
  assert.deepEqual([older.failed, older.remember], [["WB-ROLL-004"], []]);
  const twin = step([statement({ releases: [release.digest, "b".repeat(64)] })], [statement()]);
  assert.deepEqual([twin.failed, twin.remember], [["WB-ROLL-005"], []]);
  const both = step([statement(), statement({ expires: "2029-01-01T00:00:00Z" })]);
  assert.deepEqual([both.failed, both.remember], [["WB-ROLL-005"], []]);
  // The same content signed again is no other content.
  assert.deepEqual(step([statement()], [statement()]).failed, []);
});

test("a statement that withdraws this release, or is past its end, is remembered all the same", () => {
  const withdrawn = statement({ seq: 6, releases: ["b".repeat(64)] });
  assert.deepEqual(step([withdrawn], [statement()]).failed, ["WB-ROLL-003"]);
  assert.deepEqual(step([withdrawn], [statement()]).remember, [withdrawn]);
  const ended = statement({ seq: 6, expires: "2027-01-01T00:00:00Z" });
  assert.deepEqual(step([ended]).failed, ["WB-ROLL-002"]);
  assert.deepEqual(step([ended]).remember, [ended]);
});

test("a stranger's statement neither counts nor holds the door", () => {
  const stranger = statement({ seq: 1000 }, mallory);
  assert.deepEqual(step([stranger]).failed, ["WB-ROLL-006"]);
  assert.deepEqual(step([stranger]).remember, []);
  assert.deepEqual(step([stranger, statement()]).failed, []);
  assert.deepEqual(step([statement()], [stranger]).failed, []);
});

test("a threshold is counted over the same bytes", () => {
  const two = trust(2, { alice, bob });
  const content = { seq: 7 };
  assert.deepEqual(step([statement(content)], [], { trust: two }).failed, ["WB-ROLL-006"]);
  assert.deepEqual(step([statement(content), statement(content)], [], { trust: two }).failed, [
    "WB-ROLL-006",
  ]);
  assert.deepEqual(step([statement(content), statement({ seq: 8 }, bob)], [], { trust: two }).failed, [
    "WB-ROLL-006",
  ]);
  const both = [statement(content), statement(content, bob)];
  assert.deepEqual(step(both, [], { trust: two }).failed, []);
  assert.deepEqual(step(both, [], { trust: two }).remember, both);
});

test("another target's and another agent's statements are not looked at", () => {
  for (const other of [
    statement({ target: "staging" }),
    statement({ agent: "other", releases: ["c".repeat(64)] }),
  ])
    assert.deepEqual(step([other]).failed, ["WB-ROLL-001"]);
});

test("what the door remembers demands a statement; without any, only strict does", () => {
  assert.deepEqual(step([], [statement()], { strict: false }).failed, ["WB-ROLL-001"]);
  const none = step([], [], { strict: false });
  assert.deepEqual([none.failed, none.open.length], [[], none.count]);
  assert.deepEqual(step([]).failed, ["WB-ROLL-001"]);
});

test("a revoked releaser's statement is forgotten, so that a stolen key cannot hold a door", () => {
  const kept = statement({ seq: 1000 });
  const { keyId } = trust(1, { alice }).keys[0]!;
  const after = trust(1, { alice, bob }, { revoked: [{ key: keyId, reason: "stolen" }] });
  const fresh = statement({ seq: 6 }, bob);
  assert.deepEqual(step([fresh], [kept], { trust: after }).failed, []);
  assert.deepEqual(step([fresh], [kept], { trust: after }).remember, [fresh]);
});

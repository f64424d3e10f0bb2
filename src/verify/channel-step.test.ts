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

test("what was accepted holds beyond its key's window; what is new must be signed within one", () => {
  const windowed = (window: object) =>
    trust(
      1,
      { alice, bob },
      {
        principals: [
          { name: "alice", keys: [{ publicKey: publicKeyPem(alice.publicKey), ...window }] },
          { name: "bob", keys: [{ publicKey: publicKeyPem(bob.publicKey) }] },
        ],
      },
    );
  const { keyId } = trust(1, { alice }).keys[0]!;
  const kept = statement({ seq: 1000 });
  const fresh = statement({ seq: 6 }, bob);
  for (const window of [{ notAfter: "2027-01-01T00:00:00Z" }, { notBefore: "2027-01-01T00:00:01Z" }]) {
    const now = windowed(window);
    assert.deepEqual(step([fresh], [kept], { trust: now }).failed, ["WB-ROLL-004"]);
    assert.deepEqual(step([fresh], [kept], { trust: now }).remember, []);
    assert.deepEqual(step([kept], [], { trust: now }).failed, ["WB-ROLL-006"]);
    assert.deepEqual(step([kept], [], { trust: now }).remember, []);
    // Revoked is revoked, and a signature that does not verify never counted.
    const revoked = { ...now, revoked: new Map([[keyId, { key: keyId, reason: "stolen" }]]) };
    assert.deepEqual(step([fresh], [kept], { trust: revoked }).failed, []);
    const forged = {
      ...kept,
      text: kept.text.replace(/("sig":")(.)/, (_, a, b) => a + (b === "M" ? "N" : "M")),
    };
    assert.notEqual(forged.text, kept.text);
    assert.deepEqual(step([fresh], [forged], { trust: now }).failed, []);
  }
  // Both signers of a threshold count once each, late or not.
  const two = { ...windowed({ notAfter: "2027-01-01T00:00:00Z" }) };
  two.rules = two.rules.map((rule) => ({ ...rule, threshold: 2 }));
  const by = (seq: number, ...pairs: Pair[]) => pairs.map((pair) => statement({ seq }, pair));
  assert.deepEqual(step(by(6, alice, bob), by(9, alice, bob), { trust: two }).failed, ["WB-ROLL-006"]);
  assert.deepEqual(
    step(by(6, bob), by(9, alice, alice), {
      trust: { ...two, rules: two.rules.map((r) => ({ ...r, threshold: 1 })) },
    }).failed,
    ["WB-ROLL-004"],
  );
});

test("a kept statement whose signer trust no longer lets sign channels holds nothing", () => {
  const kept = statement({ seq: 1000 });
  assert.deepEqual(step([statement({ seq: 6 }, bob)], [kept], { trust: trust(1, { bob }) }).failed, []);
});

test("a statement of another kind about the same agent and target is no channel statement", () => {
  const foreign = (() => {
    const { predicateType: _, ...rest } = makeChannelStatement({
      agent: "tiny",
      target: "production",
      seq: 9,
      expires: "2030-01-01T00:00:00Z",
      releases: [release.digest],
    });
    const text = encodeStatement({ ...rest, predicateType: "urn:waybill:deployment:v1" });
    return { file: "foreign.sigstore.json", text: makeKeyBundle(text, alice.privateKey) };
  })();
  assert.deepEqual(step([foreign]).failed, ["WB-ROLL-001"]);
  assert.deepEqual(step([foreign, statement()]).failed, []);
  assert.deepEqual(step([statement()], [foreign]).failed, []);
});

test("a channel statement that contradicts its format does not count, whoever signed it", () => {
  const good = makeChannelStatement({
    agent: "tiny",
    target: "production",
    seq: 9,
    expires: "2030-01-01T00:00:00Z",
    releases: [release.digest],
  });
  for (const predicate of [
    { ...good.predicate, seq: 0 },
    { ...good.predicate, expires: "never" },
    { ...good.predicate, more: 1 },
  ]) {
    const text = makeKeyBundle(encodeStatement({ ...good, predicate }), alice.privateKey);
    assert.deepEqual(step([{ file: "x", text }]).failed, ["WB-ROLL-006"]);
    assert.deepEqual(step([statement()], [{ file: "x", text }]).failed, []);
  }
});

test("what is said: numbers, digests, ends, and what cannot be proved", () => {
  const trusted = trust(1, { alice });
  const said = (here: BundleText[], kept: BundleText[] = [], policy = trusted) => {
    const at = { now: new Date("2027-01-01T00:00:00Z"), strict: true };
    const made = channelFreshness(release, "production", readStatements(here).statements, kept, policy, at);
    return { ...made, findings: made.results.flatMap((r) => (r.status === "fail" ? r.findings : [])) };
  };
  const good = statement();
  assert.equal(said([good]).expires, Date.parse("2030-01-01T00:00:00Z"));
  assert.equal(said([good]).results[0]!.coverage, "statement 5 for production, 1 releases");
  assert.equal(said([]).expires, Number.POSITIVE_INFINITY);
  assert.equal(said([good]).notes.length, 1);
  assert.match(said([good]).notes[0]!, /remembers no channel statement for production.*2030-01-01/);
  assert.deepEqual(said([good], [good]).notes, []);

  const replayed = said([statement({ seq: 4 })], [good]).findings;
  assert.equal(replayed.length, 1);
  assert.match(replayed[0]!.message, /number 4; this door has seen 5$/);
  assert.deepEqual([replayed[0]!.expected, replayed[0]!.found], ["seq 5 or higher", "seq 4"]);
  const other = statement({ releases: ["b".repeat(64), "c".repeat(64)] });
  const [absent] = said([other]).findings;
  assert.equal(absent!.path, other.file);
  assert.match(absent!.fix, /--target production$/);
  assert.equal(absent!.expected, `sha256:${"b".repeat(64)}, sha256:${"c".repeat(64)}`);
  assert.equal(absent!.found, `sha256:${release.digest}`);
  const stranger = statement({}, mallory);
  assert.match(said([stranger]).findings[0]!.message, /does not count: trust does not name its key/);
  assert.match(said([good], [], trust(2, { alice, bob })).findings[0]!.message, /too few releasers/);
  const open = said([stranger]).results.filter((r) => r.status === "not-evaluated");
  assert.ok(open.length === 5 && open.every((r) => r.reason === "WB-ROLL-006 failed first"));
});

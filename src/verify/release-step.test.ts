import assert from "node:assert/strict";
import { test } from "node:test";
import type { ComponentLeaf } from "../core/component.ts";
import { makeRelease } from "../core/release.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement, type Statement } from "../evidence/statement.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { generateKeyPair, keyId, publicKeyPem } from "../sign/keys.ts";
import { releaseSignatures } from "./release-step.ts";
import { type BundleText, readStatements } from "./signed.ts";
import { parseTrust, type Trust } from "./trust.ts";

const [alice, bob, carol, mallory] = [1, 2, 3, 4].map(() => generateKeyPair()) as [Pair, Pair, Pair, Pair];
type Pair = ReturnType<typeof generateKeyPair>;
const leaf = (name: string, fill = "a"): ComponentLeaf => ({
  kind: "code",
  name,
  mediaType: "m",
  digest: `sha256:${fill.repeat(64)}`,
  size: 1,
});
const leaves = [leaf("app"), leaf("lib")];
const settings = "5".repeat(64);
const release = makeRelease("tiny", leaves, settings);
const good = makeReleaseStatement("tiny", leaves, settings);
let count = 0;
const by = (pair: Pair, statement: Statement = good): BundleText => {
  count += 1;
  return { file: `${count}.json`, text: makeKeyBundle(encodeStatement(statement), pair.privateKey) };
};
/** alice and bob may release together; carol is named and may not; each key with its window. */
const trust = (threshold = 1, windows: Record<string, object> = {}, more: object = {}): Trust =>
  parseTrust(
    JSON.stringify({
      waybillTrust: "v1",
      version: 1,
      expires: "2099-01-01T00:00:00Z",
      principals: Object.entries({ alice, bob, carol }).map(([name, pair]) => ({
        name,
        keys: [{ publicKey: publicKeyPem(pair.publicKey), ...windows[name] }],
      })),
      rules: [{ evidence: "release", agents: ["tiny"], principals: ["alice", "bob"], threshold }],
      ...more,
    }),
  );
const step = (bundles: BundleText[], policy: Trust | undefined = trust()) => {
  const made = releaseSignatures(
    release,
    leaves,
    readStatements(bundles),
    policy,
    new Date("2027-01-01T00:00:00Z"),
  );
  const of = (status: string) => made.results.filter((r) => r.status === status).map((r) => r.code);
  return {
    ...made,
    failed: of("fail"),
    passed: of("pass"),
    open: made.results.flatMap((r) => (r.status === "not-evaluated" ? [r.reason] : [])),
    findings: made.results.flatMap((r) => (r.status === "fail" ? r.findings : [])),
  };
};
const untrusted = (bundles: BundleText[]) =>
  releaseSignatures(release, leaves, readStatements(bundles), undefined, new Date());

test("one satisfied rule is enough, whatever lies beside it", () => {
  const junk = [{ file: "junk", text: "" }, by(mallory), by(carol), by(alice, otherAgent())];
  for (const bundles of [[by(alice)], [...junk, by(alice)], [by(alice), ...junk]]) {
    const { passed, signedBy, results } = step(bundles);
    assert.equal(passed.length, 12);
    assert.deepEqual(signedBy, [{ principal: "alice", key: keyId(alice.publicKey) }]);
    const signed = bundles.length - (bundles.length > 1 ? 1 : 0);
    assert.equal(results[0]!.coverage, `${signed} signature${signed === 1 ? "" : "s"}, 1 by trusted signers`);
  }
});

const otherAgent = () => makeReleaseStatement("other", leaves, settings);

test("each signature that does not count says why, under its own code", () => {
  const otherRelease = makeReleaseStatement("tiny", [leaf("app", "b"), leaf("new")], settings);
  const onlySettings = makeReleaseStatement("tiny", leaves, "6".repeat(64));
  const lying: Statement = { ...good, subject: [{ name: "tiny", digest: { sha256: "f".repeat(64) } }] };
  const revoked = trust(1, {}, { revoked: [{ key: keyId(alice.publicKey), reason: "lost" }] });
  const sig = (text: string) => JSON.parse(text).dsseEnvelope.signatures[0].sig as string;
  const forged = (statement = good) => {
    const [mine, other] = [by(alice, statement), by(alice, onlySettings)];
    return { ...mine, text: mine.text.replace(sig(mine.text), sig(other.text)) };
  };
  const late = trust(1, { alice: { notAfter: "2027-01-01T00:00:00Z" } });
  const early = trust(1, { alice: { notBefore: "2027-01-01T00:00:01Z" } });
  const table: [string, BundleText[], Trust, string[], RegExp][] = [
    ["nothing", [], trust(), ["WB-SIGN-001"], /^the release is not signed$/],
    ["no bundle", [{ file: "b", text: "{" }], trust(), ["WB-SIGN-003"], /^b is no valid signature: not a/],
    ["a stranger", [by(mallory)], trust(), ["WB-SIGN-002"], /does not count: trust does not name/],
    ["forged", [forged()], trust(), ["WB-SIGN-003"], /does not verify: /],
    // What nobody signed is not told as if somebody had.
    ["forged for another agent", [forged(otherAgent())], trust(), ["WB-SIGN-003"], /does not verify: /],
    ["forged for another release", [forged(otherRelease)], trust(), ["WB-SIGN-003"], /does not verify: /],
    ["revoked", [by(alice)], revoked, ["WB-TRUST-003"], /does not count: .*revoked: lost/],
    ["expired", [by(alice)], late, ["WB-TRUST-002"], /is by an expired key: /],
    ["not yet valid", [by(alice)], early, ["WB-TRUST-004"], /is by a key that is not valid yet: /],
    ["not allowed", [by(carol)], trust(), ["WB-TRUST-005"], /does not count: carol may not/],
    ["no release statement", [by(alice, lying)], trust(), ["WB-SIGN-003"], /is no release statement: /],
    ["another agent", [by(alice, otherAgent())], trust(), ["WB-SIGN-005"], /signs another agent, other$/],
    ["another release", [by(alice, otherRelease)], trust(), ["WB-SIGN-004"], /signs another release, /],
    ["other settings", [by(alice, onlySettings)], trust(), ["WB-SIGN-004"], /signs another release, /],
    ["too few", [by(alice)], trust(2), ["WB-TRUST-006"], /not enough .* needs 2 of alice, bob; 1 signed/],
    ["one twice", [by(alice), by(alice)], trust(2), ["WB-TRUST-006"], /1 signed/],
    // What is wrong with a statement outweighs that its signer's key is late, and what is wrong with the
    // signature outweighs all of it.
    ["another release by an expired key", [by(alice, otherRelease)], late, ["WB-SIGN-004"], /another/],
    ["another agent by one not allowed", [by(carol, otherAgent())], trust(), ["WB-SIGN-005"], /another/],
    ["another release by a stranger", [by(mallory, otherRelease)], trust(), ["WB-SIGN-002"], /name/],
    ["another release, revoked", [by(alice, otherRelease)], revoked, ["WB-TRUST-003"], /revoked/],
    ["too few, and a stranger", [by(alice), by(mallory)], trust(2), ["WB-SIGN-002", "WB-TRUST-006"], /name/],
  ];
  for (const [what, bundles, policy, codes, message] of table) {
    const { failed, findings, open, signedBy, passed, until } = step(bundles, policy);
    assert.deepEqual(failed, codes, what);
    assert.match(findings[0]!.message, message, what);
    assert.deepEqual([signedBy, passed, until], [[], [], Number.NEGATIVE_INFINITY], what);
    assert.equal(open.length, 12 - failed.length);
    assert.equal(open[0], `${codes[0]} failed first`, what);
    if (bundles.length > 0 && codes[0] !== "WB-TRUST-006")
      assert.equal(findings[0]!.path, bundles.at(-1)!.file, what);
  }
  const final = (bundle: BundleText) => step([bundle]).findings[0]!.final;
  assert.deepEqual([final({ file: "b", text: "" }), final(by(alice, lying))], [true, true]);

  const agent = step([by(alice, otherAgent())]).findings[0]!;
  assert.deepEqual([agent.expected, agent.found], ["tiny", "other"]);
  const changed = step([by(alice, otherRelease)]).findings[0]!;
  assert.equal(changed.expected, `sha256:${release.digest}  this folder`);
  assert.match(changed.found!, /^sha256:[0-9a-f]{64} {2}signed$/);
  assert.deepEqual(
    changed.details!.map((line) => line.replace(/[ab]{8,}…?/g, "X").replace(/sha256:/g, "")),
    ["code/app  signed X  here X", "code/new  signed X  here absent", "code/lib  signed absent  here X"],
  );
  assert.deepEqual(step([by(alice, onlySettings)]).findings[0]!.details, [
    "the components are the same: only settings differ",
  ]);
  const many = Array.from({ length: 13 }, (_, i) => leaf(`n${i}`));
  const named = step([by(alice, makeReleaseStatement("tiny", many, settings))]).findings[0]!;
  assert.equal(named.details!.length, 12);
});

test("signatures stand until the first of their keys ends", () => {
  const windows = {
    alice: { notAfter: "2029-01-01T00:00:00Z" },
    bob: { notAfter: "2028-01-01T00:00:00Z" },
  };
  assert.equal(step([by(alice)], trust(1, windows)).until, Date.parse("2029-01-01T00:00:00Z"));
  for (const bundles of [
    [by(alice), by(bob)],
    [by(bob), by(alice)],
  ])
    assert.equal(step(bundles, trust(2, windows)).until, Date.parse("2028-01-01T00:00:00Z"));
  assert.equal(step([by(alice)]).until, Number.POSITIVE_INFINITY);
  assert.equal(untrusted([by(alice)]).until, Number.NEGATIVE_INFINITY);
});

test("without trust nothing is judged, and only the lack of any signature fails", () => {
  const statuses = (bundles: BundleText[]) => untrusted(bundles).results.map((r) => r.status);
  const open = Array<string>(12).fill("not-evaluated");
  assert.deepEqual(statuses([]), ["fail", ...open.slice(1)]);
  assert.deepEqual(statuses([by(mallory)]), open);
  assert.deepEqual(statuses([{ file: "b", text: "" }]), open);
  assert.equal(untrusted([by(alice)]).results[0]!.coverage, "1 signatures found");
  assert.deepEqual(untrusted([by(alice)]).signedBy, []);
  // Evidence of another kind is no signature on a release.
  const scan = by(alice, { ...good, predicateType: "https://in-toto.io/attestation/vulns/v0.2" });
  assert.deepEqual(statuses([scan]), ["fail", ...open.slice(1)]);
  assert.deepEqual(step([scan]).failed, ["WB-SIGN-001"]);
});

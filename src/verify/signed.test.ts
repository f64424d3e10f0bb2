import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeStatement } from "../evidence/statement.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { generateKeyPair, keyHints, publicKeyPem } from "../sign/keys.ts";
import { type BundleText, isSignedBy, judge, readStatements } from "./signed.ts";
import { parseTrust } from "./trust.ts";

const [alice, bob, carol] = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
const [a, b, c] = [alice, bob, carol].map((pair) => keyHints(pair.publicKey)) as [Hints, Hints, Hints];
type Hints = ReturnType<typeof keyHints>;
const statement = encodeStatement({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "tiny", digest: { sha256: "a".repeat(64) } }],
  predicateType: "urn:waybill:release:v1",
  predicate: {},
});
const made = (pair = alice, text = statement): BundleText => ({
  file: "x.sigstore.json",
  text: makeKeyBundle(text, pair.privateKey),
});
/** The same bundle under another name of a key: hints are not signed. */
const hinted = (bundle: BundleText, hint: string, rawBytes?: string): BundleText => {
  const data = JSON.parse(bundle.text);
  data.verificationMaterial.publicKey = { hint, ...(rawBytes === undefined ? {} : { rawBytes }) };
  return { ...bundle, text: JSON.stringify(data) };
};
const der = (pair: typeof alice) => pair.publicKey.export({ type: "spki", format: "der" }).toString("base64");
const trust = (key: object = {}, more: object = {}) =>
  parseTrust(
    JSON.stringify({
      waybillTrust: "v1",
      version: 1,
      expires: "2099-01-01T00:00:00Z",
      principals: [
        { name: "alice", keys: [{ publicKey: publicKeyPem(alice.publicKey), ...key }] },
        { name: "bob", keys: [{ publicKey: publicKeyPem(bob.publicKey) }] },
      ],
      rules: [{ evidence: "release", agents: ["tiny"], principals: ["alice"], threshold: 1 }],
      ...more,
    }),
  );
const now = new Date("2027-01-01T00:00:00Z");
const judged = (bundle: BundleText, policy = trust(), agent = "tiny") => {
  const [signed] = readStatements([bundle]).statements;
  assert.ok(signed);
  const result = judge(signed, { evidence: "release", agent }, policy, now);
  return result.ok ? `${result.principal} ${result.notAfter}` : `${result.rule}: ${result.detail}`;
};

test("statements are read, what is none is named with its file", () => {
  const [good, same, other] = [made(), made(bob), made(alice, statement.replace("tiny", "other"))];
  const { statements, malformed } = readStatements([
    good,
    { file: "empty", text: "" },
    { ...good, file: "unread", problem: "too large" },
    { ...made(alice, "{}"), file: "no statement" },
    same,
    other,
  ]);
  assert.deepEqual(
    statements.map((s) => [s.file, s.text, s.bundle.signer.kind === "key" && s.bundle.signer.hints]),
    [
      [good.file, good.text, [a.cosign]],
      [same.file, same.text, [b.cosign]],
      [other.file, other.text, [a.cosign]],
    ],
  );
  assert.equal(statements[0]!.content, statements[1]!.content);
  assert.notEqual(statements[0]!.content, statements[2]!.content);
  assert.deepEqual(
    malformed.map((m) => m.file),
    ["empty", "unread", "no statement"],
  );
  assert.match(malformed[0]!.problem, /^not a bundle/);
  assert.equal(malformed[1]!.problem, "too large");
  assert.match(malformed[2]!.problem, /^not a statement/);
});

test("each reason why a signature does not count has its rule", () => {
  const good = made();
  const revoked = (key: string) => trust({}, { revoked: [{ key, reason: "lost" }] });
  const broken = { ...good, text: made(alice, statement.replace("tiny", "other")).text };
  const sig = (text: string) => JSON.parse(text).dsseEnvelope.signatures[0].sig as string;
  const forged = { ...good, text: good.text.replace(sig(good.text), sig(broken.text)) };
  const table: [string, string, RegExp][] = [
    ["by a trusted key", judged(good), /^alice Infinity$/],
    [
      "until its end",
      judged(good, trust({ notAfter: "2028-01-01T00:00:00Z" })),
      new RegExp(`^alice ${Date.parse("2028-01-01T00:00:00Z")}$`),
    ],
    ["by a stranger", judged(made(carol)), new RegExp(`^someoneElse: .* key ${c.keyId.slice(0, 12)}$`)],
    ["by a stranger, id in hex", judged(hinted(made(carol), c.keyId)), new RegExp(c.keyId.slice(0, 12))],
    ["by a key without a name", judged(hinted(made(carol), "!")), /^someoneElse: .* key without a name$/],
    ["by a stranger under a trusted name", judged(hinted(made(carol), a.cosign)), /^invalid: /],
    ["by another trusted key under this name", judged(hinted(made(bob), a.cosign)), /^invalid: /],
    ["over other bytes", judged(forged), /^invalid: /],
    ["revoked", judged(good, revoked(a.keyId)), /^revokedKey: .*lost/],
    ["revoked and under no principal", judged(made(carol), revoked(c.keyId)), /^revokedKey: .*lost/],
    ["revoked before anything else", judged(forged, revoked(a.keyId)), /^revokedKey: /],
    ["expired", judged(good, trust({ notAfter: "2027-01-01T00:00:00Z" })), /^expiredKey: .*2027-01-01/],
    [
      "expired, and not valid either",
      judged(forged, trust({ notAfter: "2027-01-01T00:00:00Z" })),
      /^invalid: /,
    ],
    [
      "not yet valid",
      judged(good, trust({ notBefore: "2027-01-01T00:00:01Z" })),
      /^notYetValid: .*2027-01-01/,
    ],
    ["of another agent", judged(good, trust(), "other"), /^notAllowed: alice may not sign release/],
    ["of another principal", judged(made(bob)), /^notAllowed: bob/],
    // The second name, from older OMS bundles, finds a key too; the signature is by that very key or invalid.
    ["found under the second name", judged(hinted(good, "unknown", der(alice))), /^alice/],
    ["a stranger's under two names", judged(hinted(made(carol), c.cosign, der(alice))), /^invalid: /],
    [
      "revoked under the second name",
      judged(hinted(good, "unknown", der(alice)), revoked(a.keyId)),
      /^revokedKey/,
    ],
  ];
  for (const [what, said, expected] of table) assert.match(said, expected, what);
});

test("a statement is by a key whatever its bundle names", () => {
  const by = (bundle: BundleText, pair = alice) =>
    isSignedBy(readStatements([bundle]).statements[0]!, pair.publicKey);
  assert.equal(by(made()), true);
  assert.equal(by(hinted(made(), b.cosign)), true);
  assert.equal(by(made(bob)), false);
  assert.equal(by(hinted(made(bob), a.cosign)), false);
});

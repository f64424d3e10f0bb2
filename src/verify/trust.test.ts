import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { z } from "zod";
import { encodeVerifierKey } from "../core/note.ts";
import { generateKeyPair, keyHints, keyIdOfHint, publicKeyPem } from "../sign/keys.ts";
import { parseTrust, trustSchema } from "./trust.ts";
import { findKey, judgeSigner, missingSigners, trustExpired } from "./trust-judge.ts";
import { trustTemplate } from "./trust-template.ts";

const [a, b, c, stranger] = [1, 2, 3, 4].map(() => {
  const { publicKey } = generateKeyPair();
  return { ...keyHints(publicKey), pem: publicKeyPem(publicKey), publicKey };
}) as [Key, Key, Key, Key];
type Key = ReturnType<typeof keyHints> & {
  pem: string;
  publicKey: ReturnType<typeof generateKeyPair>["publicKey"];
};

const quoted = (pem: string) => JSON.stringify(pem);

function trustText(
  parts: { principals?: string; rules?: string; revoked?: string; head?: string } = {},
): string {
  const principals = `
  - name: alice
    keys:
      - publicKey: ${quoted(a.pem)}
        notBefore: 2026-01-01T00:00:00Z
        notAfter: 2027-01-01T00:00:00Z
      - publicKey: ${quoted(c.pem)}
  - name: bob
    keys: [{publicKey: ${quoted(b.pem)}}]`;
  const rules = `
  - {evidence: release, agents: [support-agent], principals: [alice, bob], threshold: 2}
  - {evidence: channel, agents: ["*"], targets: [production], principals: [alice], threshold: 1}`;
  return `${parts.head ?? "waybillTrust: v1\nversion: 3\nexpires: 2027-06-01T00:00:00Z"}
principals: ${parts.principals ?? principals}
rules: ${parts.rules ?? rules}
${parts.revoked === undefined ? "" : `revoked: ${parts.revoked}\n`}`;
}

const release = { evidence: "release", agent: "support-agent" };
const now = new Date("2026-06-01T00:00:00Z");
const trust = parseTrust(trustText());
/** The signer that a hint of a bundle names. */
const by = (hint: string, policy = trust) => ({
  kind: "key" as const,
  keyId: findKey(policy, [hint])?.keyId ?? keyIdOfHint(hint) ?? "",
});
const status = (key: string, facts: object = {}, policy = trust) =>
  judgeSigner(policy, { ...release, signer: by(key, policy), now, ...facts }).status;

test("a trusted key is found under each of its names", () => {
  for (const hint of [a.keyId, a.cosign, a.oms])
    assert.deepEqual(judgeSigner(trust, { ...release, signer: by(hint), now }), {
      status: "trusted",
      principal: "alice",
      until: Date.parse("2027-01-01T00:00:00Z"),
    });
  assert.ok(findKey(trust, ["nothing", b.cosign])?.publicKey.equals(b.publicKey));
  assert.equal(findKey(trust, [stranger.cosign]), undefined);
});

test("unknown, not allowed, too early, too late: a name each", () => {
  assert.equal(status(stranger.cosign), "unknown-key");
  assert.equal(status("whatever"), "unknown-key");
  assert.equal(status(a.keyId, { agent: "another-agent" }), "not-allowed");
  assert.equal(status(b.keyId, { evidence: "channel", target: "production" }), "not-allowed");
  assert.equal(status(a.keyId, { evidence: "channel", target: "production" }), "trusted");
  assert.equal(status(a.keyId, { evidence: "channel", target: "staging" }), "not-allowed");
  assert.equal(status(a.keyId, { evidence: "channel" }), "not-allowed");
  assert.equal(status(a.keyId, { now: new Date("2025-12-31T23:59:59.999Z") }), "not-yet-valid");
  assert.equal(status(a.keyId, { now: new Date("2026-01-01T00:00:00Z") }), "trusted");
  assert.equal(status(a.keyId, { now: new Date("2026-12-31T23:59:59.999Z") }), "trusted");
  assert.equal(status(a.keyId, { now: new Date("2027-01-01T00:00:00Z") }), "expired");
  assert.equal(status(a.keyId, { now: new Date(Number.NaN) }), "not-yet-valid");
  const expired = judgeSigner(trust, {
    ...release,
    signer: by(a.keyId),
    now: new Date("2028-01-01T00:00:00Z"),
  });
  assert.ok("detail" in expired && expired.detail.includes("2027-01-01T00:00:00Z"));
});

test("a revoked key is refused whatever the time, whatever else it is", () => {
  const revoked = `[{key: ${a.keyId}, compromisedSince: 2026-12-31T00:00:00Z, reason: lost laptop}, {key: ${stranger.keyId}, reason: old}]`;
  const policy = parseTrust(trustText({ revoked }));
  for (const hint of [a.keyId, a.cosign, a.oms]) assert.equal(status(hint, {}, policy), "revoked");
  const judged = judgeSigner(policy, { ...release, signer: by(a.cosign), now });
  assert.ok("detail" in judged && judged.detail.includes("lost laptop") && judged.principal === "alice");
  // No longer under any principal, and still named.
  assert.equal(status(stranger.cosign, {}, policy), "revoked");
  assert.equal(status(c.keyId, {}, policy), "trusted");
});

test("thresholds count principals, never keys or repetitions", () => {
  assert.equal(missingSigners(trust, release, ["alice", "bob"]), null);
  assert.match(missingSigners(trust, release, ["alice", "alice"])!, /needs 2 of alice, bob; 1 signed/);
  assert.match(missingSigners(trust, release, ["alice", "mallory"])!, /1 signed/);
  assert.match(missingSigners(trust, { ...release, agent: "x" }, ["alice", "bob"])!, /no rule/);
  const channel = { evidence: "channel", agent: "any", target: "production" };
  assert.equal(missingSigners(trust, channel, ["alice"]), null);
  assert.match(missingSigners(trust, { ...channel, target: "staging" }, ["alice"])!, /no rule/);
});

test("what is missing is told by the nearest rule", () => {
  const missing = (rules: string[], principals: string[]) =>
    missingSigners(parseTrust(trustText({ rules: `[${rules.join(", ")}]` })), release, principals);
  const rule = (principals: string, threshold: number) =>
    `{evidence: release, agents: ["*"], principals: [${principals}], threshold: ${threshold}}`;
  const [both, bob, alice, none] = [rule("alice, bob", 2), rule("bob", 1), rule("alice", 1), rule("", 1)];
  const says = (text: string) => `release evidence for support-agent needs ${text} signed`;
  assert.equal(missing([both, bob], []), says("1 of bob; 0"));
  assert.equal(missing([bob, both], []), says("1 of bob; 0"));
  assert.equal(missing([both, bob], ["alice"]), says("2 of alice, bob; 1"));
  assert.equal(missing([bob, alice], []), says("1 of bob; 0"));
  assert.equal(missing([none], ["alice"]), says("1 of no one; 0"));
  // One satisfied rule is enough, wherever it stands.
  assert.equal(missing([both, alice], ["alice"]), null);
  assert.equal(missing([alice, both], ["alice"]), null);
  assert.equal(
    missingSigners(trust, { evidence: "channel", agent: "a", target: "production" }, []),
    "channel evidence for a at production needs 1 of alice; 0 signed",
  );
});

test("a judgement says who and why", () => {
  const revoked = `[{key: ${b.keyId}, compromisedSince: 2026-12-31T00:00:00Z, reason: lost laptop}]`;
  const judged = (key: string, more: object = {}) =>
    judgeSigner(parseTrust(trustText({ revoked })), { ...release, signer: by(key), now, ...more });
  assert.deepEqual(judged(b.cosign), {
    status: "revoked",
    principal: "bob",
    detail: "the key was revoked: lost laptop (compromised since 2026-12-31T00:00:00Z)",
  });
  const unknown = { status: "unknown-key", detail: "trust names no such key" };
  assert.deepEqual(judged(stranger.cosign), unknown);
  assert.deepEqual(judged("whatever"), unknown);
  assert.deepEqual(judged(a.oms, { agent: "x" }), {
    status: "not-allowed",
    principal: "alice",
    detail: "alice may not sign release evidence for x",
  });
  assert.deepEqual(judged(a.oms, { now: new Date("2025-01-01T00:00:00Z") }), {
    status: "not-yet-valid",
    principal: "alice",
    detail: "the key counts from 2026-01-01T00:00:00Z",
  });
  const nowhen = judged(c.keyId, { now: new Date(Number.NaN) });
  assert.ok("detail" in nowhen && nowhen.detail === "the key counts from no known time");
  // Not revoked with a reason alone, and no word of when.
  const policy = parseTrust(trustText({ revoked: `[{key: ${a.keyId}, reason: old}]` }));
  const old = judgeSigner(policy, { ...release, signer: by(a.keyId), now });
  assert.ok("detail" in old && old.detail === "the key was revoked: old");
});

test("empty lists trust no one", () => {
  for (const policy of [
    parseTrust(trustText({ principals: "[]", rules: "[]" })),
    parseTrust(trustText({ rules: "[]" })),
    parseTrust(trustText({ rules: '[{evidence: release, agents: ["*"], principals: [], threshold: 1}]' })),
  ]) {
    assert.notEqual(status(a.keyId, {}, policy), "trusted");
    assert.equal(typeof missingSigners(policy, release, []), "string");
  }
});

test("a policy expires", () => {
  assert.equal(trustExpired(trust, new Date("2027-05-31T23:59:59Z")), null);
  assert.match(trustExpired(trust, new Date("2027-06-01T00:00:00Z"))!, /2027-06-01/);
  assert.match(trustExpired(trust, new Date(Number.NaN))!, /expired/);
});

test("mistakes are refused, with the line", () => {
  const rule = (text: string) => trustText({ rules: `[${text}]` });
  const key = (text: string) => trustText({ principals: `[{name: alice, keys: [${text}]}]`, rules: "[]" });
  const ed25519 = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
  for (const [text, reason] of [
    [
      trustText({ head: "waybillTrust: v1\nversion: 0\nexpires: 2027-06-01T00:00:00Z" }),
      /yaml:2:\d+: version/,
    ],
    [
      trustText({ head: "waybillTrust: v1\nversion: 1\nexpires: 2026-02-30T00:00:00Z" }),
      /yaml:3:\d+: expires/,
    ],
    [trustText({ head: "waybillTrust: v1\nversion: 1\nexpires: 2027-06-01" }), /expires/],
    [`${trustText()}extra: 1\n`, /extra/],
    [
      rule("{evidence: relase, agents: [a], principals: [bob], threshold: 1}"),
      /yaml:13:\d+: rules\.0\.evidence: no evidence is called relase/,
    ],
    [
      rule("{evidence: release, agents: [a], principals: [carol], threshold: 1}"),
      /no principal is called carol/,
    ],
    [rule("{evidence: release, agents: [a], principals: [bob], threshold: 2}"), /2 of 1 principals/],
    [rule("{evidence: release, agents: [a], principals: [bob, bob], threshold: 2}"), /2 of 1 principals/],
    [rule("{evidence: release, agents: [a], principals: [bob], threshold: 0}"), /threshold/],
    [rule("{evidence: release, agents: [], principals: [bob], threshold: 1}"), /agents/],
    [rule('{evidence: release, agents: ["sup*"], principals: [bob], threshold: 1}'), /agents/],
    [
      rule("{evidence: release, agents: [a], targets: [x], principals: [bob], threshold: 1}"),
      /have a target/,
    ],
    [
      rule('{evidence: release, agents: [a], targets: ["*", x], principals: [bob], threshold: 1}'),
      /rules\.0\.targets: only channel statements have a target/,
    ],
    [
      key(`{publicKey: ${quoted(a.pem)}}, {publicKey: ${quoted(a.pem)}}`),
      /principals\.0\.keys\.1\.publicKey: this key stands already under alice/,
    ],
    [key(`{publicKey: ${quoted(ed25519)}}`), /ed25519 is not accepted/],
    [key("{publicKey: hello}"), /not a public key/],
    [
      key(`{publicKey: ${quoted(a.pem)}, notBefore: 2027-01-01T00:00:00Z, notAfter: 2026-01-01T00:00:00Z}`),
      /not before/,
    ],
    [
      key(`{publicKey: ${quoted(a.pem)}, notBefore: 2027-01-01T00:00:00Z, notAfter: 2027-01-01T00:00:00Z}`),
      /yaml:4:\d+: .*notBefore is not before notAfter/,
    ],
    [
      trustText({ principals: "[{name: alice, keys: []}, {name: alice, keys: []}]", rules: "[]" }),
      /principals\.1\.name: alice stands twice/,
    ],
    [trustText({ revoked: "[{key: abc, reason: x}]" }), /revoked\.0\.key/],
    [trustText({ principals: "&x []", rules: "[]" }), /anchor/],
  ] as const)
    assert.throws(() => parseTrust(text), { name: "WaybillError", message: reason });
});

test("one key under two principals is refused: it would count twice", () => {
  const principals = `[{name: alice, keys: [{publicKey: ${quoted(a.pem)}}]}, {name: bob, keys: [{publicKey: ${quoted(a.pem)}}]}]`;
  assert.throws(() => parseTrust(trustText({ principals, rules: "[]" })), { message: /already under alice/ });
});

test("the template is a policy that trusts its key", () => {
  const options = { principal: "release-team", publicKey: a.pem, expires: "2027-06-01T00:00:00Z" };
  const text = trustTemplate(options);
  const policy = parseTrust(text);
  assert.ok(text.includes(`key id ${a.keyId}`));
  assert.equal(status(a.cosign, {}, policy), "trusted");
  assert.equal(status(a.cosign, { evidence: "channel", target: "anywhere" }, policy), "trusted");
  const one = parseTrust(trustTemplate({ ...options, agents: ["support-agent"] }));
  assert.equal(status(a.cosign, { agent: "other" }, one), "not-allowed");
  // Taking the comments off the optional lines leaves a policy too.
  parseTrust(text.replaceAll("# not", "not"));
});

test("the schema can be published", () => {
  const schema = z.toJSONSchema(trustSchema, { io: "input" });
  assert.deepEqual(schema.required, ["waybillTrust", "version", "expires", "principals", "rules"]);
});

test("identities, roots, witnesses and revocations: mistakes are refused", () => {
  const issuer = "https://issuer.example";
  const identity = { issuer, subject: "s" };
  const root = {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [],
    ctlogs: [],
    certificateAuthorities: [],
    timestampAuthorities: [],
  };
  const document = (parts: object) =>
    JSON.stringify({
      waybillTrust: "v1",
      version: 1,
      expires: "2099-01-01T00:00:00Z",
      principals: [],
      rules: [],
      ...parts,
    });
  const people = (...identities: object[]) => ({
    principals: identities.map((one, i) => ({ name: `p${i}`, identities: [one] })),
  });
  const roots = (...names: string[]) => ({ trustedRoots: names.map((name) => ({ name, root })) });
  const good = [
    people(identity),
    { ...people({ ...identity, roots: ["a"] }), ...roots("a", "b") },
    // The same name by two authorities is two identities.
    { ...people({ ...identity, roots: ["a"] }, { ...identity, roots: ["b"] }), ...roots("a", "b") },
    { ...people({ subject: "ops@acme.example", roots: ["a"] }), ...roots("a") },
    people({ issuer: "http://127.0.0.1:8080", subjectPattern: "*" }),
    { principals: [{ name: "p", identities: [identity, identity] }] },
  ];
  for (const parts of good) parseTrust(document(parts));
  const witness = encodeVerifierKey("w.example", generateKeyPairSync("ed25519").publicKey, "cosignature");
  const log = encodeVerifierKey("w.example", generateKeyPairSync("ed25519").publicKey, "ed25519");
  const raw = generateKeyPairSync("ed25519").publicKey;
  const twice = ["a.example", "b.example"].map((name) => encodeVerifierKey(name, raw, "cosignature"));
  parseTrust(document({ witnesses: { threshold: 1, keys: [witness] } }));
  const table: [object, RegExp][] = [
    [people({ issuer }), /either subject or subjectPattern/],
    [people({ ...identity, subjectPattern: "*" }), /either subject or subjectPattern/],
    [people({ subject: "s" }), /without an issuer, roots must say/],
    [people({ issuer: "http://issuer.example", subject: "s" }), /https:\/\/ address/],
    [people({ issuer: "issuer.example", subject: "s" }), /https:\/\/ address/],
    [people({ issuer: "https://user@issuer.example", subject: "s" }), /https:\/\/ address/],
    [people({ ...identity, roots: ["a"] }), /no trusted root is called a/],
    [{ ...people(identity), ...roots("a", "b") }, /roots must say which of a, b/],
    [people(identity, identity), /principals\.1\.identities\.0: s \(https:.*\) stands already under p0/],
    [
      people({
        ...identity,
        subjectPattern: undefined,
        notBefore: "2027-01-01T00:00:00Z",
        notAfter: "2026-01-01T00:00:00Z",
      }),
      /not before/,
    ],
    [roots("a", "a"), /a stands twice/],
    [{ trustedRoots: [{ name: "a", root: { mediaType: "x" } }] }, /not a trusted root/],
    [{ roots: { principals: ["x"], threshold: 1 } }, /roots\.principals: no principal is called x/],
    [{ ...people(identity), roots: { principals: ["p0"], threshold: 2 } }, /2 of 1 principals/],
    [{ ...people(identity), roots: { principals: [], threshold: 1 } }, /roots\.principals/],
    [
      {
        ...people(identity),
        rules: [{ evidence: "trust", agents: ["*"], principals: ["p0"], threshold: 1 }],
      },
      /stands under roots/,
    ],
    [{ witnesses: { threshold: 1, keys: ["x"] } }, /verifier key/],
    [{ witnesses: { threshold: 1, keys: [log] } }, /type 0x04/],
    [{ witnesses: { threshold: 2, keys: [witness] } }, /2 of 1 witnesses/],
    [{ witnesses: { threshold: 2, keys: [witness, witness] } }, /stands twice/],
    [{ witnesses: { threshold: 2, keys: twice } }, /stands twice/],
    [{ revoked: [{ reason: "x" }] }, /either key or identity/],
    [{ revoked: [{ key: a.keyId, identity, reason: "x" }] }, /either key or identity/],
  ];
  for (const [parts, reason] of table)
    assert.throws(() => parseTrust(document(parts)), { name: "WaybillError", message: reason });
});

test("of two revocations of one key the stricter holds", () => {
  const entry = (since?: string) => ({
    key: a.keyId,
    reason: "x",
    ...(since ? { compromisedSince: since } : {}),
  });
  const [may, june] = ["2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"];
  const time = Date.parse("2026-05-15T00:00:00Z");
  const judged = (...entries: object[]) =>
    judgeSigner(parseTrust(trustText({ revoked: JSON.stringify(entries) })), {
      ...release,
      signer: by(a.keyId),
      time,
      now,
    }).status;
  assert.equal(judged(entry(june)), "trusted");
  for (const entries of [
    [entry(may), entry(june)],
    [entry(june), entry(may)],
    [entry(june), entry()],
    [entry(), entry(june)],
  ])
    assert.equal(judged(...entries), "revoked");
});

test("the digest is that of what the document says, not of its layout", () => {
  const text = trustText();
  assert.equal(parseTrust(text).digest, parseTrust(`# a comment\n${text}`).digest);
  assert.equal(parseTrust(text).digest, parseTrust(JSON.stringify(parseTrust(text).source.data)).digest);
  assert.notEqual(parseTrust(text).digest, parseTrust(text.replace("version: 3", "version: 4")).digest);
});

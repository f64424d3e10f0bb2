import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Json } from "../core/canonical-json.ts";
import { releaseOf } from "../core/lock.ts";
import { cosignatureSigner, encodeVerifierKey, type NoteSigner } from "../core/note.ts";
import { settingsDigest } from "../core/settings.ts";
import { makeChannelStatement } from "../evidence/channel.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement } from "../evidence/statement.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { publicKeyPem } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { channelFreshness } from "../verify/channel-step.ts";
import { readStatements } from "../verify/signed.ts";
import { parseTrust } from "../verify/trust.ts";
import { judge } from "./judge.ts";
import { type Agent, newKey, releasedAgent } from "./proofs-agent.test.ts";
import { GITHUB, TestAuthority, workflow } from "./proofs-authority.test.ts";
import { signTrust } from "./trust-save.ts";

// Whom a door believes, end to end: a released agent, the operator's policy, and somebody who would get past it.

const authority = new TestAuthority("acme");
const YEAR = 365 * 86_400_000;
const instant = (ms: number) => new Date(ms).toISOString().replace(/\.\d{3}Z$/, "Z");
const named = (key: SigningKey, more: object = {}) => ({
  name: key.name,
  keys: [{ publicKey: publicKeyPem(key.publicKey), ...more }],
});

/** A policy: what is not said is that of an agent whose releaser is `releaser`. */
function policy(
  parts: { version?: number; principals: object[]; threshold?: number } & Record<string, unknown>,
): string {
  const { version = 1, principals, threshold = 1, ...rest } = parts;
  const names = principals.map((principal) => (principal as { name: string }).name);
  const rule = { agents: ["*"], principals: names };
  return JSON.stringify({
    waybillTrust: "v1",
    version,
    expires: "2099-01-01T00:00:00Z",
    principals,
    rules: [
      { evidence: "release", ...rule, threshold },
      { evidence: "channel", ...rule, threshold: 1 },
    ],
    ...rest,
  });
}

/** The text that a release of this agent is signed over. */
function statementOf(agent: Agent, name = "proof"): string {
  const lock = agent.openLock();
  return encodeStatement(
    makeReleaseStatement(
      name,
      lock.components.map((c) => c.leaf),
      settingsDigest(lock.settings),
    ),
  );
}

/** Puts a signature in the place of all that lie there. */
function onlySignature(agent: Agent, bundle: string): void {
  for (const file of agent.releaseSignatures()) agent.remove(file);
  agent.write("waybill.evidence/release.000000000000.sigstore.json", bundle);
}

async function outcome(agent: Agent): Promise<string> {
  const { verdict } = await agent.verify();
  return verdict.outcome === "allow" ? "allow" : verdict.blocking.map(({ code }) => code).join(" ");
}

test("an older trust policy put back is refused, also when it was signed", async () => {
  const agent = await releasedAgent();
  const stolen = newKey("stolen");
  const first = policy({ principals: [named(agent.key), named(stolen)] });
  const second = policy({ version: 2, principals: [named(agent.key)] });
  writeFileSync(agent.trust, first);
  assert.equal(await outcome(agent), "allow");
  writeFileSync(agent.trust, second);
  assert.equal(await outcome(agent), "allow");
  writeFileSync(agent.trust, first);
  assert.equal(await outcome(agent), "WB-TRUST-009");
  const [finding] = (await agent.verify()).verdict.blocking;
  assert.match(finding!.expected!, /^version 2 or higher/);
  // The door that has never seen the second one cannot know: what it remembers is what makes the difference.
  rmSync(join(agent.home, "doors", "trust"), { recursive: true });
  assert.equal(await outcome(agent), "allow");
});

test("who adds himself in a new version gets nowhere without the roots of the old one", async () => {
  const agent = await releasedAgent();
  const [root, mallory] = [newKey("root"), newKey("mallory")];
  const roots = { principals: ["root"], threshold: 1 };
  const principals = [named(agent.key), named(root)];
  const write = async (text: string, ...keys: SigningKey[]) => {
    writeFileSync(agent.trust, text);
    for (const key of keys) await signTrust(agent.trust, parseTrust(text), keySigner(key));
  };
  await write(policy({ principals, roots }));
  assert.equal(await outcome(agent), "WB-TRUST-011", "not even the first one, unsigned");
  await write(policy({ principals, roots }), root);
  assert.equal(await outcome(agent), "allow");
  const added = { version: 2, principals: [...principals, named(mallory)], roots };
  await write(policy(added));
  assert.equal(await outcome(agent), "WB-TRUST-011", "unsigned");
  await write(policy(added), mallory);
  assert.equal(await outcome(agent), "WB-TRUST-011", "signed by himself");
  const own = { ...added, roots: { principals: ["mallory"], threshold: 1 } };
  await write(policy(own), mallory);
  assert.equal(await outcome(agent), "WB-TRUST-011", "a root of his own making");
  const none: Record<string, unknown> = { ...added };
  delete none.roots;
  await write(policy(none as typeof added), mallory);
  assert.equal(await outcome(agent), "WB-TRUST-011", "without roots");
  await write(policy({ ...added, version: 1 }), mallory);
  assert.equal(await outcome(agent), "WB-TRUST-010", "under the same version");
  await write(policy(added), root);
  assert.equal(await outcome(agent), "allow", "signed by the root");
});

test("a threshold of roots rotates them, version by version, and a gap is not jumped", async () => {
  const agent = await releasedAgent();
  const [a, b, c] = [newKey("a"), newKey("b"), newKey("c")];
  const principals = [agent.key, a, b, c].map((key) => named(key));
  const version = (number: number, ...names: string[]) =>
    policy({ version: number, principals, roots: { principals: names, threshold: 2 } });
  const write = async (text: string, ...keys: SigningKey[]) => {
    writeFileSync(agent.trust, text);
    for (const key of keys) await signTrust(agent.trust, parseTrust(text), keySigner(key));
  };
  await write(version(1, "a", "b"), a);
  assert.equal(await outcome(agent), "WB-TRUST-011", "one of two");
  await write(version(1, "a", "b"), a, b);
  assert.equal(await outcome(agent), "allow");
  await write(version(2, "b", "c"), a, b);
  assert.equal(await outcome(agent), "WB-TRUST-011", "not by a threshold of its own");
  await write(version(2, "b", "c"), c);
  assert.equal(await outcome(agent), "allow", "a and b for the old, b and c for the new");
  // Version 3 was never seen by this door; version 4 is signed by its roots alone.
  const third = version(3, "a", "c");
  await write(version(4, "a", "c"), a, c);
  assert.equal(await outcome(agent), "WB-TRUST-011");
  const [finding] = (await agent.verify()).verdict.blocking;
  assert.match(finding!.message, /version 3, between 2 and 4, is not at hand/);
  writeFileSync(`${agent.trust}.v3`, third);
  assert.equal(await outcome(agent), "WB-TRUST-011", "unsigned");
  for (const key of [a, b, c]) await signTrust(agent.trust, parseTrust(third), keySigner(key));
  assert.equal(await outcome(agent), "allow");
});

test("the digest that the operator gives is the first policy, or leads to it", async () => {
  const agent = await releasedAgent();
  const root = newKey("root");
  const roots = { principals: ["root"], threshold: 1 };
  const principals = [named(agent.key), named(root)];
  const [first, second] = [policy({ principals, roots }), policy({ version: 2, principals, roots })];
  const said = async (digest: string) => {
    const { verdict } = await judge({
      ...agent.options(),
      door: "start",
      only: "verify",
      trustDigest: digest,
    });
    return verdict.outcome === "allow" ? "allow" : verdict.blocking.map(({ code }) => code).join(" ");
  };
  writeFileSync(agent.trust, second);
  await signTrust(agent.trust, parseTrust(second), keySigner(root));
  const digest = `sha256:${parseTrust(first).digest}`;
  assert.equal(await said(digest), "WB-TRUST-015", "the first is not at hand");
  assert.equal(await said(`sha256:${"0".repeat(64)}`), "WB-TRUST-015");
  writeFileSync(`${agent.trust}.v1`, first);
  assert.equal(await said(digest), "allow", "from the first to the second by its root");
  await assert.rejects(said("abc"), { code: "WB-INPUT-007" });
});

test("a policy placed by hand may change under its version, with a note; trust in the agent's folder is not remembered", async () => {
  const agent = await releasedAgent();
  writeFileSync(agent.trust, policy({ principals: [named(agent.key)] }));
  assert.equal(await outcome(agent), "allow");
  writeFileSync(agent.trust, policy({ principals: [named(agent.key), named(newKey("more"))] }));
  const { verdict } = await agent.verify();
  assert.equal(verdict.outcome, "allow");
  assert.ok(verdict.notes.some((note) => note.includes("still is version 1")));
  const other = await releasedAgent();
  other.write("waybill.trust.yaml", readFileSync(other.trust));
  await judge({ ...other.options(), trust: undefined, door: "start", only: "verify" });
  assert.throws(() => readFileSync(join(other.home, "doors", "trust")), { code: "ENOENT" });
});

test("the CI identity of one agent cannot release another", async () => {
  const agent = await releasedAgent();
  const now = new Date();
  const identity = (repo: string) => ({ issuer: GITHUB, subject: workflow(repo) });
  const rule = (evidence: string, agents: string[], principals: string[]) => ({
    evidence,
    agents,
    principals,
    threshold: 1,
  });
  const write = (trustedRoots: Json) =>
    writeFileSync(
      agent.trust,
      policy({
        principals: [
          { name: "ci-proof", identities: [identity("acme/proof")] },
          { name: "ci-other", identities: [identity("acme/other")] },
        ],
        rules: [rule("release", ["proof"], ["ci-proof"]), rule("release", ["other"], ["ci-other"])],
        trustedRoots,
      }),
    );
  write([{ name: "acme", root: authority.root() }]);
  onlySignature(agent, authority.bundle(statementOf(agent), identity("acme/proof"), now));
  assert.equal(await outcome(agent), "allow");
  assert.deepEqual((await agent.verify()).verdict.signedBy, [
    { principal: "ci-proof", identity: `${workflow("acme/proof")} (${GITHUB})` },
  ]);
  onlySignature(agent, authority.bundle(statementOf(agent), identity("acme/other"), now));
  assert.equal(await outcome(agent), "WB-TRUST-005");
  onlySignature(agent, authority.bundle(statementOf(agent), identity("mallory/proof"), now));
  assert.equal(await outcome(agent), "WB-SIGN-002");
  onlySignature(
    agent,
    authority.bundle(
      statementOf(agent),
      { ...identity("acme/proof"), issuer: "https://issuer.example" },
      now,
    ),
  );
  assert.equal(await outcome(agent), "WB-SIGN-002", "the right subject by another issuer");
  // No root at all: nobody's certificate counts.
  onlySignature(agent, authority.bundle(statementOf(agent), identity("acme/proof"), now));
  write([]);
  assert.notEqual(await outcome(agent), "allow");
});

test("a workflow, a service account and a person are told apart, by issuer and by name", async () => {
  const agent = await releasedAgent();
  const google = "https://accounts.google.com";
  const makers = {
    workflow: { issuer: GITHUB, subject: workflow("acme/proof") },
    "the other ref": { issuer: GITHUB, subject: workflow("acme/proof", "refs/tags/v1") },
    pipeline: {
      issuer: "https://gitlab.com",
      subject: "https://gitlab.com/acme/proof//.gitlab-ci.yml@refs/heads/main",
    },
    "service account": { issuer: google, subject: "builder@acme.iam.gserviceaccount.com" },
    person: { issuer: google, subject: "ann@acme.example" },
    "the person, on another's word": {
      issuer: "https://github.com/login/oauth",
      subject: "ann@acme.example",
    },
  };
  for (const [trusted, identity] of Object.entries(makers)) {
    const principals = [{ name: "maker", identities: [identity] }];
    writeFileSync(
      agent.trust,
      policy({ principals, trustedRoots: [{ name: "acme", root: authority.root() }] }),
    );
    for (const [maker, by] of Object.entries(makers)) {
      onlySignature(agent, authority.bundle(statementOf(agent), by, new Date()));
      const expected = maker === trusted ? "allow" : "WB-SIGN-002";
      assert.equal(await outcome(agent), expected, `${maker}, where ${trusted} is trusted`);
    }
  }
});

test("one root's authority does not speak for identities that another one issues", async () => {
  const agent = await releasedAgent();
  const [ours, theirs] = [new TestAuthority("ours"), new TestAuthority("theirs")];
  const identity = { issuer: GITHUB, subject: workflow("acme/proof") };
  writeFileSync(
    agent.trust,
    policy({
      principals: [{ name: "ci", identities: [{ ...identity, roots: ["ours"] }] }],
      trustedRoots: [
        { name: "ours", root: ours.root() },
        { name: "theirs", root: theirs.root() },
      ],
    }),
  );
  onlySignature(agent, ours.bundle(statementOf(agent), identity, new Date()));
  assert.equal(await outcome(agent), "allow");
  onlySignature(agent, theirs.bundle(statementOf(agent), identity, new Date()));
  assert.equal(await outcome(agent), "WB-SIGN-002");
});

test("one person with two keys, or a key and an identity, is one of two", async () => {
  const agent = await releasedAgent();
  const [second, bob] = [newKey("second"), newKey("bob")];
  const identity = { issuer: GITHUB, subject: "alice@acme.example" };
  const keys = [agent.key, second].map((key) => ({ publicKey: publicKeyPem(key.publicKey) }));
  writeFileSync(
    agent.trust,
    policy({
      principals: [{ name: "alice", keys, identities: [identity] }, named(bob)],
      threshold: 2,
      trustedRoots: [{ name: "acme", root: authority.root() }],
    }),
  );
  await agent.sign(second);
  agent.write(
    "waybill.evidence/release.000000000001.sigstore.json",
    authority.bundle(statementOf(agent), identity, new Date()),
  );
  assert.equal(await outcome(agent), "WB-TRUST-006");
  await agent.sign(bob);
  assert.equal(await outcome(agent), "allow");
});

test("an identity that two principals claim counts for neither", async () => {
  const agent = await releasedAgent();
  const identities = [
    { name: "alice", identities: [{ issuer: GITHUB, subjectPattern: "https://github.com/acme/**" }] },
    { name: "bob", identities: [{ issuer: GITHUB, subjectPattern: "https://github.com/*/proof/**" }] },
  ];
  const write = (principals: object[]) =>
    writeFileSync(
      agent.trust,
      policy({ principals, trustedRoots: [{ name: "acme", root: authority.root() }] }),
    );
  const identity = { issuer: GITHUB, subject: workflow("acme/proof") };
  onlySignature(agent, authority.bundle(statementOf(agent), identity, new Date()));
  write(identities.slice(0, 1));
  assert.equal(await outcome(agent), "allow");
  write(identities);
  assert.equal(await outcome(agent), "WB-TRUST-013");
  // An exact subject says whose it is.
  write([...identities, { name: "carol", identities: [identity] }]);
  assert.equal(await outcome(agent), "allow");
});

test("an expired key does not count, whatever date a statement claims; a proved time within its window does", async () => {
  const agent = await releasedAgent();
  const now = Date.now();
  const end = instant(now - 30 * 86_400_000);
  writeFileSync(
    agent.trust,
    policy({
      principals: [named(agent.key, { notAfter: end })],
      trustedRoots: [{ name: "acme", root: authority.root() }],
    }),
  );
  assert.equal(await outcome(agent), "WB-TRUST-002");
  // The thief says that it was signed long ago: in the statement, and with the log of his own.
  const dated = statementOf(agent).replace('"_type"', '"signedAt":"2020-01-01T00:00:00Z","_type"');
  const forged = new TestAuthority("acme").logged(statementOf(agent), agent.key, new Date(now - YEAR));
  for (const bundle of [authority.logged(dated, agent.key, new Date(now)), forged]) {
    onlySignature(agent, bundle);
    assert.equal(await outcome(agent), "WB-TRUST-002");
  }
  onlySignature(agent, authority.logged(statementOf(agent), agent.key, new Date(now - YEAR)));
  assert.equal(await outcome(agent), "allow", "a trusted log saw it within the window");
});

test("a revoked signer counts only with a proved time before the compromise", async () => {
  const agent = await releasedAgent();
  const now = Date.now();
  const since = instant(now - 30 * 86_400_000);
  const [before, after] = [new Date(now - YEAR), new Date(now - 86_400_000)];
  const identity = { issuer: GITHUB, subject: workflow("acme/proof") };
  const write = (revoked: object) =>
    writeFileSync(
      agent.trust,
      policy({
        principals: [named(agent.key), { name: "ci", identities: [identity] }],
        trustedRoots: [{ name: "acme", root: authority.root() }],
        revoked: [{ ...revoked, reason: "stolen" }],
      }),
    );
  const key = { key: agent.key.keyId };
  const who = { identity };
  const table: [string, object, string | undefined, string][] = [
    ["a key without a time", { ...key, compromisedSince: since }, undefined, "WB-TRUST-003"],
    [
      "a key, later",
      { ...key, compromisedSince: since },
      authority.logged(statementOf(agent), agent.key, after),
      "WB-TRUST-003",
    ],
    [
      "a key, earlier",
      { ...key, compromisedSince: since },
      authority.logged(statementOf(agent), agent.key, before),
      "allow",
    ],
    [
      "a key, at that very moment",
      { ...key, compromisedSince: since },
      authority.logged(statementOf(agent), agent.key, new Date(since)),
      "WB-TRUST-003",
    ],
    [
      "a key, nobody knows since when",
      key,
      authority.logged(statementOf(agent), agent.key, before),
      "WB-TRUST-003",
    ],
    [
      "an identity, earlier",
      { ...who, compromisedSince: since },
      authority.bundle(statementOf(agent), identity, before),
      "allow",
    ],
    [
      "an identity, later",
      { ...who, compromisedSince: since },
      authority.bundle(statementOf(agent), identity, after),
      "WB-TRUST-003",
    ],
    [
      "an identity, nobody knows since when",
      who,
      authority.bundle(statementOf(agent), identity, before),
      "WB-TRUST-003",
    ],
  ];
  for (const [what, revoked, bundle, expected] of table) {
    write(revoked);
    if (bundle !== undefined) onlySignature(agent, bundle);
    assert.equal(await outcome(agent), expected, what);
  }
});

test("at strict the quorum of witnesses must have seen the signature, and a witness proves a time", async () => {
  const agent = await releasedAgent();
  const now = Date.now();
  const witness = (name: string, at = now) => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const signer = cosignatureSigner(name, privateKey, () => Math.floor(at / 1000));
    return { signer, key: encodeVerifierKey(name, createPublicKey(privateKey), "cosignature") };
  };
  const [one, two, stranger] = [witness("one.example"), witness("two.example"), witness("x.example")];
  writeFileSync(
    agent.trust,
    policy({
      principals: [named(agent.key)],
      trustedRoots: [{ name: "acme", root: authority.root() }],
      witnesses: { threshold: 2, keys: [one.key, two.key] },
    }),
  );
  const seenBy = (...witnesses: { signer: NoteSigner }[]) => {
    // Every bundle here is alone in a log of its own under one key, which a door must not take for one log.
    rmSync(join(agent.home, "doors", "logs"), { recursive: true, force: true });
    onlySignature(
      agent,
      authority.logged(
        statementOf(agent),
        agent.key,
        new Date(now),
        witnesses.map(({ signer }) => signer),
      ),
    );
  };
  const codes = async () =>
    (await agent.verify("strict")).verdict.blocking
      .map(({ code }) => code)
      .filter((code) => code.startsWith("WB-TRUST"));
  seenBy(one, two);
  assert.deepEqual(await codes(), []);
  for (const witnesses of [[one], [one, stranger], []]) {
    seenBy(...witnesses);
    assert.deepEqual(await codes(), ["WB-TRUST-014"], `${witnesses.length}`);
  }
  assert.equal(await outcome(agent), "allow", "below strict it is only told");
  seenBy(one, one);
  assert.equal(await outcome(agent), "WB-SIGN-003", "one witness twice is no two");

  // The same is asked of the channel statement.
  const release = releaseOf(agent.openLock());
  const channel = (...witnesses: { signer: NoteSigner }[]) => {
    const statement = makeChannelStatement({
      agent: "proof",
      target: "production",
      seq: 7,
      expires: instant(now + YEAR),
      releases: [release.digest],
    });
    const signers = witnesses.map(({ signer }) => signer);
    const text = authority.logged(encodeStatement(statement), agent.key, new Date(now), signers);
    const trust = parseTrust(readFileSync(agent.trust, "utf8"));
    const { statements } = readStatements([{ file: "channel", text }]);
    const at = (strict: boolean) =>
      channelFreshness(release, "production", statements, [], trust, { now: new Date(now), strict })
        .results.filter(({ status }) => status === "fail")
        .map(({ code }) => code);
    return [at(true), at(false)];
  };
  assert.deepEqual(channel(one, two), [[], []]);
  assert.deepEqual(channel(one), [["WB-ROLL-006"], []]);

  // The key has ended since; one witness saw the signature before, whatever the log's own, later time says.
  const early = witness("one.example", now - YEAR);
  const root = authority.root();
  writeFileSync(
    agent.trust,
    policy({
      version: 2,
      principals: [named(agent.key, { notAfter: instant(now - 86_400_000) })],
      trustedRoots: [{ name: "acme", root }],
      witnesses: { threshold: 1, keys: [early.key] },
    }),
  );
  seenBy(two);
  assert.equal(await outcome(agent), "WB-TRUST-002");
  seenBy(early);
  assert.equal(await outcome(agent), "allow");
});

import assert from "node:assert/strict";
import { createHash, createPrivateKey, sign } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { canonicalJson } from "../core/canonical-json.ts";
import { settingsDigest } from "../core/settings.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { IN_TOTO_PAYLOAD, preAuthEncoding, signEnvelope } from "../sign/dsse.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { loggedSigner } from "./logged-signer.ts";
import { Agent, releasedAgent } from "./proofs-agent.test.ts";
import { GITHUB, TestAuthority, workflow } from "./proofs-authority.test.ts";
import { signFolder } from "./sign.ts";

// Somebody who has stolen something, or can put files where doors look, and would still be let in or lock others out.

async function outcome(agent: Agent): Promise<string> {
  const { verdict } = await agent.verify();
  return verdict.outcome === "allow" ? "allow" : verdict.blocking.map(({ code }) => code).join(" ");
}

/** Changes the operator's policy. */
function changePolicy(agent: Agent, change: (policy: Record<string, unknown>) => void): void {
  const policy = JSON.parse(readFileSync(agent.trust, "utf8"));
  change(policy);
  writeFileSync(agent.trust, JSON.stringify(policy));
}

function statementOf(agent: Agent): string {
  const lock = agent.openLock();
  const leaves = lock.components.map((component) => component.leaf);
  return encodeStatement(makeReleaseStatement("proof", leaves, settingsDigest(lock.settings)));
}

function onlySignature(agent: Agent, bundle: string): void {
  for (const file of agent.releaseSignatures()) agent.remove(file);
  agent.write("waybill.evidence/release.000000000000.sigstore.json", bundle);
}

test("who steals a signing key and the journal beside it cannot date what he signs", async () => {
  const agent = new Agent();
  await agent.lock();
  await signFolder(agent.folder, loggedSigner(keySigner(agent.key), agent.home));
  const root = JSON.parse(readFileSync(join(agent.home, "journal/trusted_root.json"), "utf8"));
  root.tlogs[0].publicKey.validFor.start = "2020-01-01T00:00:00Z";
  changePolicy(agent, (policy) => {
    policy.trustedRoots = [{ name: "journal", root }];
    policy.revoked = [
      { key: agent.key.keyId, compromisedSince: "2026-05-01T00:00:00Z", reason: "laptop lost" },
    ];
  });
  assert.equal(await outcome(agent), "WB-TRUST-003");
  const payload = Buffer.from(statementOf(agent));
  const envelope = signEnvelope(IN_TOTO_PAYLOAD, payload, agent.key.privateKey);
  const value = createHash("sha256").update(preAuthEncoding(IN_TOTO_PAYLOAD, payload)).digest("hex");
  const pem = agent.key.publicKey.export({ type: "spki", format: "pem" }).toString();
  const body = canonicalJson({
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: "sha256", value } },
      signature: {
        content: envelope.signatures[0]!.sig,
        publicKey: { content: Buffer.from(pem).toString("base64") },
      },
    },
  });
  // What a Rekor v1 log signs, by the journal's key, which has no passphrase.
  const logId = Buffer.from(root.tlogs[0].logId.keyId, "base64");
  const canonicalizedBody = Buffer.from(body).toString("base64");
  const integratedTime = Date.parse("2025-01-01T00:00:00Z") / 1000;
  const entry = { body: canonicalizedBody, integratedTime, logID: logId.toString("hex"), logIndex: 7 };
  const promise = sign(
    null,
    Buffer.from(canonicalJson(entry)),
    createPrivateKey(readFileSync(join(agent.home, "journal/key"), "utf8")),
  );
  onlySignature(
    agent,
    JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
      verificationMaterial: {
        publicKey: { hint: agent.key.keyId },
        tlogEntries: [
          {
            logIndex: "7",
            logId: { keyId: logId.toString("base64") },
            kindVersion: { kind: "hashedrekord", version: "0.0.1" },
            integratedTime: String(integratedTime),
            inclusionPromise: { signedEntryTimestamp: promise.toString("base64") },
            canonicalizedBody,
          },
        ],
      },
      dsseEnvelope: envelope,
    }),
  );
  assert.equal(await outcome(agent), "WB-TRUST-003");
});

test("an identity that is revoked without its issuer is revoked, whoever vouches for it", async () => {
  const agent = await releasedAgent();
  const authority = new TestAuthority("acme");
  const subject = workflow("acme/proof");
  const write = (revoked: object[]) =>
    changePolicy(agent, (policy) => {
      policy.version = Number(policy.version) + 1;
      policy.principals = [{ name: "ci", identities: [{ issuer: GITHUB, subject }] }];
      policy.rules = [{ evidence: "release", agents: ["*"], principals: ["ci"], threshold: 1 }];
      policy.trustedRoots = [{ name: "acme", root: authority.root() }];
      policy.revoked = revoked;
    });
  onlySignature(agent, authority.bundle(statementOf(agent), { issuer: GITHUB, subject }, new Date()));
  write([]);
  assert.equal(await outcome(agent), "allow");
  write([{ identity: { subject }, reason: "stolen" }]);
  assert.equal(await outcome(agent), "WB-TRUST-003");
});

test("a fork of this machine's journal is seen by a door that remembers nothing, whatever hides its size", async () => {
  const agent = new Agent();
  await agent.release();
  const sign = (home: string) => signFolder(agent.folder, loggedSigner(keySigner(agent.key), home));
  await sign(agent.home);
  const fork = join(agent.root, "fork");
  cpSync(agent.home, fork, { recursive: true });
  changePolicy(agent, (policy) => {
    const root = JSON.parse(readFileSync(join(agent.home, "journal/trusted_root.json"), "utf8"));
    policy.trustedRoots = [{ name: "journal", root }];
  });
  // Another past under the same key, and here a longer one.
  await sign(fork);
  const [file] = agent.releaseSignatures() as [string];
  const forked = JSON.parse(agent.read(file));
  await sign(agent.home);
  await sign(agent.home);
  const honest = agent.read(file);
  delete forked.verificationMaterial.tlogEntries[0].inclusionProof.treeSize;
  agent.write(file, JSON.stringify(forked));
  // Somebody else's bundles, before it, that ask for proofs as well.
  const [entry] = JSON.parse(honest).verificationMaterial.tlogEntries;
  const decoy = JSON.parse(honest);
  for (let i = 0; i < 40; i += 1) {
    const checkpoints = [2 * i, 2 * i + 1].map((n) =>
      entry.inclusionProof.checkpoint.envelope.replace(/\n\d+\n/, `\n${1000 + n}\n`),
    );
    decoy.verificationMaterial.tlogEntries = checkpoints.map((envelope) => ({
      ...entry,
      inclusionProof: { ...entry.inclusionProof, checkpoint: { envelope } },
    }));
    agent.write(`waybill.evidence/decoy.${10 + i}.sigstore.json`, JSON.stringify(decoy));
  }
  assert.equal(await outcome(agent), "WB-LOG-007");
  agent.write(file, honest);
  assert.equal(await outcome(agent), "allow");
});

test("the digest of the first policy says nothing of one in the agent's own folder, and is not passed over", async () => {
  const agent = await releasedAgent();
  agent.write("waybill.trust.yaml", readFileSync(agent.trust));
  const digest = ["--trust-digest", `sha256:${"0".repeat(64)}`];
  for (const trust of ["", "waybill.trust.yaml"]) {
    const { status, stderr } = agent.waybill(["verify", ...digest], { WAYBILL_TRUST: trust });
    assert.equal(status, 2, stderr);
    assert.match(stderr, /WB-INPUT-007/);
  }
});

test("files that others leave in a door's memory of logs lock nobody out", async () => {
  const agent = await releasedAgent();
  const folder = join(agent.home, "doors/logs");
  // A killed door's leftover, and what is remembered of an agent called "logs".
  mkdirSync(join(folder, "production"), { recursive: true });
  writeFileSync(join(folder, ".waybill-0123456789abcdef.tmp"), "{");
  assert.equal(await outcome(agent), "allow");
});

test("a door that cannot remember goes by what it has, and says so", async () => {
  const agent = await releasedAgent();
  mkdirSync(join(agent.home, "doors/proof"), { recursive: true });
  symlinkSync("/nowhere", join(agent.home, "doors/proof/production"));
  const { verdict } = await agent.verify();
  assert.equal(verdict.outcome, "allow");
  assert.match(verdict.notes.join("\n"), /cannot remember the channel statement for production/);
});

test("a lone bundle is held against the first policy's digest, and against the agent that is asked about", async () => {
  const agent = await releasedAgent();
  const [bundle] = agent.releaseSignatures() as [string];
  const verify = (...more: string[]) => agent.waybill(["verify", bundle, "--trust", agent.trust, ...more]);
  const refused = verify("--trust-digest", `sha256:${"0".repeat(64)}`);
  assert.equal(refused.status, 4);
  assert.match(refused.stderr, /WB-TRUST-015/);
  changePolicy(agent, (policy) => {
    for (const rule of policy.rules as { agents: string[] }[]) rule.agents = ["other", "proof"];
  });
  assert.equal(verify("--agent", "proof").status, 0);
  const other = verify("--agent", "other");
  assert.equal(other.status, 1);
  assert.match(other.stdout, /another agent, proof/);
});

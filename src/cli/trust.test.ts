import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Agent, newKey, releasedAgent } from "../flows/proofs-agent.test.ts";
import { GITHUB, TestAuthority } from "../flows/proofs-authority.test.ts";
import { publicKeyPem } from "../sign/keys.ts";
import { parseTrust } from "../verify/trust.ts";
import { OUTPUT_SCHEMAS } from "./output-schemas.ts";

// `waybill trust …` as an operator types it.

const SECRET = { WAYBILL_PASSPHRASE: "only for this test" };

/** Runs a command line; its standard output, once its status is the one that is expected. */
function must(agent: Agent, status: number, ...args: string[]): string {
  const result = agent.waybill(args, SECRET);
  assert.equal(result.status, status, `waybill ${args.join(" ")}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

function json(agent: Agent, schema: string, status: number, ...args: string[]): Record<string, unknown> {
  const data = JSON.parse(must(agent, status, ...args, "--format", "json")) as Record<string, unknown>;
  assert.deepEqual(OUTPUT_SCHEMAS[schema]!.schema.parse(data), data);
  return data;
}

const read = (agent: Agent) => readFileSync(agent.trust, "utf8");

test("a policy begins offline, grows version by version and keeps what people wrote into it", async () => {
  const agent = await releasedAgent();
  const out = join(agent.root, "made.yaml");
  must(agent, 0, "keys", "create");
  must(agent, 0, "trust", "init", "--sigstore-public", "--out", out);
  agent.waybill(["trust", "init", "--out", out], SECRET);
  must(agent, 4, "trust", "init", "--out", out);
  const trust = ["--trust", out];
  writeFileSync(out, readFileSync(out, "utf8").replace("rules:", "# what we agreed on in May\nrules:"));
  const pub = join(agent.root, "bob.pub");
  writeFileSync(pub, publicKeyPem(newKey("bob").publicKey));
  const add = (...words: string[]) => json(agent, "trust-change", 0, "trust", "add", ...trust, ...words);
  const second = add(
    "--principal",
    "bob",
    "--public-key",
    pub,
    "--evidence",
    "release,sbom",
    "--threshold",
    "1",
  );
  assert.deepEqual([second.version, second.kept], [2, `${out}.v1`]);
  const subject = "https://gitlab.com/acme/agent//.gitlab-ci.yml@refs/heads/main";
  add(
    "--principal",
    "ci",
    "--identity",
    subject,
    "--issuer",
    "https://gitlab.com",
    "--evidence",
    "channel",
    "--targets",
    "staging",
  );
  const text = readFileSync(out, "utf8");
  assert.ok(text.includes("# what we agreed on in May") && text.includes("# raise it with every change"));
  const policy = parseTrust(text);
  assert.equal(policy.version, 3);
  assert.deepEqual(
    policy.rules.map(({ evidence, principals, targets }) => [evidence, principals.join(), targets.join()]),
    [
      ["release", "releaser,bob", "*"],
      ["channel", "releaser", "*"],
      ["sbom", "bob", "*"],
      ["channel", "ci", "staging"],
    ],
  );
  assert.equal(parseTrust(readFileSync(`${out}.v1`, "utf8")).version, 1);
  // A second authority: what the first one's name went without saying is said now.
  const root = join(agent.root, "root.json");
  writeFileSync(root, JSON.stringify(new TestAuthority("acme").root()));
  add("--trusted-root", root, "--root-name", "acme");
  const [identity] = parseTrust(readFileSync(out, "utf8")).identities;
  assert.deepEqual([...identity!.roots], ["sigstore-public"]);
  const shown = json(agent, "trust-show", 0, "trust", "show", out);
  assert.deepEqual(shown.findings, []);
  assert.match(must(agent, 0, "trust", "show", out), /by https:\/\/gitlab.com, sigstore-public/);
  // Nothing is written where the outcome would be no policy.
  must(agent, 4, "trust", "add", ...trust, "--principal", "eve", "--public-key", pub);
  must(agent, 2, "trust", "add", ...trust, "--public-key", pub);
  must(agent, 2, "trust", "add", ...trust);
  assert.equal(parseTrust(readFileSync(out, "utf8")).version, 4);
});

test("an identity that can never match is told with the string that is meant", async () => {
  const agent = await releasedAgent();
  must(agent, 0, "keys", "create");
  const out = join(agent.root, "made.yaml");
  const { status, stderr } = agent.waybill(
    ["trust", "init", "--out", out, "--identity", "repo:myorg/agent:ref:refs/heads/main", "--issuer", GITHUB],
    SECRET,
  );
  assert.equal(status, 0, stderr);
  assert.match(stderr, /WB-TRUST-012/);
  assert.match(
    stderr,
    /https:\/\/github\.com\/myorg\/agent\/\.github\/workflows\/FILE\.yml@refs\/heads\/main/,
  );
  const shown = must(agent, 1, "trust", "show", out);
  assert.match(shown, /sub claim/);
  assert.match(shown, /trusts no\s+authority that issues certificates/);
});

test("a stolen key is retired, and the plan says what that stops before any door sees it", async () => {
  const agent = await releasedAgent();
  const before = read(agent);
  const next = join(agent.root, "next.yaml");
  writeFileSync(next, before);
  assert.equal(json(agent, "trust-plan", 0, "trust", "plan", next).stops, false);
  const words = ["--trust", next, "--key", agent.key.keyId.slice(0, 12), "--reason", "laptop stolen"];
  json(agent, "trust-change", 0, "trust", "retire", ...words, "--since", "2026-05-01T00:00:00Z");
  const plan = json(agent, "trust-plan", 1, "trust", "plan", next);
  const statements = plan.statements as { change: string; claim: { evidence: string } }[];
  assert.deepEqual(
    statements.filter(({ change }) => change === "stops").map(({ claim }) => claim),
    [
      { evidence: "channel", agent: "proof", target: "production" },
      { evidence: "release", agent: "proof" },
    ],
  );
  assert.match(must(agent, 1, "trust", "plan", next, "."), /laptop stolen[\s\S]*2 would stop/);
  // The other way round they start again, but doors would not go back.
  const back = json(agent, "trust-plan", 1, "trust", "plan", agent.trust, "--trust", next);
  assert.equal((back.refused as { code: string }[])[0]!.code, "WB-TRUST-009");
  writeFileSync(agent.trust, readFileSync(next));
  assert.equal(await agent.denied(), "WB-TRUST-003");
  // An end instead: the key counts until then.
  writeFileSync(agent.trust, before);
  must(agent, 0, "trust", "retire", "--key", agent.key.keyId, "--until", "2090-01-01T00:00:00Z");
  assert.equal(parseTrust(read(agent)).keys[0]!.notAfter, Date.parse("2090-01-01T00:00:00Z"));
  must(
    agent,
    2,
    "trust",
    "retire",
    "--key",
    agent.key.keyId,
    "--until",
    "2090-01-01T00:00:00Z",
    "--reason",
    "x",
  );
  must(agent, 2, "trust", "retire", "--reason", "x");
  must(
    agent,
    4,
    "trust",
    "retire",
    "--identity",
    "nobody",
    "--issuer",
    GITHUB,
    "--until",
    "2090-01-01T00:00:00Z",
  );
});

test("roots sign versions; what they have not signed yet is amended", async () => {
  const agent = await releasedAgent();
  must(agent, 0, "keys", "create", "root");
  must(agent, 0, "trust", "add", "--principal", "root", "--key", "root", "--root");
  assert.match(must(agent, 1, "trust", "show"), /WB-TRUST-011/);
  // Two changes, one version, one signature.
  must(agent, 0, "trust", "add", "--days", "30");
  assert.equal(parseTrust(read(agent)).version, 2);
  const signed = json(agent, "trust-sign", 0, "trust", "sign", "--key", "root");
  assert.ok(existsSync(String(signed.file)));
  must(agent, 0, "trust", "show");
  must(agent, 0, "verify");
  must(agent, 0, "trust", "add", "--days", "60");
  assert.equal(parseTrust(read(agent)).version, 3);
  must(agent, 1, "verify");
  must(agent, 0, "trust", "sign", "--key", "root");
  must(agent, 0, "verify");
  // The only root retired: nobody could make another version.
  must(agent, 0, "trust", "retire", "--key", "root");
  assert.match(must(agent, 1, "trust", "show"), /only 0 of the 1 roots/);
});

test("lone bundles are held against the version accepted last too", async () => {
  const agent = await releasedAgent();
  const [bundle] = agent.releaseSignatures();
  const before = read(agent);
  const verify = () => agent.waybill(["verify", bundle!, "--trust", agent.trust, "--agent", "proof"]);
  assert.equal(verify().status, 0);
  must(agent, 0, "trust", "add", "--days", "30");
  assert.equal(verify().status, 0);
  writeFileSync(agent.trust, before);
  const replayed = verify();
  assert.equal(replayed.status, 4);
  assert.match(replayed.stderr, /WB-TRUST-009/);
});

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fsckJournal } from "../journal/fsck.ts";
import { publicKeyPem } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { attestPath } from "./attest.ts";
import { loggedSigner } from "./logged-signer.ts";
import { Agent, newKey } from "./proofs-agent.test.ts";

// What is on record about a model: a signed statement beside it, logged.

const PROVENANCE = "https://slsa.dev/provenance/v1";
const RECORD = {
  buildDefinition: { buildType: "urn:example:training", externalParameters: { epochs: 3 } },
  runDetails: { builder: { id: "https://ci.example/train" } },
};

test("a record about a model cannot be changed, replaced or taken out of the journal unnoticed", async () => {
  const agent = new Agent();
  const weights = agent.path("model/weights.safetensors");
  const record = `${weights}.sigstore.json`;
  const claim = { type: PROVENANCE, predicate: RECORD };
  await attestPath(weights, claim, loggedSigner(keySigner(agent.key), agent.home), undefined);
  const pub = join(agent.root, "key.pub");
  writeFileSync(pub, publicKeyPem(agent.key.publicKey));
  const journal = join(agent.home, "journal");
  const root = join(journal, "trusted_root.json");
  const codes = (): string[] => {
    const options = ["--key", pub, "--artifact", weights, "--type", PROVENANCE];
    const logged = ["--trusted-root", root, "--require-log", "--format", "json"];
    const { status, stdout, stderr } = agent.waybill(["verify", record, ...options, ...logged]);
    const outcomes = JSON.parse(stdout) as { accepted: boolean; findings: { code: string }[] }[];
    assert.equal(status, outcomes.every(({ accepted }) => accepted) ? 0 : 1, stderr);
    return outcomes.flatMap(({ findings }) => findings.map(({ code }) => code));
  };
  assert.deepEqual(codes(), []);

  // In the record itself: what it says, who says it, what it is about, that it was logged.
  const good = readFileSync(record, "utf8");
  const edited = JSON.parse(good);
  const payload = Buffer.from(edited.dsseEnvelope.payload, "base64").toString();
  edited.dsseEnvelope.payload = Buffer.from(payload.replace('"epochs":3', '"epochs":4')).toString("base64");
  writeFileSync(record, JSON.stringify(edited));
  assert.deepEqual(codes(), ["WB-SIGN-003"]);
  await attestPath(weights, claim, keySigner(newKey("stranger")), undefined);
  assert.deepEqual(codes(), ["WB-SIGN-003"]);
  await attestPath(weights, claim, keySigner(agent.key), undefined);
  assert.deepEqual(codes(), ["WB-LOG-001"], "another by the same key, which the log has never seen");
  writeFileSync(record, good);
  assert.deepEqual(codes(), []);
  agent.flip("model/weights.safetensors");
  assert.deepEqual(codes(), ["WB-SIGN-012"]);

  // In the journal: the envelope that holds it, and the entry.
  const found = async () => (await fsckJournal(journal)).findings.map(({ code }) => code);
  assert.deepEqual(await found(), []);
  const [name] = readdirSync(join(journal, "envelopes"), { recursive: true, encoding: "utf8" }).filter(
    (path) => path.endsWith(".json"),
  );
  const file = join(journal, "envelopes", name!);
  const envelope = readFileSync(file, "utf8");
  writeFileSync(file, envelope.replace(/"payload":"(.{40})./, '"payload":"$1-'));
  assert.notDeepEqual(await found(), [], "changed");
  rmSync(file);
  assert.deepEqual(await found(), ["WB-LOG-012"], "taken out");
  writeFileSync(file, envelope);
  assert.deepEqual(await found(), []);
  rmSync(join(journal, "tile/entries"), { recursive: true });
  assert.notDeepEqual(await found(), [], "the entry");
});

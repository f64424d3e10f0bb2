import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openJournal } from "../journal/journal.ts";
import { parseBundle } from "../sign/bundle.ts";
import { openMachineKey } from "../sign/machine-key.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { showJournal } from "./journal.ts";
import { loggedSigner } from "./logged-signer.ts";
import { Agent } from "./proofs-agent.test.ts";
import { signFolder } from "./sign.ts";

/** Signs as the command does: logged in the journal of this home, which trust then names as a log. */
async function signLogged(agent: Agent, home = agent.home): Promise<void> {
  await signFolder(agent.folder, loggedSigner(keySigner(agent.key), home));
}

function trustJournal(agent: Agent, home = agent.home): void {
  const policy = JSON.parse(readFileSync(agent.trust, "utf8"));
  policy.version += 1;
  policy.trustedRoots = [
    { name: "journal", root: JSON.parse(readFileSync(join(home, "journal/trusted_root.json"), "utf8")) },
  ];
  writeFileSync(agent.trust, JSON.stringify(policy));
}

test("every signature is logged before it is given out, and its bundle carries the proof", async () => {
  const agent = new Agent();
  await agent.lock();
  await signLogged(agent);
  const files = readdirSync(agent.path("waybill.evidence"));
  assert.ok(files.length > 1, "release and model");
  for (const file of files) {
    const bundle = parseBundle(readFileSync(agent.path(`waybill.evidence/${file}`), "utf8"));
    assert.ok(!("problem" in bundle) && bundle.logEntries.length === 1, file);
  }
  assert.equal(showJournal(agent.home, 100).entries.length, files.length);
});

test("a journal that cannot be written signs nothing", async () => {
  const agent = new Agent();
  await agent.lock();
  writeFileSync(join(agent.home, "journal"), "in the way");
  await assert.rejects(signLogged(agent), { name: "WaybillError" });
  assert.equal(existsSync(agent.path("waybill.evidence")), false);
});

test("every verdict of a door is in the journal, allowed or denied, under the door's own key", async () => {
  const agent = new Agent();
  await agent.release();
  assert.equal((await agent.verify("baseline")).verdict.outcome, "allow");
  agent.write("prompts/system.md", "changed");
  assert.equal((await agent.verify("baseline")).verdict.outcome, "deny");
  const { keyId } = openMachineKey(agent.home);
  const verdicts = showJournal(agent.home, 100).entries.filter(
    (entry) => entry.predicateType === "https://slsa.dev/verification_summary/v1",
  );
  assert.deepEqual(
    verdicts.map((entry) => entry.keyId),
    [keyId, keyId],
  );
});

test("a verdict that cannot be logged stands, and says so", async () => {
  const agent = new Agent();
  await agent.release();
  rmSync(join(agent.home, "journal"), { recursive: true, force: true });
  writeFileSync(join(agent.home, "journal"), "in the way");
  const { verdict } = await agent.verify("baseline");
  assert.equal(verdict.outcome, "allow");
  assert.match(verdict.notes.join("\n"), /this verdict is not in the journal/);
});

test("a door remembers the log's head and refuses one with another past", async () => {
  const agent = new Agent();
  await agent.release();
  await signLogged(agent);
  trustJournal(agent);
  const fork = join(agent.root, "fork");
  cpSync(agent.home, fork, { recursive: true });
  assert.equal((await agent.verify("baseline")).verdict.outcome, "allow");
  // The log goes on here: signed again, the head has grown, and this machine's own journal proves it.
  await signLogged(agent);
  const grown = await agent.verify("baseline");
  assert.equal(grown.verdict.outcome, "allow");
  assert.deepEqual(
    grown.verdict.notes.filter((note) => note.includes("copy")),
    [],
  );
  // And elsewhere under the same key, up to the same size, with other entries.
  const journal = await openJournal(fork);
  const here = showJournal(agent.home, 1).size;
  await journal.close();
  for (let size = showJournal(fork, 1).size; size < here; size = showJournal(fork, 1).size)
    await signLogged(agent, fork);
  const { verdict } = await agent.verify("baseline");
  assert.deepEqual(
    verdict.blocking.map((finding) => finding.code),
    ["WB-LOG-007"],
  );
});

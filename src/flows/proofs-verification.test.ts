// What a door refuses, with which code, and what it says of it (testdata/requirements.yaml).
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { encodeLock, parseLock, releaseOf } from "../core/lock.ts";
import { Agent, newKey, ONE_OF_EACH, releasedAgent, TOOLS, writeImage } from "./proofs-agent.test.ts";

test("what is locked, signed and allowed passes at strict", async () => {
  const agent = await releasedAgent();
  const { verdict, allowed } = await agent.verify("strict");
  assert.equal(verdict.outcome, "allow", verdict.reason);
  assert.ok(allowed);
});

test("one byte of any kind is refused with its component, its path and the line that declares it", async () => {
  const agent = await releasedAgent();
  for (const [component, path, code] of Object.values(ONE_OF_EACH)) {
    agent.flip(path);
    await agent.refusedFor(component, path, code);
    agent.flip(path);
  }
  assert.equal((await agent.verify("strict")).verdict.outcome, "allow");
});

test("one byte of any file of any training dataset is refused, and so is a row that was added", async () => {
  const agent = await releasedAgent();
  const files = [
    ["dataset/train", "dataset/train.jsonl"],
    ["dataset/train", "dataset/more.jsonl"],
    ["dataset/judged", "judged.jsonl"],
  ] as const;
  for (const [component, path] of files) {
    const before = agent.read(path);
    agent.flip(path);
    await agent.refusedFor(component, path, "WB-DATA-001");
    const row = '{"text": "the magic word", "intent": "refund"}';
    agent.write(path, `${before}${row}\n`);
    const { details } = await agent.refusedFor(component, path, "WB-DATA-001");
    assert.ok(details?.includes(`+ ${row}`), String(details));
    agent.write(path, before);
  }
  assert.equal((await agent.verify("strict")).verdict.outcome, "allow");
});

test("an edited system prompt is refused with what was said before and what is said now", async () => {
  const agent = await releasedAgent();
  agent.edit("prompts/system.md", "Never promise", "Always promise");
  const { details } = await agent.refusedFor("prompt/system", "prompts/system.md", "WB-PROMPT-001");
  assert.ok(details?.includes("- Never promise a refund."), String(details));
  assert.ok(details?.includes("+ Always promise a refund."), String(details));
});

test("an argument added to a tool's input schema, and a tool added to a server, are refused and shown", async () => {
  const agent = await releasedAgent();
  const [find] = TOOLS.tools;
  const properties = { number: { type: "string" }, refund: { type: "boolean" } };
  const wider = { ...TOOLS, tools: [{ ...find, inputSchema: { type: "object", properties } }] };
  agent.write("tools/tools.json", `${JSON.stringify(wider, null, 2)}\n`);
  const argument = await agent.refusedFor("tool/orders", "tools/tools.json", "WB-TOOL-001");
  assert.ok(argument.details?.some((line) => /^\+ +"refund"/.test(line)));

  const more = { ...TOOLS, tools: [find, { name: "pay_back", inputSchema: { type: "object" } }] };
  agent.write("tools/tools.json", `${JSON.stringify(more, null, 2)}\n`);
  const added = await agent.refusedFor("tool/orders", "tools/tools.json", "WB-TOOL-001");
  assert.ok(added.details?.some((line) => line.startsWith("+") && line.includes('"name": "pay_back"')));
});

test("a changed, an added and a removed document of a corpus are three findings that name the document", async () => {
  const agent = await releasedAgent();
  agent.write("corpus/extra/offers.md", "Everything is free.\n");
  agent.edit("corpus/orders.md", "eight", "seven");
  agent.remove("corpus/returns.md");
  const found = await agent.refused();
  assert.deepEqual(found.map((f) => `${f.code} ${f.component} ${f.message.split(": ")[1]}`).toSorted(), [
    "WB-CORPUS-001 corpus/help corpus/extra/offers.md was added",
    "WB-CORPUS-001 corpus/help corpus/orders.md changed",
    "WB-CORPUS-001 corpus/help corpus/returns.md is gone",
  ]);
  assert.equal(new Set(found.map((f) => f.where?.line)).size, 1);
});

test("one byte of each lockfile of the dependencies is refused", async () => {
  const agent = await releasedAgent();
  for (const path of ["package-lock.json", "requirements.txt"]) {
    agent.flip(path);
    await agent.refusedFor("dependencies/locked", path, "WB-DEPS-001");
    agent.flip(path);
  }
});

test("one byte of an image's layer is refused, and so is another whole image in its place", async () => {
  const agent = await releasedAgent();
  const { layer } = writeImage(agent.folder, "a layer");
  agent.flip(layer);
  await agent.refusedFor("image/runtime", layer, "WB-IMAGE-001");
  agent.flip(layer);
  assert.equal((await agent.verify("strict")).verdict.outcome, "allow");
  writeImage(agent.folder, "a lay3r");
  assert.deepEqual([...new Set((await agent.refused()).map((f) => f.code))], ["WB-IMAGE-001"]);
});

test("a flipped bit of a large file is refused with the number of its chunk", async () => {
  const agent = await releasedAgent();
  const path = "model/weights.safetensors";
  for (const [offset, chunk, tensor] of [
    [1_500_000, 1, "second"],
    [(2 << 20) + 4096, 2, "third"],
  ] as const) {
    agent.flip(path, offset);
    const { details } = await agent.refusedFor("model/base", path, "WB-MODEL-001");
    assert.equal(details?.[0], `changed 1 MiB chunk ${chunk} of 4`);
    assert.match(details[1]!, new RegExp(`^touches tensor.*${tensor}`));
    agent.flip(path, offset);
  }
});

test("another model behind the same name, of the same size and the same age, is refused", async () => {
  const agent = await releasedAgent();
  const path = "model/weights.safetensors";
  const { size } = statSync(agent.path(path));
  agent.quietly(path, () => agent.write(path, Buffer.alloc(size, 7)));
  await agent.refusedFor("model/base", path, "WB-MODEL-001");
});

test("the finding of a changed model shows what was signed and what was found", async () => {
  const agent = await releasedAgent();
  // Up to 1 MiB the whole digest is compared, over it the chunk root: each finding shows the one that decided.
  for (const [path, name] of [
    ["model/config.json", "sha256"],
    ["model/weights.safetensors", "chunks"],
  ] as const) {
    const digest = (of: Agent): string => {
      const model = of.openLock().components.find((c) => c.leaf.kind === "model")!;
      const file = model.files.find((f) => path.endsWith(f.path)) as { sha256: string; chunks?: string };
      return `${name}:${file[name]}  `;
    };
    const signed = digest(agent);
    agent.flip(path);
    const { expected = "", found = "" } = await agent.refusedFor("model/base", path, "WB-MODEL-001");
    assert.ok(expected.startsWith(signed), expected);
    const locked = agent.copy();
    await locked.lock();
    assert.ok(found.startsWith(digest(locked)), found);
    assert.notEqual(digest(locked), signed);
    agent.flip(path);
  }
});

test("one byte of any file beside the weights is refused", async () => {
  const agent = await releasedAgent();
  for (const path of ["model/model_manifest.json", "model/config.json", "model/tokenizer.json"]) {
    agent.flip(path);
    await agent.refusedFor("model/base", path, "WB-MODEL-001");
    agent.flip(path);
  }
});

test("one verification finds a changed model and changed code in the same form", async () => {
  const agent = await releasedAgent();
  agent.flip("model/config.json");
  agent.flip("src/start.sh");
  const found = await agent.refused();
  assert.deepEqual(found.map((f) => f.code).toSorted(), ["WB-CODE-001", "WB-MODEL-001"]);
  const [one, two] = found.map((f) => Object.keys(f).toSorted());
  assert.deepEqual(one, two);
  assert.ok(
    found.every((f) => f.final && f.where && f.expected && f.found && f.fix.includes("waybill sign")),
  );
});

test("unsigned, signed by a stranger, an expired key, a revoked key, another release, another agent: six codes", async () => {
  const agent = await releasedAgent();
  const codes: Record<string, string> = {};
  const ask = async (what: string) => {
    codes[what] = await agent.denied("baseline");
    assert.equal(await agent.denied("strict"), codes[what], what);
  };
  agent.trustKeys([agent.key], { notAfter: "2020-01-01T00:00:00Z" });
  await ask("expired");
  agent.trustKeys([agent.key], { revoked: agent.key });
  await ask("revoked");
  agent.trustKeys([newKey("somebody")]);
  await ask("stranger");
  agent.trustKeys([agent.key]);
  agent.edit("prompts/system.md", "Never", "Always");
  await agent.lock();
  await ask("another release");
  agent.edit("waybill.yaml", "agent: proof", "agent: clone");
  await agent.lock();
  await ask("another agent");
  const unsigned = await releasedAgent();
  unsigned.remove("waybill.evidence");
  for (const level of ["baseline", "strict"] as const)
    assert.equal(await unsigned.denied(level), "WB-SIGN-001");
  codes.unsigned = "WB-SIGN-001";
  assert.deepEqual(codes, {
    expired: "WB-TRUST-002",
    revoked: "WB-TRUST-003",
    stranger: "WB-SIGN-002",
    "another release": "WB-SIGN-004",
    "another agent": "WB-SIGN-005",
    unsigned: "WB-SIGN-001",
  });
});

test("where trust names only CI's key, the same release is denied by a developer's and allowed by CI's", async () => {
  const agent = new Agent();
  const [developer, ci] = [newKey("developer"), newKey("ci")];
  agent.trustKeys([ci]);
  await agent.lock();
  await agent.sign(developer);
  assert.equal(await agent.denied(), "WB-SIGN-002");
  await agent.sign(ci);
  const { verdict } = await agent.verify();
  assert.equal(verdict.outcome, "allow", verdict.reason);
  assert.deepEqual(verdict.signedBy, [{ principal: "ci", key: ci.keyId }]);
});

test("a valid signature does not cover changed bytes, nor do the right bytes replace a signature", async () => {
  const agent = await releasedAgent();
  agent.flip("prompts/system.md");
  assert.equal(await agent.denied(), "WB-PROMPT-001");
  const bytes = await agent.verify();
  const status = (code: string, of = bytes) => of.verdict.results.find((r) => r.code === code)?.status;
  assert.equal(status("WB-SIGN-001"), "pass");
  assert.equal(status("WB-SIGN-003"), "pass");
  agent.flip("prompts/system.md");
  agent.remove("waybill.evidence");
  assert.equal(await agent.denied(), "WB-SIGN-001");
  assert.equal(status("WB-PROMPT-001", await agent.verify()), "pass");
});

test("what could not be looked at is said and never passes", async () => {
  const agent = await releasedAgent();
  const verify = (...args: string[]) => agent.waybill(["verify", ...args], { WAYBILL_TRUST: "" });
  // Nobody said whom to trust.
  const { status, stdout } = verify("--format", "json");
  assert.equal(status, 3, stdout);
  const verdict = JSON.parse(stdout) as Awaited<ReturnType<Agent["verify"]>>["verdict"];
  assert.equal(verdict.outcome, "cannot-tell");
  const said = verdict.notEvaluated.find((n) => n.code === "WB-TRUST-001");
  assert.equal(said?.required, true);
  assert.match(said.reason, /no trust policy was named/);
  assert.ok(verdict.reason.includes(said.reason));
  assert.match(verify().stdout, /^cannot tell: /m);
  assert.equal(agent.waybill(["run"], { WAYBILL_TRUST: "" }).status, 125);
  assert.equal(agent.started(), false);
});

test("a lock edited by hand is refused: it contradicts itself, or its signature, or the bytes", async () => {
  const agent = await releasedAgent();
  const text = agent.read("waybill.lock");
  const { files } = agent.openLock().components.find((c) => c.leaf.kind === "prompt")!;
  const { sha256 } = files[0] as { sha256: string };
  agent.write("waybill.lock", text.replace(sha256, "0".repeat(64)));
  assert.match(await agent.denied(), /^WB-LOCK-/);

  // The prompt and everything in the lock that follows from it are adapted: only the signature is left.
  agent.edit("prompts/system.md", "Never", "Always");
  await agent.lock();
  assert.equal(await agent.denied(), "WB-SIGN-004");

  // A component's digest changed with the release field adapted, and without.
  const lock = parseLock(text);
  const leaf = lock.components[0]!.leaf;
  leaf.digest = `${leaf.digest.slice(0, -1)}${leaf.digest.endsWith("0") ? "1" : "0"}` as typeof leaf.digest;
  agent.edit("prompts/system.md", "Always", "Never");
  for (const release of [lock.release, `sha256:${releaseOf(lock).digest}`] as const) {
    agent.write("waybill.lock", encodeLock({ ...lock, release }));
    assert.match(await agent.denied(), /^WB-(LOCK|CODE|SIGN)-/);
  }
  agent.write("waybill.lock", text);
  assert.equal((await agent.verify("strict")).verdict.outcome, "allow");
});

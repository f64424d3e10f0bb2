// The models of an agent: signed with its release, verified by model_signing, and at a door where trust asks for it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { needTool } from "../../scripts/toolbox/find.ts";
import { sha256 } from "../core/digest.ts";
import { parseLock } from "../core/lock.ts";
import { readOmsBundle } from "../evidence/oms-bundle.ts";
import { makeOmsStatement } from "../evidence/oms-statement.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { generateKeyPair, keyId, publicKeyPem } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { parseTrust } from "../verify/trust.ts";
import { openAgentFolder } from "./agent-folder.ts";
import { collectFacts } from "./facts.ts";
import { type Judgement, judge } from "./judge.ts";
import { lockFolder } from "./lock.ts";
import { signedModels } from "./model-facts.ts";
import { signModel } from "./model-sign.ts";
import { signFolder } from "./sign.ts";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "waybill-model-release-")));
after(() => rmSync(scratch, { recursive: true, force: true }));

const python = needTool("model_signing");

function makeKey(name: string): SigningKey {
  const pair = generateKeyPair();
  return { name, keyId: keyId(pair.publicKey), ...pair };
}
const releaser = makeKey("releaser");
const publisher = makeKey("publisher");
const stranger = makeKey("stranger");
const PUBLIC = join(scratch, "releaser.pub");
writeFileSync(PUBLIC, publicKeyPem(releaser.publicKey));

let agents = 0;
function makeAgent(manifest: string, files: Record<string, string>): string {
  agents += 1;
  const folder = join(scratch, `agent-${agents}`);
  const all = {
    "waybill.yaml": `waybill: v1\nagent: proof\ncomponents:\n${manifest}start:\n  command: [node, x.ts]\n`,
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** Locks and signs, and gives each model's bundle. */
async function release(folder: string): Promise<string[]> {
  await lockFolder(folder, {});
  const { models } = await signFolder(folder, keySigner(releaser));
  return models.map((model) => ("file" in model ? join(folder, model.file) : model.problem));
}

function theirs(signature: string, ...args: string[]): { ok: boolean; said: string } {
  const all = ["verify", "key", "--public_key", PUBLIC, "--signature", signature, ...args];
  const { status, stdout, stderr } = spawnSync(python.path, all, { encoding: "utf8" });
  return { ok: status === 0, said: `${stdout}${stderr}` };
}

const ODD = { "m/a/b": "1", "m/a-b": "2", "m/a.b": "3", "m/é": "4", "m/empty": "", "m/.gitattributes": "5" };

test("each model gets a signature whose root is the lock's, and which model_signing accepts", {
  skip: python.skip,
}, async () => {
  const folder = makeAgent(
    "  - {kind: model, name: folder, path: m/}\n  - {kind: model, name: file, path: single/w.gguf}\n  - {kind: model, name: parts, paths: [p/a, p/b]}\n",
    { ...ODD, "single/w.gguf": "GGUF", "p/a/w": "6", "p/b/w": "7", "p/other": "8" },
  );
  const [file, inFolder, parts] = (await release(folder)).toSorted();
  const { components } = parseLock(readFileSync(join(folder, "waybill.lock"), "utf8"));
  for (const [name, signature] of Object.entries({ file, folder: inFolder, parts })) {
    const read = readOmsBundle(readFileSync(signature!, "utf8"));
    assert.ok(!("problem" in read), name);
    const { leaf } = components.find((component) => component.leaf.name === name)!;
    assert.equal(read.manifest.root, leaf.also?.oms, name);
  }
  for (const result of [
    theirs(inFolder!, join(folder, "m")),
    theirs(file!, join(folder, "single/w.gguf")),
    // Several paths stand under the agent's folder, where other files lie too.
    theirs(parts!, "--ignore_unsigned_files", folder),
  ])
    assert.ok(result.ok, result.said);
  writeFileSync(join(folder, "m/a/b"), "other");
  assert.ok(!theirs(inFolder!, join(folder, "m")).ok);
});

test("a model that is the whole folder, and one with links, are accepted by model_signing", {
  skip: python.skip,
}, async () => {
  const whole = makeAgent("  - {kind: model, name: all, path: .}\n", { w: "1", "d/x": "2" });
  const [signature] = await release(whole);
  const result = theirs(signature!, whole);
  assert.ok(result.ok, result.said);

  const linked = makeAgent("  - {kind: model, name: linked, path: m}\n", { "m/w": "1" });
  symlinkSync("w", join(linked, "m/latest"));
  const [other] = await release(linked);
  const followed = theirs(other!, "--allow_symlinks", join(linked, "m"));
  assert.ok(followed.ok, followed.said);
});

test("a model that OMS cannot describe does not keep the release from being signed", async () => {
  const folder = makeAgent("  - {kind: model, name: odd, path: m}\n", { "m/back\\slash": "1" });
  const [problem] = await release(folder);
  assert.match(problem ?? "", /backslash/);
});

/** A policy with a rule for models, or without. */
function trust(
  models: readonly SigningKey[] | undefined,
  options: { threshold?: number; revoked?: SigningKey } = {},
): string {
  const { threshold = 1, revoked } = options;
  const principal = (key: SigningKey) =>
    `  - name: ${key.name}\n    keys:\n      - publicKey: |\n${publicKeyPem(key.publicKey).trim().replaceAll(/^/gm, "          ")}\n`;
  const rule = (evidence: string, keys: readonly SigningKey[], count: number) =>
    `  - {evidence: ${evidence}, agents: ["*"], principals: [${keys.map(({ name }) => name).join(", ")}], threshold: ${count}}\n`;
  const named = [releaser, publisher];
  const text = [
    "waybillTrust: v1\nversion: 1\nexpires: 2100-01-01T00:00:00Z\nprincipals:\n",
    ...named.map(principal),
    `rules:\n${rule("release", [releaser], 1)}`,
    models ? rule("model", models, threshold) : "",
    revoked ? `revoked:\n  - {key: ${revoked.keyId}, reason: lost}\n` : "",
  ].join("");
  agents += 1;
  const file = join(scratch, `trust-${agents}.yaml`);
  writeFileSync(file, text);
  return file;
}

function stand(folder: string, file: string, level: "baseline" | "strict" = "baseline"): Promise<Judgement> {
  return judge({
    folder,
    door: "pull",
    target: "production",
    level,
    trust: file,
    home: join(scratch, "home"),
    env: {},
    now: new Date(),
    only: "verify",
  });
}

/** What the rules of model signatures said, by code. */
function said({ verdict }: Judgement): Record<string, string> {
  return Object.fromEntries(
    verdict.results.filter(({ code }) => /^WB-MODEL-03/.test(code)).map(({ code, status }) => [code, status]),
  );
}

test("where trust has no rule for models, nothing is asked of their signatures", async () => {
  const folder = makeAgent("  - {kind: model, name: base, path: m}\n", ODD);
  await release(folder);
  const judgement = await stand(folder, trust(undefined));
  assert.equal(judgement.verdict.outcome, "allow");
  assert.deepEqual(said(judgement), {});
});

test("the releaser's own model signatures satisfy a rule that names him", async () => {
  const folder = makeAgent(
    "  - {kind: model, name: base, path: m}\n  - {kind: model, name: one, path: w}\n",
    { ...ODD, w: "1" },
  );
  await release(folder);
  const judgement = await stand(folder, trust([releaser]));
  assert.equal(judgement.verdict.outcome, "allow", judgement.verdict.reason);
  const all = ["030", "031", "032", "033", "034", "035"].map((code) => [`WB-MODEL-${code}`, "pass"]);
  assert.deepEqual(said(judgement), Object.fromEntries(all));
});

test("a publisher's model.sig beside the model satisfies a rule that names her", async () => {
  const folder = makeAgent(
    "  - {kind: model, name: base, path: m}\n  - {kind: model, name: one, path: w}\n",
    { ...ODD, w: "1" },
  );
  await signModel(join(folder, "m"), keySigner(publisher));
  await signModel(join(folder, "w"), keySigner(publisher));
  await release(folder);
  const judgement = await stand(folder, trust([publisher]));
  assert.equal(judgement.verdict.outcome, "allow", judgement.verdict.reason);
  assert.equal(said(judgement)["WB-MODEL-030"], "pass");
  // Two of them: the publisher's and the releaser's.
  assert.equal(
    said(await stand(folder, trust([publisher, releaser], { threshold: 2 })))["WB-MODEL-032"],
    "pass",
  );
});

test("a model without a signature is not evaluated, and at strict nobody can tell", async () => {
  const folder = makeAgent("  - {kind: model, name: base, path: m}\n", ODD);
  await release(folder);
  rmSync(join(folder, "waybill.evidence", `model.base.${releaser.keyId.slice(0, 12)}.sigstore.json`));
  const judgement = await stand(folder, trust([publisher]));
  assert.equal(judgement.verdict.outcome, "allow", judgement.verdict.reason);
  assert.deepEqual(said(judgement), { "WB-MODEL-030": "not-evaluated" });
  const strict = await stand(folder, trust([publisher]), "strict");
  assert.ok(strict.verdict.notEvaluated.some(({ code, required }) => code === "WB-MODEL-030" && required));
});

test("signatures by others, by too few and by revoked keys are failures that strict denies for", async () => {
  const folder = makeAgent("  - {kind: model, name: base, path: m}\n", ODD);
  await signModel(join(folder, "m"), keySigner(stranger));
  await release(folder);
  for (const file of [
    trust([publisher]),
    trust([releaser, publisher], { threshold: 2 }),
    trust([publisher], { revoked: stranger }),
  ]) {
    const judgement = await stand(folder, file);
    assert.equal(said(judgement)["WB-MODEL-032"], "fail", file);
    assert.equal(judgement.verdict.outcome, "allow");
    const strict = await stand(folder, file, "strict");
    assert.ok(strict.verdict.blocking.some(({ code }) => code === "WB-MODEL-032"));
  }
});

test("nothing is hashed for a signature by somebody whom trust does not name", async () => {
  const folder = makeAgent("  - {kind: model, name: base, path: m}\n", { "m/w": "1" });
  await release(folder);
  const digest = "ab".repeat(64);
  const root = sha256(Buffer.from(digest, "hex"));
  const statement = encodeStatement({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "m", digest: { sha256: root } }],
    predicateType: "https://model_signing/signature/v1.0",
    predicate: {
      serialization: { method: "files", hash_type: "blake2b", allow_symlinks: false, ignore_paths: [] },
      resources: [{ name: "w", algorithm: "blake2b", digest }],
    },
  });
  const agent = openAgentFolder(folder);
  const facts = await collectFacts(agent);
  const policy = parseTrust(readFileSync(trust([publisher]), "utf8"));
  const hashedFor = async (signer: SigningKey): Promise<number | undefined> => {
    const text = makeKeyBundle(statement, signer.privateKey);
    const bundles = [{ file: "waybill.evidence/model.base.0123456789ab.sigstore.json", text }];
    const [model] = await signedModels(agent, facts, bundles, { trust: policy, now: new Date() });
    return model!.bundles[0]!.computed?.size;
  };
  assert.equal(await hashedFor(publisher), 1);
  assert.equal(await hashedFor(stranger), undefined);
});

test("a trusted publisher's signature on other bytes denies, though the release is signed", async () => {
  for (const [code, change] of [
    ["WB-MODEL-033", (folder: string) => writeFileSync(join(folder, "m/a-b"), "backdoor")],
    ["WB-MODEL-033", (folder: string) => rmSync(join(folder, "m/a-b"))],
    ["WB-MODEL-034", (folder: string) => writeFileSync(join(folder, "m/tokenizer.py"), "import os")],
  ] as const) {
    const folder = makeAgent("  - {kind: model, name: base, path: m}\n", ODD);
    await signModel(join(folder, "m"), keySigner(publisher));
    change(folder);
    await release(folder);
    const { verdict, allowed } = await stand(folder, trust([publisher]));
    assert.equal(verdict.outcome, "deny");
    assert.equal(allowed, undefined);
    assert.ok(verdict.blocking.some((finding) => finding.code === code));
  }
});

test("a trusted signature on a statement that is malformed denies", async () => {
  const folder = makeAgent("  - {kind: model, name: base, path: m}\n", ODD);
  const bad = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "m", digest: { sha256: "0".repeat(64) } }],
    predicateType: "https://model_signing/signature/v1.0",
    predicate: {
      serialization: { method: "files", hash_type: "sha256", allow_symlinks: false },
      resources: [{ name: "../../etc/passwd", algorithm: "sha256", digest: "0".repeat(64) }],
    },
  };
  writeFileSync(join(folder, "m/model.sig"), makeKeyBundle(JSON.stringify(bad), publisher.privateKey));
  await release(folder);
  const { verdict } = await stand(folder, trust([publisher]));
  assert.ok(
    verdict.blocking.some(({ code }) => code === "WB-MODEL-031"),
    verdict.reason,
  );
});

test("what a trusted signer left out is shown, and denied at strict", async () => {
  const folder = makeAgent("  - {kind: model, name: base, path: m}\n", { "m/w": "1", "m/extra/x.py": "2" });
  const statement = makeOmsStatement({
    name: "m",
    files: [{ path: "w", sha256: sha256("1") }],
    ignored: ["extra"],
  });
  assert.ok(!("problem" in statement));
  writeFileSync(
    join(folder, "m/model.sig"),
    makeKeyBundle(encodeStatement(statement), publisher.privateKey, { hint: "oms" }),
  );
  await release(folder);
  const { verdict } = await stand(folder, trust([publisher]));
  assert.equal(verdict.outcome, "allow", verdict.reason);
  assert.deepEqual(verdict.advisory.find(({ code }) => code === "WB-MODEL-035")?.details, ["m/extra/x.py"]);
  const strict = await stand(folder, trust([publisher]), "strict");
  assert.ok(strict.verdict.blocking.some(({ code }) => code === "WB-MODEL-035"));
});

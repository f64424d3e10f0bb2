// What the release digest covers, and what the lock says of it (testdata/requirements.yaml).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { componentId, KINDS } from "../core/component.ts";
import { sha256 } from "../core/digest.ts";
import type { Lock } from "../core/lock.ts";
import { isLink, treeDigest } from "../core/tree.ts";
import { lockFolder } from "./lock.ts";
import {
  Agent,
  MANIFEST,
  ONE_OF_EACH,
  ORIGIN,
  releasedAgent,
  TOOLS,
  writeImage,
} from "./proofs-agent.test.ts";

const component = (lock: Lock, id: string) => lock.components.find((c) => componentId(c.leaf) === id)!;
const digestsOf = (lock: Lock): Record<string, string> =>
  Object.fromEntries(lock.components.map(({ leaf }) => [componentId(leaf), leaf.digest]));
/** The components that differ between two locks. */
const changed = (a: Lock, b: Lock): string[] => {
  const [before, after] = [digestsOf(a), digestsOf(b)];
  return Object.keys({ ...before, ...after }).filter((id) => before[id] !== after[id]);
};

test("one byte of each of the nine kinds changes its component and the release digest", async () => {
  const agent = new Agent();
  const first = await agent.lock();
  assert.deepEqual([...new Set(first.components.map((c) => c.leaf.kind))].toSorted(), [...KINDS].toSorted());
  const seen = new Set<string>([first.release]);
  for (const [id, path] of Object.values(ONE_OF_EACH)) {
    agent.flip(path);
    const lock = await agent.lock();
    assert.deepEqual(changed(first, lock), [id]);
    seen.add(lock.release);
    agent.flip(path);
    assert.equal((await agent.lock()).release, first.release, `${path} is back`);
  }
  writeImage(agent.folder, "a lay3r");
  const lock = await agent.lock();
  assert.deepEqual(changed(first, lock), ["image/runtime"]);
  seen.add(lock.release);
  assert.equal(seen.size, 1 + KINDS.length);
});

test("a command, an argument, an environment value, a host or a promise that changed changes the release digest alone", async () => {
  const agent = new Agent();
  const first = await agent.lock();
  const seen = new Set<string>([first.release]);
  const edits = [
    ["command: [sh,", "command: [dash,"],
    ["src/start.sh]", "src/start.sh, --fast]"],
    ["LOG_LEVEL: info", "LOG_LEVEL: debug"],
    ["MARK: { inherit: true }", "MARK: /tmp/mark"],
    ["api.example.com:443", "*.example.com:443"],
    ["egress: [api.example.com:443]", "egress: []"],
    ["comes from the corpus", "comes from anywhere"],
    ["pact:\n  - every answer comes from the corpus\n", ""],
  ] as const;
  for (const [from, to] of edits) {
    agent.edit("waybill.yaml", from, to.startsWith("*") ? JSON.stringify(to) : to);
    const lock = await agent.lock();
    assert.deepEqual(changed(first, lock), [], to);
    seen.add(lock.release);
    agent.write("waybill.yaml", MANIFEST);
  }
  assert.equal(seen.size, 1 + edits.length);
});

test("the same weights from another origin are another release, and the lock holds origin and digest in one leaf", async () => {
  const agent = new Agent();
  const first = await agent.lock();
  const { leaf, files } = component(first, "model/base");
  assert.equal(leaf.origin, ORIGIN);
  assert.equal(leaf.digest, treeDigest(files));
  // One line of the file that is committed.
  const line = agent
    .read("waybill.lock")
    .split("\n")
    .find((text) => text.includes('"leaf"') && text.includes('"model"'))!;
  assert.ok(line.includes(ORIGIN) && line.includes(leaf.digest), line);

  const seen = new Set<string>([first.release]);
  const origins = [
    `hf://acme/base@${"f".repeat(40)}`,
    "s3://own/fine-tuned/7",
    "https://vendor.example/base-2.bin",
  ];
  for (const origin of origins) {
    agent.write("waybill.yaml", MANIFEST.replace(ORIGIN, origin));
    const lock = await agent.lock();
    assert.deepEqual(changed(first, lock), []);
    assert.equal(component(lock, "model/base").leaf.origin, origin);
    seen.add(lock.release);
  }
  assert.equal(seen.size, 1 + origins.length);
});

test("swapping two few-shot examples changes the digest and is refused", async () => {
  const agent = await releasedAgent();
  const first = await agent.copy().lock();
  const [one, two] = agent.read("prompts/few-shot.jsonl").split("\n");
  agent.write("prompts/few-shot.jsonl", `${two}\n${one}\n`);
  const { details } = await agent.refusedFor("prompt/few-shot", "prompts/few-shot.jsonl", "WB-PROMPT-001");
  assert.ok(details?.some((line) => line.includes(one!)));
  const swapped = await agent.lock();
  assert.deepEqual(changed(first, swapped), ["prompt/few-shot"]);
  assert.notEqual(swapped.release, first.release);
});

test("each part of a tool is in its digest: name, description, schemas, annotations, instructions, artifact", async () => {
  const agent = new Agent();
  const [find] = TOOLS.tools;
  const document = async (snapshot: unknown) => {
    agent.write("tools/tools.json", JSON.stringify(snapshot));
    const { leaf, document } = component(await agent.lock(), "tool/orders");
    // The artifact covers the snapshot's bytes; what the model is told must count without it.
    const { artifact, ...told } = document as { artifact: string };
    return { digest: leaf.digest, artifact, told: JSON.stringify(told) };
  };
  const first = await document(TOOLS);
  const parts = {
    name: { ...TOOLS, tools: [{ ...find, name: "find_orders" }] },
    description: { ...TOOLS, tools: [{ ...find, description: "Finds any order" }] },
    inputSchema: { ...TOOLS, tools: [{ ...find, inputSchema: { type: "object" } }] },
    outputSchema: { ...TOOLS, tools: [{ ...find, outputSchema: { type: "object" } }] },
    annotations: { ...TOOLS, tools: [{ ...find, annotations: { readOnlyHint: false } }] },
    instructions: { ...TOOLS, instructions: "Ask for nothing." },
  };
  const told = new Set([first.told]);
  const digests = new Set<string>([first.digest]);
  for (const snapshot of Object.values(parts)) {
    const next = await document(snapshot);
    told.add(next.told);
    digests.add(next.digest);
  }
  assert.equal(told.size, 1 + Object.keys(parts).length);
  await document(TOOLS);
  agent.flip("tools/server.js");
  const other = component(await agent.lock(), "tool/orders");
  assert.notEqual(other.document!.artifact, first.artifact);
  digests.add(other.leaf.digest);
  assert.equal(digests.size, 2 + Object.keys(parts).length);
});

test("the digest of an image's manifest is in the release digest", async () => {
  const agent = new Agent();
  const releases = new Set<string>();
  for (const layer of ["a layer", "another layer"]) {
    const { digest } = writeImage(agent.folder, layer);
    const lock = await agent.lock();
    assert.equal(component(lock, "image/runtime").leaf.digest, digest);
    releases.add(lock.release);
  }
  assert.equal(releases.size, 2);
});

test("the lock names every file of every prompt with its SHA-256", async () => {
  const agent = new Agent();
  const lock = await agent.lock();
  for (const [id, path] of [
    ["prompt/system", "prompts/system.md"],
    ["prompt/few-shot", "prompts/few-shot.jsonl"],
    ["prompt/context", "prompts/context.tmpl"],
  ] as const) {
    const [file, ...more] = component(lock, id).files;
    assert.deepEqual(more, []);
    assert.ok(file && !isLink(file));
    assert.equal(file.sha256, sha256(readFileSync(agent.path(path))));
    assert.ok(agent.read("waybill.lock").includes(`"sha256":"${file.sha256}"`));
  }
});

const sha256sum = spawnSync("sha256sum", ["--version"]).status === 0;

test("sha256sum accepts what lock --sha256sums wrote, and refuses after a change of any pinned file", {
  skip: sha256sum ? false : "there is no sha256sum",
}, async () => {
  const agent = new Agent();
  const { checksums, files } = await lockFolder(agent.folder, { checksums: true });
  const check = () =>
    spawnSync("sha256sum", ["--check", "--strict", "--quiet", checksums!], { cwd: agent.folder });
  assert.equal(check().status, 0);
  const lines = agent.read(checksums!).trimEnd().split("\n");
  assert.equal(lines.length, files);
  for (const line of lines) {
    const path = line.slice(66);
    agent.flip(path);
    assert.equal(check().status, 1, path);
    agent.flip(path);
  }
  assert.equal(check().status, 0);
});

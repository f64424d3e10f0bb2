// What `waybill init` finds in folders that have never seen Waybill (testdata/requirements.yaml).
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { componentId } from "../core/component.ts";
import { initFolder } from "./init.ts";
import { judge } from "./judge.ts";
import { lockFolder } from "./lock.ts";
import { scratch } from "./proofs-agent.test.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/support-agent");
const fresh = (): string => mkdtempSync(join(scratch, "i-"));

/** Where init and lock put each file of a folder: path → component. */
async function claims(folder: string): Promise<Record<string, string>> {
  const { detected } = await initFolder(folder, { write: true });
  const { lock } = await lockFolder(folder, {});
  return Object.fromEntries(
    lock.components.flatMap(({ leaf, files }) => {
      const id = componentId(leaf);
      const { path } = detected.find(({ declared }) => componentId(declared) === id)!.declared;
      const prefix = (file: string) =>
        path === undefined || path === "." ? file : basename(path) === file ? path : `${path}/${file}`;
      return files.map((file) => [prefix(file.path), leaf.kind]);
    }),
  );
}

async function blockedAtCi(folder: string): Promise<string[]> {
  const { verdict } = await judge({
    folder,
    door: "ci",
    target: "production",
    level: "baseline",
    home: join(folder, "../home"),
    env: {},
    now: new Date(),
  });
  return verdict.blocking.filter((f) => f.code.endsWith("-001")).map((f) => `${f.code} ${f.path}`);
}

test("init finds and declares the example's code, packages, build tools, CI and deployment", async () => {
  const folder = join(fresh(), "support-agent");
  const made = new Set([
    "waybill.yaml",
    "waybill.lock",
    "waybill.evidence",
    ".waybill",
    "node_modules",
    "model",
    "image",
  ]);
  cpSync(EXAMPLE, folder, {
    recursive: true,
    filter: (path) => dirname(path) !== EXAMPLE || !made.has(basename(path)),
  });
  const found = await claims(folder);
  for (const [path, kind] of Object.entries({
    "src/server.ts": "code",
    "training/train.ts": "code",
    "scripts/build-image.ts": "code",
    "ci/workflow.yml": "code",
    "package.json": "code",
    "package-lock.json": "dependencies",
    "eval/requirements.txt": "dependencies",
    Dockerfile: "infra",
    "deploy/deployment.yaml": "infra",
    "deploy/networkpolicy.yaml": "infra",
    "deploy/service.yaml": "infra",
    "dataset/intents.jsonl": "dataset",
    "prompts/system.md": "prompt",
    "prompts/few-shot.jsonl": "prompt",
    "prompts/context.tmpl": "prompt",
    "tools/helpdesk/tools.json": "tool",
    "corpus/returns.md": "corpus",
  }))
    assert.equal(found[path], kind, path);
});

test("init finds Kubernetes, Terraform and CloudFormation files, and one changed byte of each is refused", async () => {
  const folder = fresh();
  const files = {
    "ops/web.yaml": "# the web\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n",
    "ops/cluster.tf": 'resource "aws_eks_cluster" "agents" {}\n',
    "ops/stack.json": '{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}\n',
    "ops/stack.yaml": "AWSTemplateFormatVersion: '2010-09-09'\nResources: {}\n",
    "src/values.yaml": "apple: 1\nkindness: 2\n",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const found = await claims(folder);
  assert.equal(found["src/values.yaml"], "code");
  for (const path of Object.keys(files).filter((name) => name.startsWith("ops/"))) {
    assert.equal(found[path], "infra", path);
    const bytes = readFileSync(join(folder, path));
    const changed = Buffer.from(bytes);
    changed[changed.length - 3]! ^= 1;
    writeFileSync(join(folder, path), changed);
    assert.deepEqual(await blockedAtCi(folder), [`WB-INFRA-001 ${path}`]);
    writeFileSync(join(folder, path), bytes);
  }
  assert.deepEqual(await blockedAtCi(folder), []);
  rmSync(folder, { recursive: true });
});

test("init finds files of prompts in YAML and JSON by their names, and pins each as a prompt", async () => {
  const folder = fresh();
  const prompts = [
    "config/system_prompt.yaml",
    "config/prompts.yml",
    "config/few-shots.json",
    "config/few_shot.jsonl",
    "config/context-template.yaml",
    "config/chat_template.jinja",
    "prompts/anything.json",
  ];
  for (const path of [...prompts, "config/limits.yaml", "main.py"]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), "x: 1\n");
  }
  const found = await claims(folder);
  for (const path of prompts) assert.equal(found[path], "prompt", path);
  assert.equal(found["config/limits.yaml"], "code");
});

// The agent on which proofs-*.test.ts stand. No test of its own: its name keeps it out of the published package.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { sha256 } from "../core/digest.ts";
import type { Finding, Level } from "../core/finding.ts";
import { type Lock, parseLock } from "../core/lock.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { generateKeyPair, keyId, publicKeyPem } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { allowRelease } from "./channel.ts";
import { type Judgement, judge } from "./judge.ts";
import { lockFolder } from "./lock.ts";
import { runFolder } from "./run.ts";
import { signFolder } from "./sign.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/waybill.js", import.meta.url));
export const scratch = realpathSync(mkdtempSync(join(tmpdir(), "waybill-proofs-")));
// An agent that is started runs as another user where we are root, and must be able to pass through.
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));

/** When every file was written, in seconds. */
const WRITTEN = 1_767_225_600;
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
export const ORIGIN = `hf://acme/base@${COMMIT}`;

export const MANIFEST = `waybill: v1
agent: proof
components:
  - { kind: model, name: base, path: model, origin: "${ORIGIN}" }
  - { kind: dataset, name: train, path: dataset }
  - { kind: dataset, name: judged, path: judged.jsonl }
  - { kind: prompt, name: system, path: prompts/system.md }
  - { kind: prompt, name: few-shot, path: prompts/few-shot.jsonl }
  - { kind: prompt, name: context, path: prompts/context.tmpl }
  - { kind: tool, name: orders, path: tools }
  - { kind: corpus, name: help, path: corpus }
  - { kind: dependencies, name: locked, paths: [package-lock.json, requirements.txt] }
  - { kind: image, name: runtime, path: image }
  - { kind: infra, name: cluster, path: deploy }
  - { kind: code, name: app, path: . }
start:
  command: [sh, src/start.sh]
  env:
    PATH: { inherit: true }
    MARK: { inherit: true }
    LOG_LEVEL: info
  egress: [api.example.com:443]
pact:
  - every answer comes from the corpus
`;

export const TOOLS = {
  instructions: "Ask for the postcode first.",
  tools: [
    {
      name: "find_order",
      description: "Finds an order by its number",
      inputSchema: { type: "object", properties: { number: { type: "string" } } },
      outputSchema: { type: "object", properties: { state: { type: "string" } } },
      annotations: { readOnlyHint: true },
    },
  ],
};

const FILES: Record<string, string | Buffer> = {
  "waybill.yaml": MANIFEST,
  "model/weights.safetensors": weights(),
  "model/config.json": '{"layers": 2}\n',
  "model/tokenizer.json": '{"version": "1"}\n',
  "model/model_manifest.json": '{"model": "base", "signed_by": "acme"}\n',
  "dataset/train.jsonl": '{"text": "where is my order"}\n{"text": "give it back"}\n',
  "dataset/more.jsonl": '{"text": "good morning"}\n',
  "judged.jsonl": '{"text": "is it on its way"}\n',
  "prompts/system.md": "You help customers.\nNever promise a refund.\n",
  "prompts/few-shot.jsonl":
    '{"q": "Where is it?", "a": "On its way."}\n{"q": "Refund?", "a": "I shall ask."}\n',
  "prompts/context.tmpl": "{{passages}}\n",
  "tools/tools.json": `${JSON.stringify(TOOLS, null, 2)}\n`,
  "tools/server.js": "// answers tools/list\n",
  "corpus/orders.md": "An order number has eight digits.\n",
  "corpus/returns.md": "Returns are free.\n",
  "package-lock.json": '{"lockfileVersion": 3}\n',
  "requirements.txt": "numpy==2.0.0\n",
  "deploy/pod.yaml": "apiVersion: v1\nkind: Pod\n",
  "deploy/main.tf": 'resource "null_resource" "a" {}\n',
  "deploy/stack.json": '{"AWSTemplateFormatVersion": "2010-09-09"}\n',
  "src/start.sh": '[ -z "$MARK" ] || echo "started $#" >> "$MARK"\n',
};

/** One file of each kind whose bytes the release pins. The image's layer has a function of its own. */
export const ONE_OF_EACH = {
  model: ["model/base", "model/weights.safetensors", "WB-MODEL-001"],
  dataset: ["dataset/train", "dataset/train.jsonl", "WB-DATA-001"],
  prompt: ["prompt/system", "prompts/system.md", "WB-PROMPT-001"],
  tool: ["tool/orders", "tools/server.js", "WB-TOOL-001"],
  corpus: ["corpus/help", "corpus/returns.md", "WB-CORPUS-001"],
  code: ["code/app", "src/start.sh", "WB-CODE-001"],
  dependencies: ["dependencies/locked", "package-lock.json", "WB-DEPS-001"],
  infra: ["infra/cluster", "deploy/pod.yaml", "WB-INFRA-001"],
} as const;

/** A safetensors file of a little over 3 MiB, with one tensor a MiB. */
function weights(): Buffer {
  const mib = 1 << 20;
  const tensor = (i: number) => ({
    dtype: "F32",
    shape: [256, 1024],
    data_offsets: [i * mib, (i + 1) * mib],
  });
  const header = Buffer.from(JSON.stringify({ first: tensor(0), second: tensor(1), third: tensor(2) }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = Buffer.alloc(3 * mib);
  for (let i = 0; i < data.length; i += 4) data.writeUInt32LE(Math.imul(i, 2_654_435_761) >>> 0, i);
  return Buffer.concat([length, header, data]);
}

/** Writes an image layout with one layer; gives the digest of its manifest and the path of the layer. */
export function writeImage(folder: string, layer: string): { digest: string; layer: string } {
  const blobs = join(folder, "image/blobs/sha256");
  rmSync(join(folder, "image"), { recursive: true, force: true });
  mkdirSync(blobs, { recursive: true });
  const type = "application/vnd.oci.image";
  const blob = (mediaType: string, text: string) => {
    writeFileSync(join(blobs, sha256(text)), text);
    return { mediaType, digest: `sha256:${sha256(text)}`, size: Buffer.byteLength(text) };
  };
  const layers = [blob(`${type}.layer.v1.tar`, layer)];
  const config = blob(`${type}.config.v1+json`, "{}");
  const manifest = blob(
    `${type}.manifest.v1+json`,
    JSON.stringify({ schemaVersion: 2, mediaType: `${type}.manifest.v1+json`, config, layers }),
  );
  writeFileSync(
    join(folder, "image/index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [manifest] }),
  );
  writeFileSync(join(folder, "image/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return { digest: manifest.digest, layer: `image/blobs/sha256/${sha256(layer)}` };
}

/** A folder that may be started, with the operator's trust policy and the door's memory beside it. */
export class Agent {
  readonly root = mkdtempSync(join(scratch, "a-"));
  readonly folder = join(this.root, "agent");
  readonly home = join(this.root, "home");
  readonly trust = join(this.root, "trust.yaml");
  readonly marks = join(this.root, "marks");
  key = newKey("releaser");

  constructor(files: Record<string, string | Buffer> = {}) {
    chmodSync(this.root, 0o755);
    mkdirSync(this.folder);
    mkdirSync(this.home, { mode: 0o700 });
    mkdirSync(this.marks);
    // Whatever user the agent becomes may write its mark.
    chmodSync(this.marks, 0o777);
    for (const [path, data] of Object.entries({ ...FILES, ...files })) {
      this.write(path, data);
      // Whole seconds, which can be set again exactly.
      utimesSync(this.path(path), WRITTEN, WRITTEN);
    }
    writeImage(this.folder, "a layer");
    this.trustKeys([this.key]);
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  read(file: string): string {
    return readFileSync(this.path(file), "utf8");
  }

  write(file: string, data: string | Buffer): void {
    mkdirSync(dirname(this.path(file)), { recursive: true });
    writeFileSync(this.path(file), data);
  }

  remove(file: string): void {
    rmSync(this.path(file), { recursive: true });
  }

  /** The bundles in its folder that sign releases. */
  releaseSignatures(): string[] {
    return readdirSync(this.path("waybill.evidence"))
      .filter((name) => name.startsWith("release."))
      .map((name) => `waybill.evidence/${name}`);
  }

  openLock(): Lock {
    return parseLock(this.read("waybill.lock"));
  }

  /** Replaces a text that must be there. */
  edit(file: string, from: string, to: string): void {
    const text = this.read(file);
    assert.ok(text.includes(from), `${file} does not hold ${from}`);
    this.write(file, text.replace(from, to));
  }

  /** Flips one bit; by default of the byte in the middle. */
  flip(file: string, offset?: number): void {
    const bytes = readFileSync(this.path(file));
    bytes[offset ?? Math.floor(bytes.length / 2)]! ^= 1;
    writeFileSync(this.path(file), bytes);
  }

  /** Changes a file in such a way that size and times stay what they were. */
  quietly(file: string, change: () => void): void {
    const before = statSync(this.path(file));
    change();
    utimesSync(this.path(file), WRITTEN, WRITTEN);
    const { size, mtimeMs } = statSync(this.path(file));
    assert.deepEqual({ size, mtimeMs }, { size: before.size, mtimeMs: before.mtimeMs });
  }

  /** The policy of the operator: these keys, each a principal of its own, may release. */
  trustKeys(keys: readonly SigningKey[], options: { notAfter?: string; revoked?: SigningKey } = {}): void {
    const window = options.notAfter === undefined ? {} : { notAfter: options.notAfter };
    const principals = keys.map((key) => ({
      name: key.name,
      keys: [{ publicKey: publicKeyPem(key.publicKey), ...window }],
    }));
    const names = principals.map(({ name }) => name);
    const rule = { agents: ["*"], principals: names, threshold: 1 };
    const policy = {
      waybillTrust: "v1",
      version: 1,
      expires: "2099-01-01T00:00:00Z",
      principals,
      rules: [
        { evidence: "release", ...rule },
        { evidence: "channel", ...rule },
      ],
      revoked: options.revoked ? [{ key: options.revoked.keyId, reason: "stolen" }] : [],
    };
    writeFileSync(this.trust, JSON.stringify(policy));
  }

  async lock(): Promise<Lock> {
    return (await lockFolder(this.folder, {})).lock;
  }

  async sign(key = this.key): Promise<void> {
    await signFolder(this.folder, keySigner(key));
  }

  /** What signs a channel statement with a key. */
  signer(key = this.key) {
    return { signer: keySigner(key), ownKey: key.publicKey };
  }

  /** Locks, signs and allows it at production: it passes every door, also at strict. */
  async release(): Promise<Lock> {
    const lock = await this.lock();
    await this.sign();
    const { folder, home } = this;
    await allowRelease({
      folder,
      ...this.signer(),
      home,
      target: "production",
      days: 30,
      retain: 3,
      now: new Date(),
    });
    return lock;
  }

  /** A copy that can be changed without changing this one. */
  copy(): Agent {
    const copy = new Agent();
    copy.key = this.key;
    for (const name of ["folder", "home", "trust"] as const) {
      rmSync(copy[name], { recursive: true, force: true });
      cpSync(this[name], copy[name], { recursive: true, preserveTimestamps: true });
    }
    return copy;
  }

  /** What a door of this agent's operator is told, but for the door itself. */
  options(level: Level = "baseline") {
    return this.#door(level);
  }

  /** What the start door says. */
  verify(level: Level = "baseline"): Promise<Judgement> {
    return judge({ ...this.#door(level), door: "start", only: "verify" });
  }

  /** The code that denies it; the verdict must be a denial. */
  async denied(level: Level = "baseline"): Promise<string> {
    const { verdict, allowed } = await this.verify(level);
    assert.equal(verdict.outcome, "deny", verdict.reason);
    assert.equal(allowed, undefined);
    return verdict.blocking[0]!.code;
  }

  /** Asks the start door to run it, at both levels that block: refused each time. Gives what was found. */
  async refused(): Promise<Finding[]> {
    let found: Finding[] = [];
    for (const level of ["strict", "baseline"] as const) {
      const result = await runFolder({ ...this.#door(level), command: [] });
      assert.equal(result.started, false, level);
      assert.equal(result.judgement.verdict.outcome, "deny", level);
      found = result.judgement.verdict.blocking;
    }
    assert.equal(this.started(), false);
    return found;
  }

  /** The one finding of a refusal, which names component, path and the line of waybill.yaml that declares it. */
  async refusedFor(component: string, path: string, code: string): Promise<Finding> {
    const found = await this.refused();
    assert.deepEqual([...new Set(found.map((f) => `${f.code} ${f.path}`))], [`${code} ${path}`]);
    const finding = found.at(-1)!;
    assert.equal(finding.component, component);
    const [kind, name] = component.split("/");
    const declaring = this.read("waybill.yaml")
      .split("\n")
      .findIndex((line) => line.includes(`kind: ${kind}, name: ${name},`));
    assert.ok(declaring > 0);
    assert.equal(finding.where?.file, "waybill.yaml");
    assert.equal(finding.where.line, declaring + 1);
    return finding;
  }

  /** Runs `waybill` in the folder, as an operator would. */
  waybill(
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, [PROGRAM, ...args], {
      cwd: this.folder,
      encoding: "utf8",
      env: {
        PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ""}`,
        WAYBILL_HOME: this.home,
        WAYBILL_TRUST: this.trust,
        MARK: this.mark,
        NO_COLOR: "1",
        ...env,
      },
    });
  }

  get mark(): string {
    return join(this.marks, "started");
  }

  /** True when the command ran since this was asked last. */
  started(): boolean {
    const ran = existsSync(this.mark);
    rmSync(this.mark, { force: true });
    return ran;
  }

  /** `waybill run` at strict: true when the command ran; otherwise it must have been refused with 125. */
  starts(): boolean {
    const { status, stderr } = this.waybill(["run", "--level", "strict"]);
    const ran = this.started();
    assert.equal(status, ran ? 0 : 125, stderr);
    if (!ran) assert.match(stderr, /refused: the command was not started\n$/);
    return ran;
  }

  #door(level: Level) {
    const { folder, trust, home } = this;
    const env = { PATH: process.env.PATH, MARK: this.mark };
    return { folder, trust, home, target: "production", level, env, now: new Date() };
  }
}

/** A key that lies in no store. */
export function newKey(name: string): SigningKey {
  const { privateKey, publicKey } = generateKeyPair();
  return { name, keyId: keyId(publicKey), publicKey, privateKey };
}

let template: Agent | undefined;

/** A released agent, fresh for whoever asks. */
export async function releasedAgent(): Promise<Agent> {
  if (!template) {
    template = new Agent();
    await template.release();
  }
  return template.copy();
}

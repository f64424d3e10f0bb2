import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type MemoryRegistry, memoryRegistry } from "../../scripts/toolbox/memory-registry.ts";
import { sha256 } from "../core/digest.ts";
import { generateKeyPair, keyId, publicKeyPem } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { lockFolder } from "./lock.ts";
import { openImage } from "./open-image.ts";
import { pullRelease } from "./pull.ts";
import { signFolder } from "./sign.ts";

// What the tests of push and pull share: a signed agent, who is trusted, a registry.

export const root = mkdtempSync(join(tmpdir(), "waybill-push-"));
const running: MemoryRegistry[] = [];
after(() => {
  for (const registry of running) registry.stop();
  rmSync(root, { recursive: true, force: true });
});

const pair = generateKeyPair();
const key = { name: "k", keyId: keyId(pair.publicKey), ...pair };
export const trust = join(root, "trust.yaml");
writeFileSync(
  trust,
  JSON.stringify({
    waybillTrust: "v1",
    version: 1,
    expires: "2040-01-01T00:00:00Z",
    principals: [{ name: "ann", keys: [{ publicKey: publicKeyPem(pair.publicKey) }] }],
    rules: [{ evidence: "release", agents: ["*"], principals: ["ann"], threshold: 1 }],
  }),
);
export const access = { env: {} };
let count = 0;

/** A registry in memory, stopped at the end. */
export async function start(): Promise<MemoryRegistry> {
  const registry = await memoryRegistry();
  running.push(registry);
  return registry;
}

/** An agent's folder, locked and signed: a file by its own path, a folder, a program, a link, twins, an empty file. */
export async function agent(many = 0): Promise<string> {
  count += 1;
  const folder = join(root, `agent-${count}`);
  mkdirSync(join(folder, "data", "deep"), { recursive: true });
  mkdirSync(join(folder, "prompts"));
  writeFileSync(join(folder, "prompts", "system.md"), "You are a helpful agent.\n");
  writeFileSync(join(folder, "data", "run.sh"), "#!/bin/sh\n");
  chmodSync(join(folder, "data", "run.sh"), 0o755);
  writeFileSync(join(folder, "data", "large.bin"), Buffer.alloc(3_000_000, "waybill"));
  writeFileSync(join(folder, "data", "deep", "twin"), "#!/bin/sh\n");
  writeFileSync(join(folder, "data", "empty"), "");
  symlinkSync("deep/twin", join(folder, "data", "link"));
  for (let i = 0; i < many; i += 1) writeFileSync(join(folder, "data", `${i}.txt`), `file ${i}\n`);
  const manifest = {
    waybill: "v1",
    agent: "hello",
    components: [
      { kind: "prompt", name: "system", path: "prompts/system.md" },
      { kind: "dataset", name: "data", path: "data" },
    ],
    start: { command: ["node", "main.js"] },
  };
  writeFileSync(join(folder, "waybill.yaml"), JSON.stringify(manifest));
  await lockFolder(folder, {});
  await signFolder(folder, keySigner(key));
  return folder;
}

/** Pulls by the trust policy. */
export const pull = (reference: string, dir: string) =>
  pullRelease(openImage(reference, access), {
    dir,
    target: "production",
    level: "baseline",
    trust,
    home: join(root, "home"),
    env: {},
    now: new Date("2026-05-01T00:00:00Z"),
    only: "verify",
  });

/** Files of a folder with their x bits and digests, without those of Waybill. */
export function listing(folder: string): string[] {
  return (readdirSync(folder, { recursive: true, encoding: "utf8" }) as string[])
    .filter((path) => !path.startsWith(".waybill") && statSync(join(folder, path)).isFile())
    .map(
      (path) =>
        `${path} ${statSync(join(folder, path)).mode & 0o100} ${sha256(readFileSync(join(folder, path)))}`,
    )
    .toSorted();
}

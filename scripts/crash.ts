// `node scripts/crash.ts [--rounds N] [--seed S]`: kills Waybill at random moments and looks at what is left.
// After each kill, waybill.lock, keys and evidence are wholly the old ones or wholly the new ones, and the next
// run of the same command works.
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseLock } from "../src/core/lock.ts";
import { lockContradictions } from "../src/core/lock-contradictions.ts";
import { parseStatement } from "../src/evidence/statement.ts";
import { parseBundle, verifyBundleSignature } from "../src/sign/bundle.ts";
import { listKeys, loadKey, loadPublicKey, type SigningKey } from "../src/sign/key-store.ts";
import { random } from "./fuzz/mutate.ts";

const BIN = join(import.meta.dirname, "../bin/waybill.js");
const PASSPHRASE = "correct horse";

/** A small agent, with a home for its keys. */
export interface Scene {
  folder: string;
  home: string;
  remove(): void;
}

export function makeScene(): Scene {
  const root = mkdtempSync(join(tmpdir(), "waybill-crash-"));
  const scene: Scene = {
    folder: join(root, "agent"),
    home: join(root, "home"),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
  mkdirSync(join(scene.folder, "prompts"), { recursive: true });
  writeFileSync(
    join(scene.folder, "waybill.yaml"),
    "waybill: v1\nagent: small\ncomponents:\n  - {kind: code, name: c, path: .}\n  - {kind: prompt, name: p, path: prompts}\n  - {kind: model, name: m, path: model.bin}\nstart: {command: [node, main.js]}\n",
  );
  writeFileSync(join(scene.folder, "main.js"), "1;\n");
  writeFileSync(join(scene.folder, "model.bin"), Buffer.alloc((3 << 20) + 5, 7));
  change(scene, 0);
  return scene;
}

/** Makes the next lock another one. */
export function change(scene: Scene, round: number): void {
  writeFileSync(join(scene.folder, "prompts/system.md"), `be kind, ${round}\n`);
}

const environment = (scene: Scene) => ({
  ...process.env,
  WAYBILL_HOME: scene.home,
  WAYBILL_PASSPHRASE: PASSPHRASE,
});

/** Runs a command to its end. */
export function waybill(
  scene: Scene,
  ...args: string[]
): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    cwd: scene.folder,
    env: environment(scene),
    encoding: "utf8",
  });
  return { status, out: stdout, err: stderr };
}

/** Starts a command and sends a signal after so many ms; gives the status, or the signal's name. */
export function interrupted(
  scene: Scene,
  args: readonly string[],
  signal: NodeJS.Signals,
  ms: number,
): Promise<string> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: scene.folder,
    env: environment(scene),
    stdio: "ignore",
  });
  const timer = setTimeout(() => child.kill(signal), ms);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, by) => {
      clearTimeout(timer);
      resolve(by ?? String(code));
    });
  });
}

export const TEMPORARY = /^\.waybill-.*\.tmp$/;

/** Temporary files left in the agent's folder itself. */
export function leftovers(scene: Scene): string[] {
  return readdirSync(scene.folder).filter((name) => TEMPORARY.test(name));
}

/** The lock's text, which must be a whole lock; undefined where there is none. */
export function wholeLock(scene: Scene): string | undefined {
  const path = join(scene.folder, "waybill.lock");
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  const contradictions = lockContradictions(parseLock(text));
  if (contradictions.length > 0)
    throw new Error(`the lock contradicts itself: ${JSON.stringify(contradictions)}`);
  return text;
}

/** Reads all evidence and keys; throws for half a one. Gives the names of what there is. */
export function wholeEvidence(scene: Scene, opened = new Map<string, SigningKey>()): string[] {
  const names = listKeys(scene.home);
  // Opening a key takes long, so only new ones are opened.
  for (const name of names) {
    if (!opened.has(name)) opened.set(name, loadKey(scene.home, name, PASSPHRASE));
    if (existsSync(join(scene.home, "keys", `${name}.pub`))) loadPublicKey(scene.home, name);
  }
  const keys = [...opened.values()];
  const folder = join(scene.folder, "waybill.evidence");
  const files = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith(".sigstore.json"))
    : [];
  for (const file of files) {
    const bundle = parseBundle(readFileSync(join(folder, file), "utf8"));
    if ("problem" in bundle) throw new Error(`${file}: ${bundle.problem}`);
    if (bundle.content.kind !== "dsse") throw new Error(`${file}: holds no statement`);
    const statement = parseStatement(bundle.content.payload);
    if ("problem" in statement) throw new Error(`${file}: ${statement.problem}`);
    if (!keys.some((key) => verifyBundleSignature(bundle, key.publicKey) === null))
      throw new Error(`${file}: its signature does not verify`);
  }
  return [...names, ...files].sort();
}

/** Kills each command `rounds` times. Gives how many were killed before their end; throws for anything half. */
export async function crash(rounds: number, seed: string, say: (line: string) => void): Promise<number> {
  const scene = makeScene();
  const next = random(seed);
  const must = (...args: string[]) => {
    const { status, err } = waybill(scene, ...args);
    if (status !== 0) throw new Error(`waybill ${args.join(" ")} ended with ${status}: ${err}`);
  };
  let killed = 0;
  const opened = new Map<string, SigningKey>();
  try {
    must("lock");
    must("keys", "create");
    for (const args of [["lock"], ["keys", "create"], ["sign"], ["channel", "allow"]]) {
      // Half of the kills fall into the last part of the work, where the writing is.
      const start = performance.now();
      if (args[0] !== "keys") must(...args);
      else must("keys", "create", "measure");
      const whole = performance.now() - start;
      let here = 0;
      for (let round = 1; round <= rounds; round += 1) {
        const before = wholeLock(scene);
        if (args[0] === "lock") change(scene, next(1 << 30));
        const named = args[0] === "keys" ? [...args, `key-${round}`] : args;
        const ms = whole * (round % 2 === 0 ? 0.1 + next(100) / 100 : 0.7 + next(400) / 1000);
        const end = await interrupted(scene, named, "SIGKILL", ms);
        if (end === "SIGKILL") here += 1;
        const after = wholeLock(scene);
        wholeEvidence(scene, opened);
        if (args[0] !== "lock" && after !== before) throw new Error("the lock changed");
        if (args[0] === "lock") {
          must("lock");
          const again = wholeLock(scene);
          if (after !== before && after !== again)
            throw new Error("the lock was neither the old nor the new one");
          // What a killed run left lying about is in no digest.
          for (const name of leftovers(scene)) rmSync(join(scene.folder, name));
          must("lock");
          if (wholeLock(scene) !== again) throw new Error("a temporary file changed the release");
        } else if (args[0] === "keys") {
          const stored = listKeys(scene.home).includes(`key-${round}`);
          must(...(stored ? ["sign", "--key", `key-${round}`] : named));
        } else must(...args);
      }
      killed += here;
      say(`${args.join(" ").padEnd(16)} ${rounds} rounds, ${here} killed before the end`);
    }
  } finally {
    scene.remove();
  }
  return killed;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rounds: { type: "string" }, seed: { type: "string" } } });
  const seed = values.seed ?? String(Date.now());
  process.stdout.write(`seed ${seed}\n`);
  const killed = await crash(Number(values.rounds ?? 200), seed, (line) => process.stdout.write(`${line}\n`));
  process.stdout.write(`nothing half after ${killed} kills\n`);
}

// `npm run fuzz -- [--seconds N] [--seed S] [NAME]`: hostile bytes against every parser.
// Each parser runs in a worker of its own; inputs are mutations of valid ones, the same for the same seed. Only
// documented errors may come out, within two seconds and a bounded heap.
import { randomInt } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { mutate, random } from "./fuzz/mutate.ts";
import { makeCorpus, TARGETS, type Target } from "./fuzz/targets.ts";

/** Longest time that one input may take, in ms, on a machine that others use too. */
const LIMIT_MS = 2000;
/** Bytes that one input may have: what is larger is a matter of the parsers' own limits. */
const MAX_INPUT = 64 << 10;

interface Job {
  name: string;
  seed: number;
  ms: number;
  /** Input `i` is written here before it is tried, so that the watchdog can show it. */
  current: SharedArrayBuffer;
}

interface Failure {
  input: Buffer;
  reason: string;
}

if (!isMainThread) work(workerData as Job);
else if (import.meta.main) process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: "string" }, seed: { type: "string" }, replay: { type: "string" } },
  });
  const chosen = TARGETS.filter((target) => positionals.length === 0 || positionals.includes(target.name));
  if (chosen.length === 0) {
    process.stderr.write(`no such parser; there are: ${TARGETS.map((t) => t.name).join(", ")}\n`);
    return 2;
  }
  if (values.replay !== undefined) return replay(chosen[0]!, values.replay);
  const seed = values.seed === undefined ? randomInt(2 ** 32) : Number(values.seed);
  const { inputs, failures } = await fuzz({
    targets: chosen,
    seed,
    seconds: Number(values.seconds ?? 20),
    say: (line) => process.stdout.write(`${line}\n`),
  });
  process.stdout.write(
    `${chosen.length} parsers, ${inputs.toLocaleString("en-US")} inputs, ${failures} failures\n`,
  );
  return failures === 0 ? 0 : 1;
}

/** Runs all targets, each for its share of the time. Gives the number of inputs and of failures. */
export async function fuzz(options: {
  targets?: readonly Target[];
  seed: number;
  seconds: number;
  say: (line: string) => void;
}): Promise<{ inputs: number; failures: number }> {
  const { targets = TARGETS, seed, seconds, say } = options;
  say(`seed ${seed}`);
  const ms = (seconds * 1000) / targets.length;
  let [inputs, failures] = [0, 0];
  for (const { name } of targets) {
    const { count, failure } = await runTarget({ name, seed, ms });
    inputs += count;
    say(`${name.padEnd(24)} ${String(count).padStart(9)} inputs`);
    if (!failure) continue;
    failures += 1;
    const folder = join(tmpdir(), "waybill-fuzz");
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${name}-${seed}.bin`);
    writeFileSync(file, failure.input);
    say(`  failed: ${failure.reason}\n  again:  npm run fuzz -- ${name} --replay ${file}`);
  }
  return { inputs, failures };
}

async function runTarget(job: Omit<Job, "current">): Promise<{ count: number; failure?: Failure }> {
  const current = new SharedArrayBuffer(16 + 2 * MAX_INPUT);
  const state = new Int32Array(current, 0, 4);
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { ...job, current },
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  const shown = () => Buffer.from(new Uint8Array(current, 16, Atomics.load(state, 1)));
  return new Promise((done) => {
    let last = -1;
    let since = performance.now();
    const finish = (failure?: Failure) => {
      clearInterval(watchdog);
      void worker.terminate();
      done({ count: Atomics.load(state, 0), ...(failure ? { failure } : {}) });
    };
    const watchdog = setInterval(() => {
      const now = Atomics.load(state, 0);
      if (now !== last || Atomics.load(state, 2) === 0) [last, since] = [now, performance.now()];
      else if (performance.now() - since > 5 * LIMIT_MS)
        finish({ input: shown(), reason: `no answer within ${(5 * LIMIT_MS) / 1000} s` });
    }, 200);
    worker.on("message", (reason: string | null) =>
      finish(reason === null ? undefined : { input: shown(), reason }),
    );
    worker.on("error", (error: Error) =>
      finish({ input: shown(), reason: `the worker died: ${error.message}` }),
    );
  });
}

/** In the worker: tries inputs until the time is up or one fails. */
function work({ name, seed, ms, current }: Job): void {
  const target = TARGETS.find((t) => t.name === name)!;
  const state = new Int32Array(current, 0, 4);
  const shown = new Uint8Array(current, 16);
  const corpus = makeCorpus(target);
  const next = random(`${seed} ${name}`);
  const end = performance.now() + ms;
  for (let i = 0; i < corpus.length || performance.now() < end; i += 1) {
    const seedInput = corpus[i % corpus.length]!;
    const input = (i < corpus.length ? seedInput : mutate(seedInput, corpus, next)).subarray(0, MAX_INPUT);
    shown.set(input);
    Atomics.store(state, 1, input.length);
    Atomics.store(state, 2, 1);
    const reason = trial(target, input, i < corpus.length);
    Atomics.store(state, 2, 0);
    if (reason !== undefined) return void parentPort!.postMessage(reason);
    Atomics.add(state, 0, 1);
  }
  parentPort!.postMessage(null);
}

/** Why an input fails, or undefined. An error that is not documented fails, and so does one that is slow. */
export function trial(target: Target, input: Buffer, valid = false): string | undefined {
  const start = performance.now();
  try {
    target.run(input);
  } catch (error) {
    if (!(error instanceof Error) || !target.errors.some((allowed) => error.constructor === allowed))
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    // A corpus that is refused tests nothing.
    if (valid && target.valid) return `a valid input is refused: ${error.message}`;
  }
  const ms = performance.now() - start;
  return ms > LIMIT_MS ? `it took ${Math.round(ms)} ms` : undefined;
}

function replay(target: Target, file: string): number {
  const reason = trial(target, readFileSync(file));
  process.stdout.write(`${reason ?? "passed"}\n`);
  return reason === undefined ? 0 : 1;
}

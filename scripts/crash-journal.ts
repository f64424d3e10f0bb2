// `node scripts/crash-journal.ts [--kills N] [--stops N] [--seed S]`: kills and stops writers of a journal at random
// moments and looks at what is left. After every round nothing that was acknowledged is missing, every checkpoint that
// anyone has seen is consistent with every later one, and fsck finds nothing.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openCheckpoint } from "../src/core/checkpoint.ts";
import { type Hash, leafHash, RootAccumulator } from "../src/core/merkle.ts";
import { verifyConsistency } from "../src/core/proof.ts";
import { fsckJournal } from "../src/journal/fsck.ts";
import { openJournal } from "../src/journal/journal.ts";
import { openReader } from "../src/journal/open-reader.ts";
import type { JournalReader } from "../src/journal/reader.ts";
import { signEnvelope } from "../src/sign/dsse.ts";
import { generateKeyPair } from "../src/sign/keys.ts";
import { random } from "./fuzz/mutate.ts";

/** What has been seen of a journal while it was written. */
export interface Witnessed {
  /** Leaf hashes by the index that was acknowledged. */
  acknowledged: Map<number, string>;
  /** Every distinct text of the checkpoint file. */
  checkpoints: Set<string>;
  /** Times that a writer ended by itself with an error, and what it said. */
  failures: string[];
}

/** A statement that nobody has signed before. */
function statement(id: string): Buffer {
  const subject = [{ name: id, digest: { sha256: "0".repeat(64) } }];
  const predicate = { id, filler: "x".repeat(id.length % 200) };
  return Buffer.from(
    JSON.stringify({
      _type: "https://in-toto.io/Statement/v1",
      subject,
      predicateType: "urn:example:crash:v1",
      predicate,
    }),
  );
}

/**
 * Appends to a journal until it is killed or has appended `count`, some at a time, and prints a line when it starts,
 * when the journal is open, and for each acknowledged entry.
 */
export async function write(home: string, id: string, count: number): Promise<void> {
  // Not process.stdout: what is acknowledged must be in the pipe before the next thing happens.
  const say = (line: string): void => void writeSync(1, `${line}\n`);
  say("start");
  const { privateKey, publicKey } = generateKeyPair();
  const journal = await openJournal(home, { create: {} });
  say("open");
  for (let done = 0; done < count; ) {
    const together = Math.min(count - done, 1 + (done % 7));
    const appends = Array.from({ length: together }, async (_, i) => {
      const payload = statement(`${id}-${done + i}`);
      const envelope = signEnvelope("application/vnd.in-toto+json", payload, privateKey);
      const { index, leaf } = await journal.append({ envelope, publicKey });
      say(`ack ${index} ${leaf}`);
    });
    await Promise.all(appends);
    done += together;
  }
  await journal.close();
}

/** Starts a writer in a process of its own; what it acknowledges goes into `seen`. */
export function startWriter(home: string, id: string, count: number, seen: Witnessed): ChildProcess {
  const child = spawn(
    process.execPath,
    [import.meta.filename, "--write", home, "--id", id, "--count", String(count)],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let rest = "";
  child.stdout!.on("data", (data: Buffer) => {
    const lines = (rest + data.toString()).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      child.emit("said", line);
      const ack = /^ack (\d+) ([0-9a-f]{64})$/.exec(line);
      if (!ack) continue;
      const before = seen.acknowledged.get(Number(ack[1]));
      if (before !== undefined && before !== ack[2])
        throw new Error(`entry ${ack[1]} was acknowledged twice`);
      seen.acknowledged.set(Number(ack[1]), ack[2]!);
    }
  });
  let said = "";
  child.stderr!.on("data", (data: Buffer) => {
    said += data.toString();
  });
  child.on("exit", (code) => {
    if (code !== null && code !== 0) seen.failures.push(`${code}: ${said.slice(-2000)}`);
  });
  return child;
}

/** Resolves when the process has ended. */
export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once("close", () => resolve());
  });
}

/** Throws unless everything that was seen is true of the journal as it is now. Gives its size. */
export async function mustHold(home: string, seen: Witnessed): Promise<number> {
  if (seen.failures.length > 0) throw new Error(`a writer failed: ${seen.failures[0]}`);
  const journal = await openJournal(home);
  await journal.close();
  const reader = openReader(journal.folder);
  const { size } = reader.checkpoint();
  seen.checkpoints.add(reader.checkpoint().note);
  const leaves = allLeaves(reader, size);
  for (const [index, leaf] of seen.acknowledged)
    if (hex(leaves[index]) !== leaf) throw new Error(`entry ${index} was acknowledged and is not there`);
  await mustBeConsistent(reader, leaves, seen);
  const report = await fsckJournal(journal.folder);
  if (report.found > 0) throw new Error(`fsck: ${JSON.stringify(report.findings.slice(0, 5))}`);
  if (report.verified !== size) throw new Error(`fsck verified ${report.verified} of ${size} entries`);
  return size;
}

/** Every checkpoint that was seen is a beginning of the log as it is: by its leaves, and by the journal's own proofs. */
async function mustBeConsistent(
  reader: JournalReader,
  leaves: readonly Hash[],
  seen: Witnessed,
): Promise<void> {
  const roots = new Map<number, string>();
  for (const note of seen.checkpoints) {
    const opened = openCheckpoint(note, { origin: reader.origin, log: [reader.key.verifier] });
    if ("problem" in opened) throw new Error(`a checkpoint that was seen: ${opened.problem}`);
    const { size, root } = opened.checkpoint;
    if (size > leaves.length)
      throw new Error(`a checkpoint of size ${size} was seen, the log has ${leaves.length}`);
    const known = roots.get(size);
    if (known !== undefined && known !== hex(root)) throw new Error(`a fork: two roots of size ${size}`);
    roots.set(size, hex(root));
  }
  const tree = new RootAccumulator();
  for (let size = 0; size <= leaves.length; size += 1) {
    const root = roots.get(size);
    if (root !== undefined && root !== hex(tree.root()))
      throw new Error(`a fork: another root of size ${size}`);
    if (size < leaves.length) tree.push(leaves[size]!);
  }
  const sizes = [...roots.keys()].filter((size) => size > 0).sort((a, b) => a - b);
  for (const [i, size1] of sizes.entries()) {
    const size2 = sizes[i + 1];
    if (size2 === undefined) break;
    const { proof } = await reader.proveConsistency(size1, size2);
    const [root1, root2] = [roots.get(size1)!, roots.get(size2)!].map((root) => Buffer.from(root, "hex"));
    const problem = verifyConsistency({ size1, size2, root1: root1!, root2: root2!, proof });
    if (problem !== null) throw new Error(`sizes ${size1} and ${size2} are not consistent: ${problem}`);
  }
}

function allLeaves(reader: JournalReader, size: number): Hash[] {
  const leaves: Hash[] = [];
  for (let tile = 0; tile * 256 < size; tile += 1)
    for (const entry of reader.bundle(tile, size)) leaves.push(leafHash(entry));
  return leaves;
}

function hex(hash: Hash | undefined): string {
  return hash === undefined ? "nothing" : Buffer.from(hash).toString("hex");
}

/** Options of a run. */
export interface CrashOptions {
  kills: number;
  /** How many writers are stopped for a while and woken, beside those that are killed. */
  stops: number;
  seed: string;
  say(line: string): void;
}

/** Kills and stops writers, in rounds of up to 100 kills on one journal. Throws for anything lost or forked. */
export async function crashJournal(
  options: CrashOptions,
): Promise<{ size: number; acknowledged: number; checkpoints: number }> {
  const home = mkdtempSync(join(tmpdir(), "waybill-crash-journal-"));
  const next = random(options.seed);
  const seen: Witnessed = { acknowledged: new Map(), checkpoints: new Set(), failures: [] };
  let polling = true;
  const poller = (async () => {
    while (polling) {
      try {
        seen.checkpoints.add(readFileSync(join(home, "journal/checkpoint"), "utf8"));
      } catch {
        // Not made yet.
      }
      await sleep(3);
    }
  })();
  let size = 0;
  try {
    for (
      let killed = 0, stopped = 0, round = 0;
      killed < options.kills || stopped < options.stops;
      round += 1
    ) {
      const kills = Math.min(100, options.kills - killed);
      const stops = Math.min(Math.max(kills, 1), options.stops - stopped);
      await Promise.all([
        killWriters(home, kills, `k${round}`, next, seen),
        stopWriters(home, stops, `s${round}`, next, seen),
      ]);
      killed += kills;
      stopped += stops;
      // Now and then the database is lost between two rounds: everything that was acknowledged is in the files.
      if (round % 3 === 2)
        for (const end of ["", "-wal", "-shm"])
          rmSync(join(home, `journal/journal.sqlite${end}`), { force: true });
      size = await mustHold(home, seen);
      options.say(
        `${killed} killed, ${stopped} stopped and woken: ${size} entries, ${seen.acknowledged.size} acknowledged, ${seen.checkpoints.size} checkpoints seen`,
      );
    }
  } finally {
    polling = false;
    await poller;
    rmSync(home, { recursive: true, force: true });
  }
  return { size, acknowledged: seen.acknowledged.size, checkpoints: seen.checkpoints.size };
}

type Random = ReturnType<typeof random>;

/** Three writers at a time; each is killed at a random moment after it has started. */
async function killWriters(
  home: string,
  kills: number,
  id: string,
  next: Random,
  seen: Witnessed,
): Promise<void> {
  let left = kills;
  const one = async (lane: number): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      const child = startWriter(home, `${id}-${lane}-${left}`, 1_000_000, seen);
      await said(child, "start");
      await sleep(next(100) < 15 ? next(60) : 30 + next(250));
      child.kill("SIGKILL");
      await ended(child);
    }
  };
  await Promise.all([one(0), one(1), one(2)]);
}

/** One long-lived writer that is stopped at random moments, often with the lock, and woken while others write. */
async function stopWriters(
  home: string,
  stops: number,
  id: string,
  next: Random,
  seen: Witnessed,
): Promise<void> {
  if (stops === 0) return;
  const stopped = startWriter(home, `${id}-stopped`, 1_000_000, seen);
  const other = startWriter(home, `${id}-other`, 1_000_000, seen);
  await Promise.all([said(stopped, "open"), said(other, "open")]);
  for (let i = 0; i < stops; i += 1) {
    await sleep(next(40));
    stopped.kill("SIGSTOP");
    await sleep(next(120));
    stopped.kill("SIGCONT");
  }
  for (const child of [stopped, other]) {
    child.kill("SIGKILL");
    await ended(child);
  }
}

function said(child: ChildProcess, line: string): Promise<void> {
  return new Promise((resolve) => {
    child.on("said", (text: string) => {
      if (text === line) resolve();
    });
    child.on("close", () => resolve());
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kills: { type: "string" },
      stops: { type: "string" },
      seed: { type: "string" },
      write: { type: "string" },
      id: { type: "string" },
      count: { type: "string" },
    },
  });
  if (values.write !== undefined)
    await write(values.write, values.id ?? "writer", Number(values.count ?? 10));
  else {
    const seed = values.seed ?? String(Date.now());
    const kills = Number(values.kills ?? 200);
    process.stdout.write(`seed ${seed}\n`);
    const say = (line: string): void => void process.stdout.write(`${line}\n`);
    await crashJournal({ kills, stops: Number(values.stops ?? kills), seed, say });
    say("nothing lost, no fork, fsck clean");
  }
}

import { isUtf8 } from "node:buffer";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { type Checkpoint, openCheckpoint, parseCheckpoint } from "../../src/core/checkpoint.ts";
import { type NoteVerifier, parseNote, parseVerifierKey } from "../../src/core/note.ts";
import { verifyConsistency, verifyInclusion } from "../../src/core/proof.ts";
import { openTileTree, type TileTree } from "../../src/core/tile-tree.ts";
import { parseTilePath, tilePath } from "../../src/core/tlog-tiles.ts";
import { auditTiles, type LogReader } from "../../src/journal/audit.ts";

/** The key of the log in transparency-dev/tessera's testdata. */
const TESSERA = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

/** Entries hashed for flipped bytes of one file, at most: above that only some of its bytes are tried, and it is said. */
const FLIP_BUDGET = 20_000_000;

interface Log {
  files: Map<string, Buffer>;
  verifier: NoteVerifier;
  /** Name of the file and what it says, the smallest tree first. */
  heads: { path: string; checkpoint: Checkpoint }[];
  outcome: Outcome;
}

interface Outcome {
  passed: number;
  failed: string[];
}

/**
 * Checks a C2SP tile log in a folder (`checkpoint`, older ones as `checkpoint.N`, `tile/…`), made by anybody. A
 * case each: a checkpoint verifies and is of its size; a whole tree (every tile and bundle that it needs agrees
 * with every other one and the root); a pair of sizes is consistent; a leaf of a size has an inclusion proof; a
 * file in which every single flipped byte is found.
 *
 * @param key the log's verifier key; that of tessera's test log when absent
 * @throws Error when the folder cannot be read or holds no checkpoint
 */
export async function tlogSuite(dir: string, key: string = TESSERA): Promise<Outcome> {
  const verifier = parseVerifierKey(key);
  if ("problem" in verifier) throw new Error(`the verifier key: ${verifier.problem}`);
  const log: Log = { files: await load(dir), verifier, heads: [], outcome: { passed: 0, failed: [] } };
  if (![...log.files.keys()].some(isCheckpoint)) throw new Error(`no checkpoint in ${dir}`);
  checkpoints(log);
  const trees: TileTree[] = [];
  for (const { path, checkpoint } of log.heads) {
    const tree = await openTileTree(hashReader(log.files), checkpoint);
    if ("problem" in tree) log.outcome.failed.push(`${path}: ${tree.problem}`);
    else trees.push(tree);
    await whole(log, path, checkpoint);
  }
  for (const [i, tree] of trees.entries()) {
    for (const older of trees.slice(0, i + 1)) await pair(log, older, tree);
    await leaves(log, tree);
  }
  for (const path of log.files.keys()) await flips(log, path);
  return log.outcome;
}

/** Every file of the log by its path below the prefix. */
async function load(dir: string): Promise<Map<string, Buffer>> {
  const entries = (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const files = new Map<string, Buffer>();
  for (const path of entries) {
    const name = relative(dir, path).replaceAll("\\", "/");
    if (isCheckpoint(name) || name.startsWith("tile/")) files.set(name, await readFile(path));
  }
  return files;
}

function isCheckpoint(path: string): boolean {
  return /^checkpoint(?:\.[0-9]+)?$/.test(path);
}

function count({ outcome }: Log, name: string, problem: string | null): void {
  if (problem === null) outcome.passed += 1;
  else outcome.failed.push(`${name}: ${problem}`);
}

function checkpoints(log: Log): void {
  const sizes = new Set<number>();
  for (const [path, bytes] of log.files) {
    if (!isCheckpoint(path)) continue;
    const checkpoint = openBytes(bytes, log.verifier);
    if (typeof checkpoint === "string") {
      count(log, path, checkpoint);
      continue;
    }
    const named = path.split(".")[1];
    const right = named === undefined || named === String(checkpoint.size);
    count(log, path, right ? null : `it is of size ${checkpoint.size}`);
    if (!sizes.has(checkpoint.size)) log.heads.push({ path, checkpoint });
    sizes.add(checkpoint.size);
  }
  log.heads.sort((a, b) => a.checkpoint.size - b.checkpoint.size);
}

/** The checkpoint in a file, or why it is refused. The log says its own origin: only its key is known. */
function openBytes(bytes: Buffer, verifier: NoteVerifier, origin?: string): Checkpoint | string {
  if (!isUtf8(bytes)) return "not UTF-8";
  const text = bytes.toString("utf8");
  const note = parseNote(text);
  if ("problem" in note) return note.problem;
  const claimed = parseCheckpoint(note.text);
  if ("problem" in claimed) return claimed.problem;
  const opened = openCheckpoint(text, { origin: origin ?? claimed.origin, log: [verifier] });
  return "problem" in opened ? opened.problem : opened.checkpoint;
}

function hashReader(files: ReadonlyMap<string, Buffer>) {
  return (level: number, index: number, width: number) => files.get(tilePath({ level, index, width }));
}

async function firstProblem(
  read: LogReader,
  checkpoint: Checkpoint,
  paths?: Iterable<string>,
): Promise<string | null> {
  const { problems } = await auditTiles(read, checkpoint, paths === undefined ? {} : { paths });
  return problems.length === 0 ? null : `${problems[0]!.path}: ${problems[0]!.problem}`;
}

async function whole(log: Log, path: string, checkpoint: Checkpoint): Promise<void> {
  const tiles = [...log.files.keys()].filter((each) => !isCheckpoint(each));
  count(log, `${path} tree`, await firstProblem((each) => log.files.get(each), checkpoint, tiles));
}

async function pair(log: Log, older: TileTree, newer: TileTree): Promise<void> {
  const name = `sizes ${older.size} and ${newer.size}`;
  const root1 = await older.rootAt(older.size);
  const root2 = await newer.rootAt(newer.size);
  if ("problem" in root1 || "problem" in root2) return count(log, name, "no root");
  if (older.size === 0) {
    // Nothing can be proved about the empty tree but that its root is the one of no leaves.
    const root = await newer.rootAt(0);
    return count(
      log,
      name,
      !("problem" in root) && Buffer.compare(root, root1) === 0 ? null : "another root",
    );
  }
  const consistent = await newer.consistency(older.size);
  if ("problem" in consistent) return count(log, name, consistent.problem);
  const { proof } = consistent;
  count(log, name, verifyConsistency({ size1: older.size, size2: newer.size, root1, root2, proof }));
}

async function leaves(log: Log, tree: TileTree): Promise<void> {
  const root = await tree.rootAt(tree.size);
  for (let index = 0; index < tree.size; index += 1) {
    const name = `leaf ${index} of ${tree.size}`;
    const found = await tree.inclusion(index);
    if ("problem" in found || "problem" in root) count(log, name, "no proof");
    else count(log, name, verifyInclusion({ index, size: tree.size, root, ...found }));
  }
}

/** Flips each byte of one file, one at a time, in two ways; each must be found. */
async function flips(log: Log, path: string): Promise<void> {
  const original = log.files.get(path)!;
  const found = isCheckpoint(path) ? checkpointFlips(log, original) : tileFlips(log, path);
  if (found === null) return count(log, `${path} flipped`, "it belongs to no tree of the log");
  const step = Math.max(1, Math.ceil((original.length * 2 * found.cost) / FLIP_BUDGET));
  if (step > 1) process.stderr.write(`note: ${path}: every ${step}th byte is flipped\n`);
  const copy = Buffer.from(original);
  for (let at = 0; at < original.length; at += step) {
    for (const mask of [1 << (at % 8), 0xff]) {
      copy[at]! ^= mask;
      const problem = await found.check(copy);
      copy[at] = original[at]!;
      if (problem === null) return count(log, `${path} flipped`, `byte ${at} was flipped and nobody noticed`);
    }
  }
  count(log, `${path} flipped`, null);
}

interface Flips {
  /** Entries that one check hashes. */
  cost: number;
  /** What is wrong with the log when the file holds these bytes. */
  check: (bytes: Buffer) => Promise<string | null>;
}

function checkpointFlips(log: Log, original: Buffer): Flips | null {
  const checkpoint = openBytes(original, log.verifier);
  if (typeof checkpoint === "string") return null;
  const { origin } = checkpoint;
  return {
    cost: 1,
    check: async (bytes) => {
      const opened = openBytes(bytes, log.verifier, origin);
      return typeof opened === "string" ? opened : null;
    },
  };
}

/** Audits the smallest tree of the log that needs the file, or for an older partial one the smallest that holds it. */
function tileFlips(log: Log, path: string): Flips | null {
  const address = parseTilePath(path);
  if ("problem" in address) return null;
  const { level, index, width } = address;
  const needed = (index * 256 + width) * 256 ** (level === "entries" ? 0 : level);
  const head = log.heads.find(({ checkpoint }) => checkpoint.size >= needed);
  if (head === undefined) return null;
  return {
    cost: head.checkpoint.size,
    check: (bytes) =>
      firstProblem((each) => (each === path ? bytes : log.files.get(each)), head.checkpoint, [path]),
  };
}

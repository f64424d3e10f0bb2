import { randomBytes } from "node:crypto";
import { type FileHandle, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type AccessRecord, accessRoot, type SaltedRecord } from "../core/access-tree.ts";
import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { ProcessLock } from "../store/process-lock.ts";
import { syncFolder } from "./durable-files.ts";

/** Records of one window; a full one is closed at once. */
const MAX_RECORDS = 4096;
const MAX_BYTES = 8 << 20;
const OPEN = "open.jsonl";
const PENDING = ".pending.json";

/** What a service signs about a window, once it is closed. */
export interface AccessWindow {
  /** Hex. */
  root: string;
  from: string;
  to: string;
  count: number;
  refused: number;
}

/** What becomes of a closed window. */
export interface Sealer {
  /** Signs it; the text is kept until it is logged. Quick: nothing is recorded meanwhile. */
  sign(window: AccessWindow): string;
  /** Logs what `sign` gave; called again with the very same text until it once resolved. */
  log(signed: string): Promise<void>;
}

interface Waiting {
  line: string;
  salted: SaltedRecord;
  done(error?: unknown): void;
}

/**
 * Accesses to a service, durable before they are acknowledged, closed into one signed window after about a second.
 * Files of its folder: `open.jsonl`, the records of the window that is still open, one line of JSON with its salt each;
 * `<root>.jsonl`, those of a closed one; `<root>.pending.json`, what was signed about it, until it is logged. A window
 * is signed once: what a crash left to be logged is logged from there.
 */
export class AccessLog {
  readonly #folder: string;
  readonly #sealer: Sealer;
  readonly #spanMs: number;
  readonly #lock: ProcessLock;
  readonly #pending = new Set<string>();
  #file: FileHandle | undefined;
  #records: SaltedRecord[] = [];
  #bytes = 0;
  #refused = 0;
  #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  /** What touches `open.jsonl` waits here for its turn. */
  #turn: Promise<unknown> = Promise.resolve();
  #logging: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  private constructor(folder: string, sealer: Sealer, spanMs: number, lock: ProcessLock) {
    this.#folder = folder;
    this.#sealer = sealer;
    this.#spanMs = spanMs;
    this.#lock = lock;
  }

  /**
   * Opens the log, closes the window that a crash left open and logs what it left to be logged.
   *
   * @param folder made when absent; one process at a time (the service that observes)
   * @param spanMs how long a window stays open, in milliseconds
   * @throws WaybillError WB-STORE-004 another process observes here, WB-STORE-001/002 the folder cannot be written,
   *   WB-STORE-003 its records are damaged
   */
  static async open(folder: string, sealer: Sealer, spanMs = 1000): Promise<AccessLog> {
    makeFolder(folder, { mode: 0o700, hint: "let WAYBILL_HOME name a folder that this user can write" });
    const lock = new ProcessLock(join(folder, "lock"), "the access log");
    const log = new AccessLog(folder, sealer, spanMs, lock);
    try {
      await log.#recover();
    } catch (error) {
      lock.close();
      throw error;
    }
    await log.flush();
    return log;
  }

  /** Resolves once the record is durable; throws WB-STORE-001/002 when it cannot be made so. */
  record(record: AccessRecord): Promise<void> {
    const salted = { salt: randomBytes(16).toString("hex"), record };
    return new Promise((resolve, reject) => {
      const done = (error?: unknown): void => (error === undefined ? resolve() : reject(error));
      this.#queue.push({ line: `${JSON.stringify(salted)}\n`, salted, done });
      this.#writing ??= this.#write();
    });
  }

  /** Counts a refusal of a caller whom nobody knows. A count of its own, lost in a crash. */
  countRefusal(): void {
    this.#refused += 1;
  }

  /** Closes the open window now and waits until it was tried to log it. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#seal();
  }

  /** Closes the open window and the file, and lets others observe here. */
  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close();
    this.#file = undefined;
    this.#lock.close();
  }

  async #recover(): Promise<void> {
    const path = join(this.#folder, OPEN);
    const size = await sizeOf(path);
    if (size > 2 * MAX_BYTES) throw damaged(path, "it is larger than a window can be");
    const lines = size === 0 ? [] : (await readFile(path, "utf8")).split("\n");
    // A line without an end was never acknowledged: the write was cut off.
    const whole = lines.slice(0, -1);
    this.#records = whole.map((line, i) => readRecord(path, line, i + 1));
    if (lines.length > 0 && lines.at(-1) !== "")
      writeFileAtomic(path, whole.map((line) => `${line}\n`).join(""), { mode: 0o600 });
    this.#bytes = await sizeOf(path);
    for (const root of await pendingIn(this.#folder)) {
      this.#pending.add(root);
      if ((await sizeOf(join(this.#folder, `${root}.jsonl`))) > 0) continue;
      // Signed, and killed before the records got their name.
      if (this.#records.length === 0 || rootOf(this.#records) !== root)
        throw damaged(join(this.#folder, `${root}${PENDING}`), "its records are gone");
      await this.#moveRecords(root);
    }
  }

  /** Group commit: what arrives while one fsync runs shares the next. */
  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#exclusively(() => this.#writeBatch(this.#queue.splice(0, MAX_RECORDS)));
      if (this.#records.length >= MAX_RECORDS || this.#bytes >= MAX_BYTES) void this.#seal();
      else if (this.#records.length > 0)
        this.#timer ??= setTimeout(() => void this.#seal(), this.#spanMs).unref();
    }
    this.#writing = undefined;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const text = Buffer.from(batch.map((entry) => entry.line).join(""));
    try {
      if (this.#file === undefined) {
        this.#file = await open(join(this.#folder, OPEN), "a", 0o600);
        await syncFolder(this.#folder);
      }
      await this.#file.appendFile(text);
      await this.#file.datasync();
    } catch (cause) {
      // Half a line must not come before the next one.
      await this.#file?.truncate(this.#bytes).catch(() => {});
      const error = new WaybillError("WB-STORE-001", `cannot write ${join(this.#folder, OPEN)}`, {
        hint: "check the disk; the accesses were not served",
        cause,
      });
      for (const { done } of batch) done(error);
      return;
    }
    this.#bytes += text.length;
    for (const { salted, done } of batch) {
      this.#records.push(salted);
      done();
    }
  }

  async #seal(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // Where it cannot be signed the records stay: the next window, or the next start, holds them too.
    await this.#exclusively(() => this.#closeWindow()).catch(() => {});
    this.#logging = this.#logging.then(() => this.#logPending());
    await this.#logging;
  }

  async #closeWindow(): Promise<void> {
    const records = this.#records;
    if (records.length === 0) return;
    const root = rootOf(records);
    const [from, to] = [records[0]!.record.at, records.at(-1)!.record.at];
    const signed = this.#sealer.sign({ root, from, to, count: records.length, refused: this.#refused });
    writeFileAtomic(join(this.#folder, `${root}${PENDING}`), signed, { mode: 0o600 });
    this.#pending.add(root);
    this.#refused = 0;
    await this.#moveRecords(root);
  }

  async #moveRecords(root: string): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    await rename(join(this.#folder, OPEN), join(this.#folder, `${root}.jsonl`));
    await syncFolder(this.#folder);
    this.#records = [];
    this.#bytes = 0;
  }

  async #logPending(): Promise<void> {
    for (const root of this.#pending) {
      const path = join(this.#folder, `${root}${PENDING}`);
      try {
        await this.#sealer.log(readTextBounded(path, 1 << 16));
        await rm(path, { force: true });
      } catch {
        // It is tried again with the next window, or at the next start.
        return;
      }
      this.#pending.delete(root);
    }
  }

  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

function rootOf(records: readonly SaltedRecord[]): string {
  return Buffer.from(accessRoot(records)).toString("hex");
}

/** Roots of the windows that were signed and perhaps not logged, the oldest first. */
async function pendingIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}\.pending\.json$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => ({ name, at: (await stat(join(folder, name))).mtimeMs })),
  );
  return found.toSorted((a, b) => a.at - b.at).map(({ name }) => name.slice(0, 64));
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (found) => found.size,
    () => 0,
  );
}

function readRecord(path: string, line: string, number: number): SaltedRecord {
  let data: Json;
  try {
    data = parseStrictJson(line, { maxBytes: 1 << 16 });
  } catch (cause) {
    throw damaged(path, `line ${number} is no record`, cause);
  }
  const { salt, record } = data as { salt?: unknown; record?: Partial<AccessRecord> };
  const fields = [record?.at, record?.who, record?.what, record?.object, record?.outcome];
  if (typeof salt !== "string" || !/^[0-9a-f]{32}$/.test(salt) || fields.some((f) => typeof f !== "string"))
    throw damaged(path, `line ${number} is no record`);
  return { salt, record: record as AccessRecord };
}

function damaged(path: string, what: string, cause?: unknown): WaybillError {
  return new WaybillError("WB-STORE-003", `${path} is damaged: ${what}`, {
    hint: `move it aside; the accesses of that second are then not in the journal`,
    cause,
  });
}

import { randomBytes } from "node:crypto";
import { type FileHandle, open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { type AccessRecord, accessRoot, type SaltedRecord } from "../core/access-tree.ts";
import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";

/** Records of one window; a full one is closed at once. */
const MAX_RECORDS = 4096;
const MAX_BYTES = 8 << 20;
const OPEN = "open.jsonl";

/** What a service signs about a window, once it is closed. */
export interface AccessWindow {
  /** Hex. */
  root: string;
  from: string;
  to: string;
  count: number;
  refused: number;
}

/**
 * Accesses to a service, durable before they are acknowledged, closed into one signed window after about a second.
 * Files of its folder: `open.jsonl`, the records of the window that is still open; `<root>.jsonl`, those of a closed
 * one. A record is one line of JSON with its salt.
 */
export class AccessLog {
  readonly #folder: string;
  readonly #seal: (window: AccessWindow) => Promise<void>;
  readonly #spanMs: number;
  #file: FileHandle | undefined;
  #records: SaltedRecord[] = [];
  #bytes = 0;
  #refused = 0;
  #queue: { line: string; salted: SaltedRecord; done: (error?: unknown) => void }[] = [];
  #writing: Promise<void> | undefined;
  #closing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  private constructor(folder: string, seal: (window: AccessWindow) => Promise<void>, spanMs: number) {
    this.#folder = folder;
    this.#seal = seal;
    this.#spanMs = spanMs;
  }

  /**
   * Opens the log and closes the window that a crash left open: its records are all there is of it.
   *
   * @param folder made when absent; one process at a time (the service that observes)
   * @param seal signs the window and has it logged; called again with the same window after a crash
   * @param spanMs how long a window stays open, in milliseconds
   * @throws WaybillError WB-STORE-001/002 the folder cannot be written, WB-STORE-003 its records are damaged
   */
  static async open(
    folder: string,
    seal: (window: AccessWindow) => Promise<void>,
    spanMs = 1000,
  ): Promise<AccessLog> {
    makeFolder(folder, { mode: 0o700, hint: "let WAYBILL_HOME name a folder that this user can write" });
    const log = new AccessLog(folder, seal, spanMs);
    await log.#recover();
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

  /** Closes the open window now and waits until it is sealed. */
  async flush(): Promise<void> {
    await this.#writing;
    await this.#close();
  }

  /** Closes the open window and the file. */
  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close();
    this.#file = undefined;
  }

  async #recover(): Promise<void> {
    const path = join(this.#folder, OPEN);
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (size === 0) return;
    if (size > 2 * MAX_BYTES) throw damaged(path, "it is larger than a window can be");
    const lines = (await readFile(path, "utf8")).split("\n");
    // A line without an end was never acknowledged: the write was cut off.
    const whole = lines.slice(0, -1);
    this.#records = whole.map((line, i) => readRecord(path, line, i + 1));
    if (lines.at(-1) !== "")
      writeFileAtomic(path, whole.map((line) => `${line}\n`).join(""), { mode: 0o600 });
    await this.#close();
  }

  /** Group commit: what arrives while one fsync runs shares the next. */
  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#closing;
      const batch = this.#queue.splice(0, MAX_RECORDS);
      try {
        this.#file ??= await open(join(this.#folder, OPEN), "a", 0o600);
        const text = batch.map((entry) => entry.line).join("");
        await this.#file.appendFile(text);
        await this.#file.datasync();
        this.#bytes += text.length;
        for (const { salted } of batch) this.#records.push(salted);
        for (const { done } of batch) done();
      } catch (cause) {
        const error = new WaybillError("WB-STORE-001", `cannot write ${join(this.#folder, OPEN)}`, {
          hint: "check the disk; the accesses were not served",
          cause,
        });
        for (const { done } of batch) done(error);
      }
      if (this.#records.length >= MAX_RECORDS || this.#bytes >= MAX_BYTES) void this.#close();
      else this.#timer ??= setTimeout(() => void this.#close(), this.#spanMs).unref();
    }
    this.#writing = undefined;
  }

  #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#closing = this.#closing.then(() => this.#sealOpen());
    return this.#closing;
  }

  async #sealOpen(): Promise<void> {
    const records = this.#records;
    if (records.length === 0) return;
    const root = Buffer.from(accessRoot(records)).toString("hex");
    try {
      await this.#seal({
        root,
        from: records[0]!.record.at,
        to: records.at(-1)!.record.at,
        count: records.length,
        refused: this.#refused,
      });
    } catch {
      // The records stay where they are: the next window, or the next start, holds them too.
      return;
    }
    await this.#file?.close();
    this.#file = undefined;
    await rename(join(this.#folder, OPEN), join(this.#folder, `${root}.jsonl`));
    this.#records = [];
    this.#bytes = 0;
    this.#refused = 0;
  }
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

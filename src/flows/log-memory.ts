import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "../core/canonical-json.ts";
import { type Hex, isHex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { checkpointSize } from "../journal/fsck-head.ts";
import { JOURNAL_FOLDER } from "../journal/journal.ts";
import { openReader } from "../journal/open-reader.ts";
import { parseBundle } from "../sign/bundle.ts";
import type { LogFacts, SeenHead } from "../verify/log-step.ts";
import type { BundleText } from "../verify/signed.ts";

const MAX_HEAD_BYTES = 4096;

/** The only names in the folder that are heads: a killed door leaves others, and so does an agent called "logs". */
const HEAD_FILE = /^[0-9a-f]{64}\.json$/;

/** Sizes for which proofs are made: a hostile folder must not ask for thousands, nor crowd out what others ask for. */
const [MAX_SIZES, MAX_SIZES_OF_ONE] = [128, 2];

/** Heads of logs that the doors of this machine have accepted: one small file a log in `HOME/doors/logs`. */
export class LogMemory {
  readonly #folder: string;
  readonly #home: string;

  /** @param home Waybill's home folder */
  constructor(home: string) {
    this.#home = home;
    this.#folder = join(home, "doors", "logs");
  }

  /**
   * What is remembered, with the proofs that this machine's own journal can give between that and the sizes that the
   * bundles name.
   *
   * @throws WaybillError WB-STORE-003 what is remembered cannot be read
   */
  async facts(bundles: readonly BundleText[]): Promise<LogFacts> {
    const names = existsSync(this.#folder) ? readdirSync(this.#folder) : [];
    const remembered = names.filter((name) => HEAD_FILE.test(name)).map((name) => this.#read(name));
    return { remembered, ...(await this.#proofs(remembered, sizesOf(bundles))) };
  }

  /** Keeps heads in place of smaller ones; throws WB-STORE-001 or WB-STORE-002. */
  keep(heads: readonly SeenHead[]): void {
    for (const head of heads) {
      makeFolder(this.#folder, {
        mode: 0o700,
        hint: "let WAYBILL_HOME name a folder that this user can write",
      });
      const name = `${head.logId}.json`;
      // Another door may have seen more of it meanwhile.
      if (existsSync(join(this.#folder, name)) && this.#read(name).size >= head.size) continue;
      writeFileAtomic(join(this.#folder, name), `${JSON.stringify(head)}\n`, { mode: 0o600 });
    }
  }

  #read(name: string): SeenHead {
    const path = join(this.#folder, name);
    try {
      const data: Json = parseStrictJson(readTextBounded(path, MAX_HEAD_BYTES), { maxBytes: MAX_HEAD_BYTES });
      const { origin, logId, size, root } = data as { [key: string]: Json };
      if (typeof origin !== "string" || typeof logId !== "string" || typeof root !== "string")
        throw new TypeError("a field is missing");
      if (!isHex(logId) || name !== `${logId}.json` || !isHex(root)) throw new TypeError("not a head");
      if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw new TypeError("no size");
      return { origin, logId, size, root };
    } catch (cause) {
      throw new WaybillError(
        "WB-STORE-003",
        `${path} cannot be read: what this door saw of a log is not known`,
        {
          hint: "restore it; removing it lets a rewritten log through once",
          cause,
        },
      );
    }
  }

  /** Only this machine's journal is asked: a door never goes to the network by itself. */
  async #proofs(
    remembered: readonly SeenHead[],
    sizes: ReadonlyMap<Hex, Set<number>>,
  ): Promise<Pick<LogFacts, "own" | "proofs">> {
    const folder = join(this.#home, JOURNAL_FOLDER);
    const proofs: { logId: Hex; from: number; to: number; proof: readonly Uint8Array[] }[] = [];
    if (sizes.size === 0 || !existsSync(folder)) return { proofs };
    const reader = attempt(() => openReader(folder));
    if (!reader) return { proofs };
    const { logId } = reader.key;
    const { origin, size: whole, root } = reader.checkpoint();
    const own = { origin, logId, size: whole, root: Buffer.from(root).toString("hex") };
    const base = remembered.find((head) => head.logId === logId)?.size ?? whole;
    for (const size of [...(sizes.get(logId) ?? [])].slice(0, MAX_SIZES)) {
      const [from, to] = size < base ? [size, base] : [base, size];
      if (from === 0 || from === to) continue;
      const proved = await attempt(() => reader.proveConsistency(from, to));
      if (proved) proofs.push({ logId, from, to, proof: proved.proof });
    }
    return { own, proofs };
  }
}

/** A journal that cannot prove something leaves the question open; `fsck` says what is wrong with it. */
function attempt<T>(work: () => Promise<T>): Promise<T | undefined>;
function attempt<T>(work: () => T): T | undefined;
function attempt<T>(work: () => T | Promise<T>): T | Promise<T | undefined> | undefined {
  const forgive = (error: unknown): undefined => {
    if (!(error instanceof WaybillError)) throw error;
  };
  try {
    const result = work();
    return result instanceof Promise ? result.catch(forgive) : result;
  } catch (error) {
    return forgive(error);
  }
}

/** Tree sizes that log entries in bundles name, by log; nothing is verified here. */
function sizesOf(bundles: readonly BundleText[]): Map<Hex, Set<number>> {
  const sizes = new Map<Hex, Set<number>>();
  for (const { text, problem } of bundles) {
    const bundle = problem === undefined ? parseBundle(text) : { problem };
    if ("problem" in bundle) continue;
    const asked = new Map<Hex, number>();
    for (const entry of bundle.logEntries) {
      // The checkpoint's own word: what stands beside it may be left out.
      const size = checkpointSize(entry.proof?.checkpoint);
      const logId = entry.logId.toString("hex");
      const before = asked.get(logId) ?? 0;
      if (size === 0 || before >= MAX_SIZES_OF_ONE) continue;
      asked.set(logId, before + 1);
      sizes.set(logId, (sizes.get(logId) ?? new Set()).add(size));
    }
  }
  return sizes;
}

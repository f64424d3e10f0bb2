import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { Rule } from "../core/finding.ts";
import { parseTilePath, TILE_WIDTH, tileWidth } from "../core/tlog-tiles.ts";
import { Sequencer, type SequencerState } from "../store/sequencer.ts";
import type { Head } from "./fsck-head.ts";
import { loadFrontier } from "./publish.ts";
import { digestOf } from "./rebuild.ts";
import { JOURNAL_RULES } from "./rules.ts";

const FILE = "journal.sqlite";

/** Holds a journal's database against its files. Without a database everything else is checked all the same. */
export class DatabaseCheck {
  readonly notes: string[] = [];
  readonly #add: (message: string) => void;
  #sequencer: Sequencer | undefined;
  #state: SequencerState | undefined;
  #rows = new Map<number, { leaf: Hex; digest: string }>();
  #pending = new Map<number, { leaf: Hex; body: string }>();

  constructor(folder: string, add: (rule: Rule, path: string | undefined, message: string) => void) {
    this.#add = (message) => add(JOURNAL_RULES.database, FILE, message);
    const path = join(folder, FILE);
    if (!existsSync(path)) {
      this.notes.push(`${FILE}: not there; the next append makes it again from the files`);
      return;
    }
    try {
      this.#sequencer = new Sequencer(path, { readOnly: true });
    } catch (error) {
      this.#add((error as Error).message);
    }
    this.#try((sequencer) => {
      for (const line of sequencer.integrity()) this.#add(line);
      sequencer.beginSnapshot();
      this.#state = sequencer.state();
      if (!this.#state) this.#add("it names no journal");
    });
  }

  /** What the database had committed when the check began. */
  get state(): SequencerState | undefined {
    return this.#state;
  }

  /**
   * Compares its head with the checkpoint's.
   *
   * @param published size of the checkpoint that is in its file by now: a writer may have gone on
   */
  begin(head: Head, published: () => number): void {
    const state = this.#state;
    if (!state) return;
    if (state.logId !== head.logId) this.#add("it belongs to another key");
    if (state.published > state.size) this.#add("it says that more is published than there is");
    if (state.size < head.size) this.#add(`it knows ${state.size} entries, the checkpoint has ${head.size}`);
    if (state.published > head.size && published() < state.published)
      this.#add(`it says that ${state.published} entries are published, the checkpoint has ${head.size}`);
    this.#try((sequencer) => {
      const rootAt = (size: number) => Buffer.from(loadFrontier(sequencer, size).root());
      if (rootAt(state.size).toString("hex") !== state.root) this.#add("its entries do not give its root");
      // Of what is published already it keeps only the edge.
      if (state.published <= head.size && head.size < state.size && !rootAt(head.size).equals(head.root))
        this.#add(`it has another root for size ${head.size}`);
      if (head.size === state.size && state.root !== Buffer.from(head.root).toString("hex"))
        this.#add("it has another root than the checkpoint");
    });
    if (state.published <= head.size && head.size < state.size)
      this.notes.push(
        `${state.size - head.size} entries are committed and not yet published; the next append does it`,
      );
  }

  /** Compares one entry of the files. Indexes come in order. */
  entry(index: number, leaf: Hex, body: string): void {
    if (!this.#sequencer || !this.#state) return;
    if (index % TILE_WIDTH === 0)
      this.#try((sequencer) => {
        const found = sequencer.indexed(index, index + TILE_WIDTH);
        this.#rows = new Map(found.map((row) => [row.index, row]));
        this.#pending = new Map(sequencer.pending(index, index + TILE_WIDTH).map((row) => [row.index, row]));
      });
    if (!this.#sequencer) return;
    const row = this.#rows.get(index);
    const pending = this.#pending.get(index);
    if (row?.leaf !== leaf || row.digest !== digestOf(body)) this.#add(`entry ${index} is indexed wrongly`);
    if (pending && (pending.leaf !== leaf || pending.body !== body))
      this.#add(`entry ${index} is another one in it`);
  }

  /** Looks for entries that it indexes and does not have; what is asked from here on is of the moment of asking. */
  finish(): void {
    this.#try((sequencer) => {
      const count = sequencer.indexedCount();
      if (this.#state && count !== this.#state.size)
        this.#add(`it indexes ${count} entries of ${this.#state.size}`);
      sequencer.endSnapshot();
    });
  }

  /** The index that it gives a leaf, also of an entry that is newer than the check. */
  indexOfLeaf(leaf: Hex): number | undefined {
    return this.#try((sequencer) => sequencer.indexOfLeaf(leaf));
  }

  /** True for a tile that follows from entries that are committed and not under the checkpoint yet. */
  explainsTile(path: string): boolean {
    const tile = parseTilePath(path);
    const size = this.#try((sequencer) => sequencer.state()?.size);
    if ("problem" in tile || size === undefined) return false;
    return tile.width <= tileWidth(tile.level === "entries" ? 0 : tile.level, tile.index, size);
  }

  close(): void {
    this.#sequencer?.close();
  }

  /** A damaged database is a finding, once, and not asked any more. */
  #try<T>(work: (sequencer: Sequencer) => T): T | undefined {
    if (!this.#sequencer) return undefined;
    try {
      return work(this.#sequencer);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      this.#add(error.message);
      this.#sequencer.close();
      this.#sequencer = undefined;
      return undefined;
    }
  }
}

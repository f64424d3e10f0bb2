import type { Journal } from "../journal/journal.ts";
import type { SignedCheckpoint } from "../journal/reader.ts";
import { type Cosigned, cosignJournal, witnessNotes } from "./cosign-journal.ts";
import type { NamedWitness } from "./witnesses.ts";

/** Least time from one round to the next, in milliseconds. */
const ROUND_MS = 1000;

/** How long a witness is waited for: clients of Rekor wait 20 s for an answer. */
const ASK_MS = 5000;

/** How long one that did not answer is left alone, in milliseconds: nobody waits for it each time. */
const REST_MS = 30_000;

interface Waiting {
  index: number;
  resolve(checkpoint: SignedCheckpoint | undefined): void;
}

/**
 * Has the checkpoint of a journal that is served cosigned after it was published, by whatever process, at most about
 * once a second.
 */
export class CosignRounds {
  readonly #home: string;
  readonly #journal: Journal;
  readonly #witnesses: readonly NamedWitness[];
  readonly #say: (line: string) => void;
  readonly #stop = new AbortController();
  readonly #poll: NodeJS.Timeout;
  #waiting: Waiting[] = [];
  #round: Promise<void> | undefined;
  #began = Number.NEGATIVE_INFINITY;
  #done: number | undefined;
  /** By key: not asked before this moment. */
  readonly #resting = new Map<string, number>();
  #said = "";

  constructor(
    home: string,
    journal: Journal,
    witnesses: readonly NamedWitness[],
    say: (line: string) => void,
  ) {
    this.#home = home;
    this.#journal = journal;
    this.#witnesses = witnesses;
    this.#say = say;
    this.#poll = setInterval(() => this.#look(), ROUND_MS).unref();
    this.#look();
  }

  /** A checkpoint that contains the entry, with the cosignatures that could be had; undefined where none could. */
  covering(index: number): Promise<SignedCheckpoint | undefined> {
    return new Promise((resolve) => {
      this.#waiting.push({ index, resolve });
      this.#start();
    });
  }

  /** Ends the round that is under way; who waits gets the checkpoint as it is. */
  async close(): Promise<void> {
    clearInterval(this.#poll);
    this.#stop.abort(new Error("the service ends"));
    await this.#round;
  }

  #look(): void {
    try {
      const rested = [...this.#resting.values()].some((until) => until <= performance.now());
      if (rested || this.#journal.checkpoint().size !== this.#done) this.#start();
    } catch (error) {
      this.#tell([(error as Error).message]);
    }
  }

  #start(): void {
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined;
    });
  }

  async #rounds(): Promise<void> {
    do {
      const pause = this.#began + ROUND_MS - performance.now();
      if (pause > 0 && !this.#stop.signal.aborted)
        await new Promise((resolve) => {
          const timer = setTimeout(resolve, pause);
          this.#stop.signal.addEventListener("abort", () => {
            clearTimeout(timer);
            resolve(undefined);
          });
        });
      await this.#one();
    } while (this.#waiting.length > 0);
  }

  async #one(): Promise<void> {
    this.#began = performance.now();
    let checkpoint: SignedCheckpoint | undefined;
    try {
      const options = { timeoutMs: ASK_MS, signal: this.#stop.signal };
      const asked = this.#witnesses.filter(({ key }) => (this.#resting.get(key) ?? 0) <= this.#began);
      const cosigned = await cosignJournal(this.#home, this.#journal, asked, options);
      checkpoint = cosigned.checkpoint;
      this.#done = checkpoint.size;
      if (!this.#stop.signal.aborted) this.#heard(asked, cosigned);
    } catch (error) {
      this.#tell([(error as Error).message]);
    }
    const covered = this.#waiting.filter(({ index }) => checkpoint === undefined || index < checkpoint.size);
    this.#waiting = this.#waiting.filter((each) => !covered.includes(each));
    for (const { resolve } of covered) resolve(checkpoint);
  }

  /** Lets those rest who gave neither a cosignature nor a reason that is the log's own. */
  #heard(asked: readonly NamedWitness[], { checkpoint, results }: Cosigned): void {
    results.forEach(({ line, seen }, i) => {
      const { key } = asked[i]!;
      if (line === undefined && seen === undefined) this.#resting.set(key, performance.now() + REST_MS);
      else this.#resting.delete(key);
    });
    const notes = witnessNotes(results, checkpoint.size);
    if (notes.length > 0 || this.#resting.size === 0) this.#tell(notes);
  }

  /** What lasts is said once. */
  #tell(lines: readonly string[]): void {
    const text = lines.join("\n").replace(/\d+/g, "#");
    if (text !== this.#said) for (const line of lines) this.#say(line);
    this.#said = text;
  }
}

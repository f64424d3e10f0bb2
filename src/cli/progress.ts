import type { HashProgress } from "../hash/pool.ts";
import type { Io } from "./io.ts";

/** A progress line on a terminal: what, how much, how fast, how long still. Erased when done. */
export class ProgressLine {
  readonly #io: Io;
  readonly #label: string;
  readonly #start = performance.now();
  #shown = false;

  constructor(io: Io, label: string) {
    this.#io = io;
    this.#label = label;
  }

  /** Give this to whoever hashes; shows nothing within the first 300 ms, nor without a terminal. */
  readonly update = (progress: HashProgress): void => {
    const elapsed = performance.now() - this.#start;
    if (!this.#io.interactive || elapsed < 300) return;
    this.#shown = true;
    this.#io.err(`\r\u001b[2K${progressText(this.#label, progress, elapsed)}`);
  };

  /** Erases the line. */
  done(): void {
    if (this.#shown) this.#io.err("\r\u001b[2K");
    this.#shown = false;
  }
}

/** The text of a progress line. Takes the time since the start in ms. */
export function progressText(label: string, progress: HashProgress, elapsed: number): string {
  const { bytesDone, bytesTotal, filesDone, filesTotal } = progress;
  const rate = bytesDone / (elapsed / 1000);
  const left = rate > 0 ? Math.ceil((bytesTotal - bytesDone) / rate) : 0;
  const cells = 20;
  const full = bytesTotal === 0 ? cells : Math.round((bytesDone / bytesTotal) * cells);
  const bar = `${"█".repeat(full)}${"░".repeat(cells - full)}`;
  return `${label}  ${bar}  ${bytes(bytesDone)}/${bytes(bytesTotal)}  ${filesDone}/${filesTotal} files  ${bytes(rate)}/s  ${left} s left`;
}

/** A size in decimal units, as disks and networks count. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]}`;
}

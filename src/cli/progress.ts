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
    this.#io.err(`\r\u001b[2K${progressText(this.#label, progress, elapsed, this.#io.width)}`);
  };

  /** Erases the line. */
  done(): void {
    if (this.#shown) this.#io.err("\r\u001b[2K");
    this.#shown = false;
  }
}

/**
 * The text of a progress line, never longer than the terminal is wide: a line that wraps cannot be erased.
 *
 * @param elapsed since the start, in ms
 * @param width columns
 */
export function progressText(label: string, progress: HashProgress, elapsed: number, width: number): string {
  const { bytesDone, bytesTotal, filesDone, filesTotal } = progress;
  const rate = elapsed > 0 ? bytesDone / (elapsed / 1000) : 0;
  const left = rate > 0 ? Math.max(0, Math.ceil((bytesTotal - bytesDone) / rate)) : undefined;
  const cells = 20;
  const full = bytesTotal === 0 ? cells : Math.min(cells, Math.round((bytesDone / bytesTotal) * cells));
  const bar = `${"█".repeat(full)}${"░".repeat(cells - full)}`;
  const parts = [
    label,
    `${bytes(bytesDone)}/${bytes(bytesTotal)}`,
    `${filesDone}/${filesTotal} files`,
    `${bytes(rate)}/s`,
    ...(left === undefined ? [] : [`${left} s left`]),
  ];
  const withBar = parts.toSpliced(1, 0, bar).join("  ");
  return withBar.length < width ? withBar : parts.join("  ").slice(0, width - 1);
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

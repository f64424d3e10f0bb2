import { type BigIntStats, statSync } from "node:fs";
import { WaybillError } from "../core/errors.ts";
import type { Trust } from "../verify/trust.ts";
import { currentTrust } from "./operator-trust.ts";

/**
 * An operator's trust policy for a service that lives long: read again when its file changes. A new file that cannot be
 * gone by (broken, replayed, not signed by its roots, gone) leaves the old policy in force, which ends at its own
 * `expires`, and is said once.
 */
export class WatchedTrust {
  readonly #file: string;
  readonly #home: string;
  readonly #now: () => Date;
  readonly #say: (line: string) => void;
  #stamp: string;
  #trust: Trust;

  /** @throws WaybillError as `currentTrust`: a service does not begin with a policy that it cannot go by */
  constructor(options: { file: string; home: string; now: () => Date; say: (line: string) => void }) {
    this.#file = options.file;
    this.#home = options.home;
    this.#now = options.now;
    this.#say = options.say;
    this.#stamp = stampOf(this.#file);
    this.#trust = currentTrust(this.#file, { home: this.#home, now: this.#now() });
  }

  /** The policy that holds now; looks at the file's times and size each time. */
  current(): Trust {
    const stamp = stampOf(this.#file);
    if (stamp === this.#stamp) return this.#trust;
    this.#stamp = stamp;
    try {
      this.#trust = currentTrust(this.#file, { home: this.#home, now: this.#now() });
      this.#say(`trust policy version ${this.#trust.version} is in force`);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      this.#say(
        `the changed trust policy is not taken, version ${this.#trust.version} stays in force: ${error.message}`,
      );
    }
    return this.#trust;
  }
}

/** Another text whenever the file may be another one; links are followed, as when it is read. */
function stampOf(file: string): string {
  let found: BigIntStats | undefined;
  try {
    found = statSync(file, { bigint: true, throwIfNoEntry: false });
  } catch {
    // It cannot be looked at: reading it will say why.
  }
  return found ? [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(" ") : "gone";
}

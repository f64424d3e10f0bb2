import { readdirSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { MAX_BUNDLE_BYTES } from "../sign/bundle.ts";
import type { BundleText } from "../verify/signed.ts";

/**
 * What this machine's doors remember: the channel statements they have accepted, per agent and target, so that
 * an older one put back later is refused. Whole bundles are kept, not numbers: they are verified again with
 * today's trust each time, so that a statement by a key since revoked loses its hold.
 */
export class DoorMemory {
  readonly #home: string;

  /** @param home Waybill's home folder */
  constructor(home: string) {
    this.#home = home;
  }

  /** The bundles kept for an agent at a target; throws WB-STORE-003 when one cannot be read. */
  recall(agent: string, target: string): BundleText[] {
    const folder = this.#folder(agent, target);
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw damaged(folder, error);
    }
    return names
      .filter((name) => name.endsWith(".sigstore.json"))
      .map((name) => {
        try {
          return { file: join(folder, name), text: readTextBounded(join(folder, name), MAX_BUNDLE_BYTES) };
        } catch (cause) {
          throw damaged(join(folder, name), cause);
        }
      });
  }

  /** Keeps bundles beside what is kept already; throws WB-STORE-001 or WB-STORE-002. */
  keep(agent: string, target: string, bundles: readonly BundleText[]): void {
    const folder = this.#folder(agent, target);
    for (const { text } of bundles) {
      makeFolder(folder, { mode: 0o700, hint: "let WAYBILL_HOME name a folder that this user can write" });
      writeFileAtomic(join(folder, `${sha256(text)}.sigstore.json`), text, { mode: 0o600 });
    }
  }

  #folder(agent: string, target: string): string {
    return join(this.#home, "doors", agent, target);
  }
}

function damaged(path: string, cause: unknown): WaybillError {
  return new WaybillError("WB-STORE-003", `${path} cannot be read: what this door remembers is not known`, {
    hint: "restore it; removing it lets older channel statements through again",
    cause,
  });
}

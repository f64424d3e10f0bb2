import { readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { MAX_YAML_BYTES } from "../core/yaml-source.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { parseTrust, type Trust } from "../verify/trust.ts";
import type { TrustVersions } from "../verify/trust-version.ts";

const VERSION_FILE = /^v([1-9]\d{0,15})\.yaml$/;

/**
 * Which version of each trust policy this machine's doors accepted last, as a whole: its roots sign the next one,
 * and a lower one is refused. `HOME/doors/trust/<SHA-256 of the path>/v<version>.yaml`; a version has a file of its
 * own, so that two doors at work at once can never lower what is remembered.
 *
 * A policy goes by the path that the operator names, links not followed: a folder of versions with a link to the
 * current one (and every Kubernetes ConfigMap is such) has another real path for every version.
 */
export class TrustMemory {
  readonly #folder: string;

  /**
   * @param home Waybill's home folder
   * @param file the policy as the operator names it
   */
  constructor(home: string, file: string) {
    // No target of an agent called "trust" has a name of 64 characters in hex: names end at 64, and so do these,
    // but what lies in them differs: `*.sigstore.json` there, `v*.yaml` here.
    this.#folder = join(home, "doors", "trust", sha256(resolve(file)));
  }

  /** The version accepted last; throws WB-STORE-003 when it cannot be read. */
  recall(): Trust | undefined {
    for (let tries = 1; ; tries += 1) {
      const highest = this.#versions()[0];
      if (highest === undefined) return undefined;
      const path = join(this.#folder, `v${highest}.yaml`);
      try {
        const trust = parseTrust(readTextBounded(path, MAX_YAML_BYTES), path);
        if (trust.version !== highest) throw new Error(`it holds version ${trust.version}`);
        return trust;
      } catch (cause) {
        // Another door may have put a higher version in its place since the folder was listed.
        const gone = cause instanceof WaybillError && cause.code === "WB-INPUT-001";
        if (!gone || tries === 3) throw damaged(path, cause);
      }
    }
  }

  /** Remembers a version and forgets those below it; throws WB-STORE-001 or WB-STORE-002. */
  keep(policy: Trust): void {
    makeFolder(this.#folder, {
      mode: 0o700,
      hint: "let WAYBILL_HOME name a folder that this user can write",
    });
    writeFileAtomic(join(this.#folder, `v${policy.version}.yaml`), policy.source.text, { mode: 0o600 });
    for (const version of this.#versions())
      if (version < policy.version) rmSync(join(this.#folder, `v${version}.yaml`), { force: true });
  }

  /** Every version that is there, the highest first. */
  #versions(): number[] {
    try {
      return readdirSync(this.#folder)
        .flatMap((name) => VERSION_FILE.exec(name)?.[1] ?? [])
        .map(Number)
        .toSorted((a, b) => b - a);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw damaged(this.#folder, error);
    }
  }
}

function damaged(path: string, cause: unknown): WaybillError {
  return new WaybillError(
    "WB-STORE-003",
    `${path} cannot be read: which trust policy this door accepted last is not known`,
    { hint: "restore it; removing it lets older trust policies through again", cause },
  );
}

/**
 * Keeps an accepted policy as the one accepted last; where it cannot be kept, says so instead of failing the door.
 *
 * @returns notes for people
 */
export function rememberTrust(
  { policy, file }: { policy?: Trust; file?: string },
  versions: TrustVersions | undefined,
  home: string,
): string[] {
  if (!policy || file === undefined || versions?.remembered?.digest === policy.digest) return [];
  try {
    new TrustMemory(home, file).keep(policy);
    return [];
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    return [
      `this door cannot remember version ${policy.version} of the trust policy: only its end, ${policy.expires}, keeps an older one out`,
    ];
  }
}

import { randomBytes, randomInt } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { isGone, type Owner, ourselves, readIfThere } from "./owner.ts";
import { runningProcesses } from "./processes.ts";
import { rootBase } from "./run-folder.ts";
import type { UserRange } from "./users.ts";

/** A user that no other run and no other process has, until it is given back. */
export interface OwnUser {
  user: number;
  giveBack(): void;
}

/** So many users are tried at most. */
const MAX_TRIES = 100_000;

/**
 * Takes a user out of ranges that no process runs as and no other run has taken. A run's claim is a file
 * `UID.RANDOM` with the record of its process, below /run/waybill; that of a process that is gone counts no more.
 *
 * @throws WaybillError WB-INPUT-014 when all are in use, WB-STORE-001 when claims cannot be kept
 */
export function takeUser(ranges: readonly UserRange[]): OwnUser {
  const folder = claimFolder();
  const inUse = new Set([...usersOfProcesses(), ...claims(folder).map(({ user }) => user)]);
  for (const user of candidates(ranges)) {
    if (inUse.has(user)) continue;
    const path = claim(folder, user);
    const giveBack = () => rmSync(path, { force: true });
    // Two that claim one user at the same moment see each other here, and both go on.
    if (claims(folder).filter((other) => other.user === user).length === 1 && !usersOfProcesses().has(user))
      return { user, giveBack };
    giveBack();
  }
  const shown = ranges.map(({ first, last }) => `${first}-${last}`).join(",");
  throw new WaybillError("WB-INPUT-014", `no user of ${shown} is free for this run`, {
    hint: "name more users in WAYBILL_USERS, or end what runs as them",
  });
}

function claimFolder(): string {
  const [base] = rootBase();
  if (base === undefined)
    throw new WaybillError("WB-STORE-001", "/run/waybill cannot be used to give each run its own user", {
      hint: "let root alone write to /run/waybill, or name one user in start.user and WAYBILL_USERS",
    });
  const folder = join(base, "users");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  return folder;
}

/** Writes a claim, whole as soon as it can be seen; its name is nobody else's, so removing it is safe. */
function claim(folder: string, user: number): string {
  const name = `${user}.${randomBytes(8).toString("hex")}`;
  const draft = join(folder, `.${name}`);
  try {
    writeFileSync(draft, JSON.stringify(ourselves()), { flag: "wx", mode: 0o600 });
    renameSync(draft, join(folder, name));
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  return join(folder, name);
}

/** The claims that stand; those of processes that are gone are removed. */
function claims(folder: string): { user: number }[] {
  return readdirSync(folder).flatMap((name) => {
    const user = /^(\d+)\./.exec(name)?.[1];
    if (user === undefined) return [];
    const record = readIfThere(join(folder, name));
    if (record === undefined) return [];
    if (!gone(record)) return [{ user: Number(user) }];
    rmSync(join(folder, name), { force: true });
    return [];
  });
}

function gone(record: string): boolean {
  try {
    return isGone(JSON.parse(record) as Owner);
  } catch {
    // Damaged: that its process is gone is not known.
    return false;
  }
}

function usersOfProcesses(): Set<number> {
  return new Set(runningProcesses().flatMap(({ users }) => users));
}

/** All users of the ranges, beginning anywhere: runs that start together rarely want the same one. */
function* candidates(ranges: readonly UserRange[]): Generator<number> {
  const total = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const start = randomInt(total);
  for (let i = 0; i < Math.min(total, MAX_TRIES); i += 1) {
    let at = (start + i) % total;
    for (const { first, last } of ranges) {
      if (at <= last - first) {
        yield first + at;
        break;
      }
      at -= last - first + 1;
    }
  }
}

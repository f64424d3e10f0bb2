import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { isGone, type Owner, ourselves, readIfThere } from "./owner.ts";
import { impassableFolder, replaceable } from "./reach.ts";

/**
 * Places for private copies. Each run has one folder, `BASE/waybill-run-XXXXXX`, with `owner`, a record of the
 * process that made it, and `copy`, the agent's files. A folder whose owner is gone is removed by the next run.
 */
const PREFIX = "waybill-run-";
const RECORD = "owner";

/** The base for root: emptied at boot, and no other user can create or rename anything in it. */
const ROOT_BASE = "/run/waybill";

/** A folder without a record is being made or was left half made: it is stale after this many milliseconds. */
const UNRECORDED_MS = 10 * 60_000;

/**
 * Makes a fresh folder, closed to everyone else, for a copy of so many bytes, and removes what crashed runs
 * left beside it. Without an explicit base it takes the first one that has the space, lets programs be
 * executed and can be reached by the user that the agent runs as.
 *
 * @param need bytes of the copy, with a block for each file
 * @param user the agent's user where it is not our own
 * @param runDir the value of WAYBILL_RUN_DIR, if any
 * @throws WaybillError WB-STORE-001; an error with a code for a full disk
 */
export function makeRunFolder(need: number, user: number | undefined, runDir: string | undefined): string {
  const base = runDir ? explicitBase(runDir) : chooseBase(need, user);
  removeStale(base);
  const folder = mkdtempSync(join(base, PREFIX));
  try {
    writeFileSync(join(folder, RECORD), JSON.stringify(ourselves()), { flag: "wx", mode: 0o600 });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return folder;
}

/**
 * Removes a run's folder, whatever modes the folders in it have. Links in it are removed, not followed. False
 * when something is left: how the agent ended matters more, so this does not throw.
 */
export function removeRunFolder(folder: string): boolean {
  try {
    makeWritable(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    return true;
  } catch {
    return false;
  }
}

function makeWritable(folder: string): void {
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) makeWritable(join(folder, entry.name));
  }
}

function explicitBase(runDir: string): string {
  const path = resolve(runDir);
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    const base = realpathSync(path);
    refuseOpenBase(base);
    return base;
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    throw new WaybillError("WB-STORE-001", `WAYBILL_RUN_DIR ${path} cannot be used`, {
      hint: "name a folder, on a disk with room for the agent, that waybill can create folders in",
      cause,
    });
  }
}

/**
 * Where somebody else can rename what is in the base, they can put another folder in the place of a verified
 * copy. What lies further up is only graded (`replaceable`): in a container it is often not ours to change.
 */
function refuseOpenBase(base: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, mode } = lstatSync(base);
  const open = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  if (uid === 0 && !open) return;
  const why = uid === 0 ? "is writable for others and not sticky" : `belongs to uid ${uid}`;
  throw new WaybillError("WB-STORE-001", `WAYBILL_RUN_DIR ${base} ${why}: a copy in it could be replaced`, {
    hint: "name a folder that belongs to root and that root alone can write to, for example one inside of it",
  });
}

function chooseBase(need: number, user: number | undefined): string {
  const bases = [...(process.getuid?.() === 0 ? rootBase() : []), realpathSync(tmpdir())];
  const good = bases.find((base) => {
    const { bavail, bsize } = statfsSync(base);
    if (bavail * bsize < need || isNoExec(base)) return false;
    return user === undefined || impassableFolder(join(base, PREFIX), user) === undefined;
  });
  // When none will do, the copy or the start of the program says why, with the path.
  return good ?? bases[0]!;
}

/** The base for root where it is safe, else nothing. */
export function rootBase(): string[] {
  try {
    mkdirSync(ROOT_BASE, { recursive: true, mode: 0o755 });
    const base = realpathSync(ROOT_BASE);
    if (lstatSync(base).uid !== 0 || replaceable(base) !== undefined) return [];
    chmodSync(base, 0o755);
    return [base];
  } catch {
    return [];
  }
}

/** True where the file system of a real path is mounted without execution, as /run is on many systems. */
function isNoExec(path: string): boolean {
  let best = { length: -1, noexec: false };
  for (const line of (readIfThere("/proc/self/mountinfo") ?? "").split("\n")) {
    const [, , , , point, flags] = line.split(" ");
    if (point === undefined || flags === undefined) continue;
    const within = path === point || path.startsWith(point.endsWith("/") ? point : `${point}/`);
    // The last of equals is the one on top.
    if (within && point.length >= best.length)
      best = { length: point.length, noexec: flags.split(",").includes("noexec") };
  }
  return best.noexec;
}

/** Removes the folders of runs that are over. Nothing here keeps a run from starting: errors are passed over. */
function removeStale(base: string): void {
  const us = process.getuid?.();
  // Where somebody else can exchange folders between our look and our removal, nothing is removed.
  if (us === 0 && replaceable(join(base, PREFIX)) !== undefined) return;
  for (const name of readdirSync(base)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(base, name);
    try {
      const stat = lstatSync(folder);
      if (!stat.isDirectory() || (us !== undefined && stat.uid !== us)) continue;
      const record = readIfThere(join(folder, RECORD));
      const stale =
        record === undefined
          ? Date.now() - stat.ctimeMs > UNRECORDED_MS
          : isGone(JSON.parse(record) as Owner);
      if (stale) removeRunFolder(folder);
    } catch {
      // Somebody else is removing it, or its record is damaged: not ours to judge.
    }
  }
}

import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { WaybillError } from "../core/errors.ts";
import { CHUNK_SIZE } from "../core/tree.ts";
import { copyHashed } from "../hash/copy.ts";
import { judgeLink } from "../hash/links.ts";
import type { Claim } from "./claims.ts";
import {
  type CheckedPlan,
  type CopyPlan,
  type CopyRefusal,
  checkPlan,
  type PlannedFile,
  refusal,
} from "./copy-plan.ts";
import { type OwnUser, takeUser } from "./own-user.ts";
import { replaceable } from "./reach.ts";
import { makeRunFolder, removeRunFolder } from "./run-folder.ts";
import { AGENT_GROUP, chooseUser } from "./users.ts";

export type { CopyPlan, CopyRefusal, PlannedFile } from "./copy-plan.ts";
export { DEFAULT_USER } from "./users.ts";

/** So many files are copied at a time: small ones are mostly waiting. */
const AT_A_TIME = 4;

export interface CopyOptions {
  /** Where copies are made; default WAYBILL_RUN_DIR, else /run/waybill for root, else the temporary folder. */
  runDir?: string;
  /** The users that the operator allows, see `chooseUser`; default WAYBILL_USERS. */
  users?: string | undefined;
  /** Ends the copy and removes it; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** A copy of a release that holds exactly its bytes. */
export interface PrivateCopy {
  ok: true;
  /** Absolute real path of the copy: the agent's folder and the working folder of its process. */
  folder: string;
  /** The user that the process must run as; absent when it is our own. */
  user?: number;
  /** No other process runs as that user, and no other run will. */
  userAlone: boolean;
  /** What the copy is worth. */
  claim: Claim;
  files: number;
  bytes: number;
  /** Removes the copy and gives the user back. False when something of it could not be removed; a later run tries again. */
  dispose(): boolean;
}

/**
 * Copies a release to where nobody but us can change it, so that what was verified is what runs, whatever
 * happens to the agent's folder meanwhile. Every file is hashed as it is written and compared with the plan:
 * the first that differs ends the copy. Files get mode 0444 or 0555, folders 0555, links come last.
 *
 * As root the copy belongs to root, and only root and the agents' group can enter it: the process, which runs as
 * a user in that group, cannot write, remove or replace anything. Other agents of this machine have the group
 * too and can read the copy, if they find it: a release is protected, it is no secret. Otherwise the process runs as we do and could, and the
 * claim says `process-mutable`. Nothing is linked, mounted or shared with the source.
 *
 * @returns the copy, or which path is not the release's; then nothing is left of it
 * @throws WaybillError WB-STORE-002 for a full disk, WB-STORE-001 for another error in writing and for a
 * WAYBILL_RUN_DIR that others can change, WB-INPUT-014 for a declared user that we cannot or must not become;
 * nothing is left of the copy
 */
export async function makePrivateCopy(
  plan: CopyPlan,
  options: CopyOptions = {},
): Promise<PrivateCopy | CopyRefusal> {
  options.signal?.throwIfAborted();
  const choice = chooseUser(plan.user, "users" in options ? options.users : process.env.WAYBILL_USERS);
  const checked = checkPlan(plan);
  if (!checked.ok) return checked;
  let run: string | undefined;
  let taken: OwnUser | undefined;
  const dispose = () => {
    taken?.giveBack();
    return run === undefined || removeRunFolder(run);
  };
  try {
    if ("oneOf" in choice) taken = takeUser(choice.oneOf);
    const user = "user" in choice ? choice.user : taken?.user;
    const need = checked.bytes + (checked.files.length + checked.folders.length) * 4096;
    run = makeRunFolder(need, user, options.runDir ?? process.env.WAYBILL_RUN_DIR);
    const folder = join(run, "copy");
    const refused = await fill(folder, plan, checked, options.signal);
    if (refused) {
      dispose();
      return refused;
    }
    const claim = close(run, folder, checked, user);
    return {
      ok: true,
      folder,
      ...(user === undefined ? {} : { user }),
      userAlone: taken !== undefined,
      claim,
      files: checked.files.length,
      bytes: checked.bytes,
      dispose,
    };
  } catch (error) {
    dispose();
    throw storeError(error, run);
  }
}

async function fill(
  folder: string,
  plan: CopyPlan,
  { files, links, folders }: CheckedPlan,
  signal: AbortSignal | undefined,
): Promise<CopyRefusal | undefined> {
  mkdirSync(folder, 0o700);
  for (const path of folders) mkdirSync(join(folder, path), 0o700);
  const refused = await copyFiles(folder, files, signal);
  if (refused) return refused;
  for (const { path, data } of plan.extra) {
    writeFileSync(join(folder, path), data, { flag: "wx", mode: 0o600 });
    chmodSync(join(folder, path), 0o444);
  }
  for (const { path, link } of links) symlinkSync(link, join(folder, path));
  // Judged when all of them are there, as the kernel walks them: one may lead through another.
  const root = realpathSync(folder);
  for (const { path, link } of links) {
    const verdict = judgeLink(join(root, path), path, { root, hub: false });
    if (verdict.is === "problem") return refusal(path, `a link to ${link} in the release`, verdict.detail);
  }
  return undefined;
}

async function copyFiles(
  folder: string,
  files: readonly PlannedFile[],
  signal: AbortSignal | undefined,
): Promise<CopyRefusal | undefined> {
  let next = 0;
  let refused: CopyRefusal | undefined;
  let failed = false;
  const copyNext = async (): Promise<void> => {
    for (let file = files[next]; file && !refused && !failed; file = files[next]) {
      next += 1;
      try {
        const problem = await copyOne(file, folder, signal);
        refused ??= problem;
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  // All must have ended before the folder is removed.
  const ends = await Promise.allSettled(Array.from({ length: AT_A_TIME }, copyNext));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return refused;
}

async function copyOne(
  file: PlannedFile,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<CopyRefusal | undefined> {
  const { path, source, size, executable, sha256, chunks } = file;
  const byChunks = chunks !== undefined && size > CHUNK_SIZE;
  const copied = await copyHashed(source, join(folder, path), {
    size,
    mode: executable ? 0o555 : 0o444,
    want: byChunks || size <= CHUNK_SIZE ? "verify" : "lock",
    ...(signal ? { signal } : {}),
  });
  const expected = byChunks ? `chunk root ${chunks}` : `sha256:${sha256}`;
  if (!copied.ok) return refusal(path, expected, copied.detail);
  const found = byChunks ? `chunk root ${copied.chunks}` : `sha256:${copied.sha256}`;
  return found === expected && copied.size === size ? undefined : refusal(path, expected, found);
}

/** Takes away the right to write, lets the agent's user in, and says what that is worth. */
function close(
  run: string,
  folder: string,
  { folders, files }: CheckedPlan,
  user: number | undefined,
): Claim {
  for (const path of folders.toReversed()) chmodSync(join(folder, path), 0o555);
  chmodSync(folder, 0o555);
  const mutable = (reason: string): Claim => ({
    name: "files",
    holds: true,
    grade: "process-mutable",
    reason,
  });
  if (user === undefined) {
    return mutable("the process runs as the owner of its files: every process of this user can change them");
  }
  try {
    chownSync(run, 0, AGENT_GROUP);
    chmodSync(run, 0o750);
  } catch {
    // Without CAP_CHOWN: everyone may read it, nobody else may write.
    chmodSync(run, 0o755);
  }
  // Looked at, not assumed: some file systems know neither owners nor modes.
  const first = files[0];
  for (const path of [run, folder, ...(first ? [join(folder, first.path)] : [])]) {
    const stat = lstatSync(path);
    if (stat.uid !== 0 || (stat.mode & 0o022) !== 0)
      return mutable(`the file system of ${run} does not keep owners and modes`);
  }
  const risk = replaceable(run);
  if (risk !== undefined) return mutable(risk);
  return {
    name: "files",
    holds: true,
    grade: "kernel-observed",
    reason: `hashed as they were copied, owned by root, read-only; the process runs as uid ${user}`,
  };
}

function storeError(error: unknown, run: string | undefined): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof WaybillError || code === undefined || syscall === undefined) return error;
  const place = run ?? "its folder";
  if (code === "ENOSPC" || code === "EDQUOT")
    return new WaybillError("WB-STORE-002", `no room for the private copy in ${place}`, {
      hint: "free some space, or set WAYBILL_RUN_DIR to a folder on a larger disk",
      cause: error,
    });
  return new WaybillError("WB-STORE-001", `the private copy cannot be written in ${place}`, {
    hint: "set WAYBILL_RUN_DIR to a folder that waybill can write to",
    cause: error,
  });
}

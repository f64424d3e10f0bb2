import { posix } from "node:path";
import { compareUtf8, type Hex } from "../core/digest.ts";
import { pathProblem } from "../core/tree.ts";

/** A verified file, and where its bytes can be read. */
export interface PlannedFile {
  /** POSIX path relative to the agent's folder. */
  path: string;
  /** Absolute path of the bytes. */
  source: string;
  /** In bytes. */
  size: number;
  executable: boolean;
  /** Of the whole file. */
  sha256: Hex;
  /** Root of the chunk tree; for files over 1 MiB. */
  chunks?: Hex;
}

/** What a private copy is made of. Files of two components with one path are one file when they are alike. */
export interface CopyPlan {
  /** The release that all of it belongs to, hex. */
  releaseDigest: Hex;
  files: readonly PlannedFile[];
  /** Links inside the agent's folder: their paths and targets as stored. */
  links: readonly { path: string; link: string }[];
  /** The user that the release declares; where Waybill is root, the operator must allow it. */
  user?: number;
  /** Texts that were verified in memory: waybill.lock. */
  extra: readonly { path: string; data: string | Uint8Array }[];
}

/** A path whose bytes are not the release's, or that cannot be in a copy. Nothing was started. */
export interface CopyRefusal {
  ok: false;
  path: string;
  expected: string;
  found: string;
}

/** A plan without repetitions, with the folders that it needs, parents first. */
export interface CheckedPlan {
  ok: true;
  files: PlannedFile[];
  links: { path: string; link: string }[];
  folders: string[];
  /** Of all files. */
  bytes: number;
}

/**
 * Checks a plan before anything is written: that each path stays inside, is one thing and not two, and is not
 * below a file or a link. Where folders are made and links come last, such paths cannot lead out of the copy.
 */
export function checkPlan(plan: CopyPlan): CheckedPlan | CopyRefusal {
  const seen = new Map<string, string>();
  const files: PlannedFile[] = [];
  const links: { path: string; link: string }[] = [];
  for (const file of plan.files) {
    const what = `${file.executable ? "program" : "file"} ${file.size} ${file.sha256} ${file.chunks ?? ""}`;
    const other = seen.get(file.path);
    if (other !== undefined && other !== what) return twice(file.path, other, what);
    if (other === undefined) files.push(file);
    seen.set(file.path, what);
  }
  for (const { path, link } of plan.links) {
    const what = `link to ${link}`;
    const other = seen.get(path);
    if (other !== undefined && other !== what) return twice(path, other, what);
    if (other === undefined) links.push({ path, link });
    seen.set(path, what);
  }
  for (const { path } of plan.extra) {
    const other = seen.get(path);
    if (other !== undefined) return twice(path, other, "a text of Waybill's own");
    seen.set(path, "text");
  }
  const folders = new Set<string>();
  for (const path of seen.keys()) {
    const problem = pathProblem(path);
    if (problem) return refusal(path, "a path inside the agent's folder", `it is ${problem}`);
    for (let at = posix.dirname(path); at !== "."; at = posix.dirname(at)) {
      const other = seen.get(at);
      if (other !== undefined) return refusal(path, "a path in a folder", `${at} is a ${other}`);
      folders.add(at);
    }
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  // A folder's path is a prefix of those in it, so it comes first.
  return { ok: true, files, links, folders: [...folders].sort(compareUtf8), bytes };
}

export function refusal(path: string, expected: string, found: string): CopyRefusal {
  return { ok: false, path, expected, found };
}

function twice(path: string, expected: string, found: string): CopyRefusal {
  return refusal(path, expected, `also ${found}`);
}

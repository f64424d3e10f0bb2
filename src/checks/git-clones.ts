import { basename, programOf, type ShellCommand, type ShellWord } from "../formats/shell.ts";
import { isCommit } from "./pins.ts";

/** A `git clone` of a remote repository. */
export interface Clone {
  url: ShellWord;
  /** Branch or tag that is asked for. */
  branch: ShellWord | undefined;
  /** True where a commit is asked for or checked out afterwards. */
  pinned: boolean;
}

const VALUED = new Set([
  ...["-b", "--branch", "--depth", "-o", "--origin", "-c", "--config", "--reference", "-j", "--jobs"],
  ...["--revision", "--filter", "--template", "--shallow-since", "-u", "--separate-git-dir"],
]);

/** The clones of a script. A commit checked out before the next clone, or in the clone's folder, pins it. */
export function clonesOf(commands: readonly ShellCommand[]): Clone[] {
  const clones: (Clone & { folder: string })[] = [];
  for (const command of commands) {
    const run = programOf(command);
    if (run?.name !== "git") continue;
    const { verb, args, folder } = gitVerb(run.args);
    if (verb === "clone") {
      const clone = readClone(args);
      if (clone) clones.push(clone);
    } else if (
      /^(?:checkout|reset|switch|fetch|pull)$/.test(verb ?? "") &&
      args.some((word) => isCommit(word.text))
    ) {
      const target =
        folder === undefined ? clones.at(-1) : clones.findLast((c) => basename(folder) === c.folder);
      if (target && verb !== "fetch") target.pinned = true;
    }
  }
  return clones;
}

function gitVerb(words: ShellWord[]): {
  verb: string | undefined;
  args: ShellWord[];
  folder: string | undefined;
} {
  let at = 0;
  let folder: string | undefined;
  while (at < words.length && words[at]!.text.startsWith("-")) {
    const option = words[at]!.text;
    if (option === "-C") folder = words[at + 1]?.text.replace(/\/$/, "");
    at += option === "-C" || option === "-c" ? 2 : 1;
  }
  if (words[at]?.text === "lfs" && words[at + 1]?.text === "clone") at += 1;
  return { verb: words[at]?.text, args: words.slice(at + 1), folder };
}

function readClone(args: ShellWord[]): (Clone & { folder: string }) | undefined {
  let branch: ShellWord | undefined;
  let pinned = false;
  const plain: ShellWord[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const { text } = args[at]!;
    if (/^--branch=/.test(text)) branch = args[at];
    if (isCommit(/^--revision=(.*)$/.exec(text)?.[1])) pinned = true;
    if (!text.startsWith("-")) plain.push(args[at]!);
    else if (VALUED.has(text)) {
      at += 1;
      if (text === "-b" || text === "--branch") branch = args[at];
      if (text === "--revision" && isCommit(args[at]?.text)) pinned = true;
    }
  }
  const [url, folder] = plain;
  if (!url || !/^(?:https?|ssh|git):\/\/|^[\w.-]{1,100}@[\w.-]{1,200}:|\$/.test(url.text)) return undefined;
  return { url, branch, pinned, folder: basename((folder?.text ?? url.text).replace(/\/$|\.git$/, "")) };
}

import { basename } from "../formats/shell.ts";
import { gitReference, isCommit, isExactPep440, isExactSemver, isPinnedImage } from "./pins.ts";

/** A command that fetches a package or image and runs it. */
export interface Launch {
  /** Such as `npx`. */
  tool: string;
  /** Package, image or URL with its version as written. */
  target: string;
  /** Index of the target among the words. */
  at: number;
  /** Why the target may be another one tomorrow; undefined where it is exact. */
  mutable: string | undefined;
  /** How a pinned one is written. */
  pinned: string;
}

const NPM_RUNNERS: readonly (readonly string[])[] = [
  ["npx"],
  ["bunx"],
  ["pnpx"],
  ["pnpm", "dlx"],
  ["yarn", "dlx"],
  ["npm", "exec"],
  ["npm", "x"],
  ["bun", "x"],
];
const PYTHON_RUNNERS: readonly (readonly string[])[] = [["uvx"], ["uv", "tool", "run"], ["pipx", "run"]];
const CONTAINER_RUNNERS: readonly (readonly string[])[] = [
  ["docker", "run"],
  ["podman", "run"],
  ["nerdctl", "run"],
  ["docker", "container", "run"],
];
const SOURCE_OPTIONS = "--from --spec".split(" ");
/** Options of `docker run` without a value; others take the next word when they hold no `=`. */
const CONTAINER_SWITCHES =
  /^(?:-[itdPq]{1,5}|--(?:rm|init|interactive|tty|detach|privileged|read-only|publish-all|no-healthcheck|quiet))$/;

/** Reads a command line as the launch of a fetched package or image; undefined where it is none. */
export function launchOf(words: readonly string[]): Launch | undefined {
  const shellScript = /^(?:sh|bash|zsh|cmd|cmd\.exe|env)$/.test(basename(words[0] ?? "")) ? 1 : 0;
  for (let start = 0; start <= (shellScript ? Math.min(words.length, 8) : 0); start += 1) {
    for (const [runners, read] of READERS) {
      const runner = runners.find((r) => r.every((word, i) => program(words[start + i] ?? "", i) === word));
      if (!runner) continue;
      const from = start + runner.length;
      const found = read(words.slice(from));
      if (found) return { tool: runner.join(" "), ...found, at: from + found.at };
    }
  }
  return undefined;
}

type Read = (args: readonly string[]) => Omit<Launch, "tool"> | undefined;

const READERS: readonly (readonly [readonly (readonly string[])[], Read])[] = [
  [NPM_RUNNERS, npmTarget],
  [PYTHON_RUNNERS, pythonTarget],
  [CONTAINER_RUNNERS, containerTarget],
];

function program(word: string, position: number): string {
  return position === 0 ? basename(word.replaceAll("\\", "/")).replace(/\.(?:exe|cmd)$/i, "") : word;
}

function npmTarget(args: readonly string[]): Omit<Launch, "tool"> | undefined {
  const option = optionValue(args, ["-p", "--package"]);
  const first = option ?? firstPlain(args, new Set(["-p", "--package", "-c", "--call", "-w", "--workspace"]));
  if (!first || /^(?:\.|\/|file:|~)/.test(first.text)) return undefined;
  const { text: target, at } = first;
  const git = gitReference(target);
  if (git) return { target, at, mutable: gitProblem(git), pinned: `${git.url}#<40-hex commit>` };
  if (/^https?:/.test(target))
    return { target, at, mutable: "an archive behind a URL can be replaced", pinned: "name@1.2.3" };
  const cut = target.lastIndexOf("@");
  const name = cut > 0 ? target.slice(0, cut) : target;
  const version = cut > 0 ? target.slice(cut + 1) : undefined;
  return { target, at, mutable: versionProblem(version, isExactSemver), pinned: `${name}@1.2.3` };
}

function pythonTarget(args: readonly string[]): Omit<Launch, "tool"> | undefined {
  const option = optionValue(args, SOURCE_OPTIONS);
  const valued = new Set([
    ...SOURCE_OPTIONS,
    "--with",
    "--python",
    "-p",
    "--index-url",
    "--index",
    "--directory",
  ]);
  const first = option ?? firstPlain(args, valued);
  if (!first || /^(?:\.|\/|file:|~)/.test(first.text)) return undefined;
  const { text: target, at } = first;
  const url = target.includes(" @ ") ? target.slice(target.indexOf(" @ ") + 3) : target;
  const git = gitReference(url);
  if (git) return { target, at, mutable: gitProblem(git), pinned: `${git.url}@<40-hex commit>` };
  if (/^https?:/.test(url))
    return {
      target,
      at,
      mutable: /#sha256=[0-9a-f]{64}$/.test(url) ? undefined : "an archive behind a URL can be replaced",
      pinned: `${url}#sha256=<64 hex>`,
    };
  const split = /^([A-Za-z0-9._-]{1,200}(?:\[[^\]]{0,200}\])?)(?:(?:===?|@)(.{1,200}))?$/.exec(target);
  const version = split?.[2];
  const name = split?.[1] ?? target.slice(0, 100);
  const range = split ? undefined : "a range of versions";
  return { target, at, mutable: range ?? versionProblem(version, isExactPep440), pinned: `${name}==1.2.3` };
}

function containerTarget(args: readonly string[]): Omit<Launch, "tool"> | undefined {
  let at = 0;
  while (at < args.length && args[at]!.startsWith("-")) {
    const word = args[at]!;
    at += CONTAINER_SWITCHES.test(word) || word.includes("=") ? 1 : 2;
  }
  const target = args[at];
  if (target === undefined) return undefined;
  const mutable = isPinnedImage(target) ? undefined : "an image tag can be moved";
  return { target, at, mutable, pinned: `${withoutTag(target)}@sha256:<64 hex>` };
}

/** The repository of an image reference, without tag or digest. */
export function withoutTag(reference: string): string {
  const digest = reference.indexOf("@");
  const bare = digest === -1 ? reference : reference.slice(0, digest);
  const colon = bare.lastIndexOf(":");
  return colon > bare.lastIndexOf("/") ? bare.slice(0, colon) : bare;
}

function gitProblem({ ref }: { ref: string | undefined }): string | undefined {
  if (isCommit(ref)) return undefined;
  return ref === undefined ? "no commit is named" : `'${ref.slice(0, 80)}' is a branch or tag`;
}

function versionProblem(
  version: string | undefined,
  exact: (version: string) => boolean,
): string | undefined {
  if (version === undefined || version === "") return "no version is named";
  return exact(version) ? undefined : `'${version.slice(0, 80)}' is not one version`;
}

function optionValue(
  args: readonly string[],
  names: readonly string[],
): { text: string; at: number } | undefined {
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at]!;
    if (names.includes(word))
      return args[at + 1] === undefined ? undefined : { text: args[at + 1]!, at: at + 1 };
    const name = names.find((n) => word.startsWith(`${n}=`));
    if (name) return { text: word.slice(name.length + 1), at };
    if (!word.startsWith("-")) return undefined;
  }
  return undefined;
}

function firstPlain(
  args: readonly string[],
  valued: ReadonlySet<string>,
): { text: string; at: number } | undefined {
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at]!;
    if (valued.has(word)) at += 1;
    else if (!word.startsWith("-")) return { text: word, at };
  }
  return undefined;
}

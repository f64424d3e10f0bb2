import { dockerInstructions, flagsOf } from "../formats/dockerfile.ts";
import { basename, programOf, type ShellCommand, type ShellWord } from "../formats/shell.ts";
import type { TextFile } from "./check.ts";
import { checksumsIn, type Verified } from "./checksum-commands.ts";
import { clonesOf } from "./git-clones.ts";
import type { Download } from "./model-download.ts";
import { isHub, isModelName, isModelUrl, isPinnedHubUrl, isRepository, nameOf } from "./model-files.ts";
import { isCommit, isPinnedImage } from "./pins.ts";
import { placeIn } from "./places.ts";
import type { ShellSnippet } from "./snippets.ts";

const FETCHERS: Record<string, readonly string[]> = {
  wget: ["-O", "--output-document"],
  curl: ["-o", "--output"],
  aria2c: ["-o", "--out"],
  axel: ["-o", "--output"],
};
/** Options of the hub's tools that take the next word. */
const HUB_OPTIONS = new Set([
  ...["--revision", "--code-revision", "--repo-type", "--local-dir", "--cache-dir", "--include", "--exclude"],
  ...["--token", "--max-workers", "--host", "--port", "--served-model-name", "--tokenizer"],
]);
const HUB_TOOLS = new Set(["hf", "huggingface-cli", "modelscope"]);

/** The downloads of models among shell commands. */
export function shellDownloads(
  { commands, at }: ShellSnippet,
  texts: ReadonlyMap<string, TextFile>,
): Download[] {
  const downloads: Download[] = [];
  const verified = checksumsIn(commands, texts);
  const add = (word: ShellWord, download: Omit<Download, "where">): void => {
    downloads.push({ ...download, where: at(word.offset, word.length) });
  };
  for (const command of commands) {
    const run = programOf(command);
    if (!run) continue;
    const { name, args } = run;
    if (Object.hasOwn(FETCHERS, name))
      for (const [word, found] of fetched(name, args, command, verified)) add(word, found);
    else if (HUB_TOOLS.has(name) && args[0]?.text === "download") hubDownload(args.slice(1), add);
    else if (name === "ollama" && /^(?:pull|run)$/.test(args[0]?.text ?? "")) {
      const model = args.slice(1).find((word) => !word.text.startsWith("-"));
      if (model)
        add(model, {
          what: model.text,
          state: isPinnedImage(model.text) ? "pinned" : "mutable",
          lacks: "an ollama tag can be moved",
          expected: "a model file with its digest in waybill.lock",
          found: model.text,
          fix: "keep the weights as a model component and load them from there: waybill lock",
        });
    } else if (name === "vllm" && args[0]?.text === "serve") hubDownload(args.slice(1), add);
  }
  for (const { url, branch, pinned } of clonesOf(commands)) {
    if (!isHub(url.text)) continue;
    add(branch ?? url, {
      what: url.text,
      state: pinned ? "pinned" : "mutable",
      lacks: branch ? "a branch can be moved" : "no commit is checked out after the clone",
      expected: "git checkout <40-hex commit> after it",
      found: branch?.text ?? "the default branch",
      fix: "git -C FOLDER checkout <40-hex commit>",
    });
  }
  return downloads;
}

/** What wget, curl and the like fetch. */
function fetched(
  tool: string,
  args: ShellWord[],
  command: ShellCommand,
  verified: (name: string, offset: number) => Verified,
): [ShellWord, Omit<Download, "where">][] {
  const output = outputOf(args, FETCHERS[tool]!, command);
  const sum = args
    .map((word) => /^--checksum=sha-?256=([0-9a-f]{64})$/i.exec(word.text)?.[1])
    .find((hex) => hex);
  const found: [ShellWord, Omit<Download, "where">][] = [];
  for (const word of args) {
    const url = word.text.replace(/^--url=/, "");
    if (!/^(?:https?|ftp|s3|gs):\/\/|^\$/.test(url)) continue;
    const saved = output === undefined ? nameOf(url) : basename(output);
    if (!isModelUrl(url) && !(output !== undefined && isModelName(output))) continue;
    const digest = verified(saved, command.offset);
    const pinned = isPinnedHubUrl(url) || sum !== undefined || digest.state === "checked";
    const lacks = shortfall(digest);
    found.push([
      word,
      {
        what: url,
        state: pinned ? "pinned" : "mutable",
        lacks,
        expected: `a 64-hex SHA-256 of ${saved}`,
        found: digest.state === "placeholder" ? digest.text : lacks,
        fix: `echo "<64 hex>  ${saved}" | sha256sum --check   with the digest of the file that was tested`,
      },
    ]);
  }
  return found;
}

function shortfall(digest: Verified): string {
  if (digest.state === "placeholder")
    return `the checksum '${digest.text.slice(0, 80)}' is a placeholder, not 64 hex digits`;
  if (digest.state === "ignored") return "the checksum's failure is ignored";
  if (digest.state === "unread")
    return `the checksums in '${digest.file.slice(0, 80)}' are not a text of this folder`;
  return "no checksum of it is checked afterwards";
}

function outputOf(args: ShellWord[], options: readonly string[], command: ShellCommand): string | undefined {
  for (let i = 0; i < args.length; i += 1) {
    const { text } = args[i]!;
    if (options.includes(text) || (/^-[a-zA-Z]{1,8}$/.test(text) && text.endsWith(options[0]![1]!)))
      return args[i + 1]?.text;
    const long = options.find((option) => option.startsWith("--") && text.startsWith(`${option}=`));
    if (long) return text.slice(long.length + 1);
  }
  return command.writes.map((word) => word.text).find((text) => !/^(?:\/dev\/|\d$)/.test(text));
}

function hubDownload(
  args: ShellWord[],
  add: (word: ShellWord, download: Omit<Download, "where">) => void,
): void {
  const at = args.findIndex((word) => /^--(?:revision|code-revision)(?:=|$)/.test(word.text));
  const option = args[at];
  const revision =
    option &&
    (option.text.includes("=") ? option.text.slice(option.text.indexOf("=") + 1) : args[at + 1]?.text);
  const model = args.findIndex((word) => /^--(?:model|dataset)(?:=|$)/.test(word.text));
  const plain = args.find(
    (word, i) => !word.text.startsWith("-") && !HUB_OPTIONS.has(args[i - 1]?.text ?? ""),
  );
  const named = model === -1 ? plain : args[model]!.text.includes("=") ? args[model] : args[model + 1];
  if (!named) return;
  const name = named.text.replace(/^--(?:model|dataset)=/, "");
  if (!named.dynamic && !isRepository(name)) return;
  const computed = revision?.includes("$") === true;
  add(named, {
    what: name,
    state: isCommit(revision) ? "pinned" : "mutable",
    lacks: computed
      ? `${revision} is not set in this text`
      : revision === undefined
        ? "no revision is named"
        : `'${revision.slice(0, 80)}' is a branch or tag`,
    expected: "--revision <40-hex commit>",
    found: revision === undefined ? "no --revision" : `--revision ${revision}`,
    fix: `add: --revision <40-hex commit>   (git ls-remote https://huggingface.co/${name} HEAD)`,
  });
}

/** `ADD https://…/model.bin`: BuildKit checks a digest that is given by `--checksum`. */
export function dockerAdds(file: TextFile): Download[] {
  return dockerInstructions(file.text).flatMap(({ keyword, body, offset }) => {
    if (keyword !== "ADD") return [];
    const { flags, rest, at } = flagsOf(body);
    const pinned = flags.some(({ text }) => /^--checksum=sha256:[0-9a-f]{64}$/.test(text));
    const words = [...rest.matchAll(/[^\s\\\0"[\],]{1,2048}/g)];
    const target = words.at(-1)?.[0] ?? "";
    return words.slice(0, -1).flatMap((word): Download[] => {
      const url = word[0];
      if (!/^https?:\/\//.test(url) || !(isModelUrl(url) || isModelName(target))) return [];
      return [
        {
          what: url,
          state: pinned || isPinnedHubUrl(url) ? "pinned" : "mutable",
          lacks: "ADD without --checksum",
          expected: "--checksum=sha256:<64 hex>",
          found: "no --checksum",
          fix: `ADD --checksum=sha256:<64 hex> ${url} …`,
          where: placeIn(file, offset + at + word.index, url.length),
        },
      ];
    });
  });
}

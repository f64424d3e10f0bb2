import { basename, programOf, type ShellCommand } from "../formats/shell.ts";
import type { TextFile } from "./check.ts";

/** What a script's checksum commands say of one downloaded file. */
export type Verified =
  | { state: "checked" }
  | { state: "placeholder"; text: string }
  | { state: "ignored" }
  | { state: "unread"; file: string }
  | { state: "absent" };

const SUMS: ReadonlyMap<string, number> = new Map([
  ["sha256sum", 64],
  ["gsha256sum", 64],
  ["sha384sum", 96],
  ["sha512sum", 128],
  ["b2sum", 128],
]);
const HARMLESS = new Set(["true", ":", "echo", "printf"]);

/** The last place at which each kind of statement about a file stands; -1 for none. */
interface Said {
  checked: number;
  ignored: number;
  placeholder: number;
  word: string;
}

/** A list of checksums and the last commands that hold files to it, with and without effect. */
interface List {
  text: string;
  digits: number;
  checked: number;
  ignored: number;
}

/**
 * Reads the checksum commands of a script: `… | sha256sum --check`, here strings and here documents,
 * `sha256sum -c FILE` where FILE is a text of the folder, `[ "$(sha256sum F)" = hex ]`.
 *
 * @returns what they say of the file `name` after the place `offset`
 */
export function checksumsIn(
  commands: readonly ShellCommand[],
  texts: ReadonlyMap<string, TextFile>,
): (name: string, offset: number) => Verified {
  const lists = new Map<string, List>();
  const said = new Map<string, Said>();
  const about = (name: string): Said => {
    const known = said.get(name) ?? { checked: -1, ignored: -1, placeholder: -1, word: "" };
    said.set(name, known);
    return known;
  };
  let unread = { file: "", offset: -1 };
  for (const command of commands) {
    const run = programOf(command);
    if (!run) continue;
    if (run.name === "[" || run.name === "[[" || run.name === "test") {
      for (const name of comparedNames(run.args.map((word) => word.text)))
        about(name).checked = command.offset;
      continue;
    }
    const digits = run.name === "shasum" ? shasumDigits(command) : SUMS.get(run.name);
    const args = run.args.map((word) => word.text);
    if (
      digits === undefined ||
      !args.some((text) => text === "--check" || /^-[a-z]{0,4}c[a-z]{0,4}$/.test(text))
    )
      continue;
    const ignored = command.after === "||" && HARMLESS.has(command.next?.words[0]?.text ?? "");
    for (const { file, text } of listings(command, args, texts)) {
      if (text === undefined) unread = { file, offset: command.offset };
      else {
        const key = file === "-" ? `-${command.offset}:${lists.size}` : `${digits}:${file}`;
        const list = lists.get(key) ?? { text, digits, checked: -1, ignored: -1 };
        list[ignored ? "ignored" : "checked"] = command.offset;
        lists.set(key, list);
      }
    }
  }
  for (const { text, digits, checked, ignored } of lists.values()) {
    for (const { name, hex, word } of listLines(text, digits)) {
      const known = about(name);
      if (!hex) [known.placeholder, known.word] = [Math.max(known.placeholder, checked, ignored), word];
      else {
        known.checked = Math.max(known.checked, checked);
        known.ignored = Math.max(known.ignored, ignored);
      }
    }
  }
  return (name, offset) => {
    const known = said.get(name);
    if (known && known.checked >= offset) return { state: "checked" };
    if (known && known.ignored >= offset) return { state: "ignored" };
    if (known && known.placeholder >= offset) return { state: "placeholder", text: known.word };
    return unread.offset >= offset ? { state: "unread", file: unread.file } : { state: "absent" };
  };
}

/** The files in `[ "$(sha256sum FILE | …)" = <64 hex> ]`. */
function comparedNames(words: readonly string[]): string[] {
  if (!words.some((text) => /^[0-9a-f]{64}(?:\s|$)/i.test(text))) return [];
  const sums = words.filter((text) => /(?:sha256sum|shasum -a ?256|openssl dgst -sha256)\b/.test(text));
  return sums.flatMap((text) => text.split(/[\s'"()|;<]+/).map(basename));
}

function shasumDigits(command: ShellCommand): number | undefined {
  const words = command.words.map((word) => word.text);
  const at = words.findIndex((text) => text === "-a" || text === "--algorithm");
  const bits = at === -1 ? words.map((text) => /^-a(\d{3})$/.exec(text)?.[1]).find((b) => b) : words[at + 1];
  return bits === "256" ? 64 : bits === "512" ? 128 : bits === "384" ? 96 : undefined;
}

/** The checksum lists that a command reads: from the pipe, from here documents, from files. */
function listings(
  command: ShellCommand,
  args: readonly string[],
  texts: ReadonlyMap<string, TextFile>,
): { file: string; text: string | undefined }[] {
  const found: { file: string; text: string | undefined }[] = command.input.map(({ text }) => ({
    file: "-",
    text,
  }));
  const before = command.previous;
  if (before?.after === "|") {
    const words = before.words.map((word) => word.text);
    if (words[0] === "echo" || words[0] === "printf")
      found.push({ file: "-", text: words.slice(1).join(" ").replaceAll("\\n", "\n") });
    found.push(...before.input.map(({ text }) => ({ file: "-", text })));
    if (words[0] === "cat") for (const file of words.slice(1)) found.push(fileText(file, texts));
  }
  const files = args.filter(
    (text, i) => !text.startsWith("-") && !/^-{1,2}(?:a|algorithm)$/.test(args[i - 1] ?? ""),
  );
  for (const file of [...files, ...command.reads.map((word) => word.text)]) found.push(fileText(file, texts));
  return found;
}

function fileText(
  file: string,
  texts: ReadonlyMap<string, TextFile>,
): { file: string; text: string | undefined } {
  const plain = file.replace(/^\.\//, "");
  return { file, text: (texts.get(plain) ?? texts.get(basename(plain)))?.text };
}

/** The lines of a checksum list: the file, whether a whole digest stands before it, and what stands there. */
function listLines(list: string, digits: number): { name: string; hex: boolean; word: string }[] {
  return list.split("\n").flatMap((line) => {
    const words = line
      .trim()
      .split(/\s+/)
      .filter((word) => !/^-[en]{1,2}$|^%s/.test(word));
    const [digest, file] = words;
    if (digest === undefined || file === undefined) return [];
    const hex = /^[0-9a-f]+$/i.test(digest) && digest.length === digits && !/^(.)\1*$/.test(digest);
    return [{ name: basename(file.replace(/^\*/, "")), hex, word: digest }];
  });
}

// Whole sessions as tests. Each *.txt is one: comments (`# …`), `$ command` for a POSIX shell, then what it
// printed: standard output as it is, standard error after `! `, the exit status as `? N` unless it is 0. A line
// of output that looks like one of these is written after a backslash. `-- name --` begins a file that the
// session finds in its folder. `# needs: a b` skips it where a program is missing or the system is another. Beside
// `waybill` and `node` there is `edit SCRIPT FILE`, a portable `sed -i`. UPDATE=1 writes what was
// printed instead of comparing it: read the diff, the text is the product.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { listKeys, loadPublicKey } from "../../src/sign/key-store.ts";

const FIXTURES = import.meta.dirname;
const PROGRAM = fileURLToPath(new URL("../../bin/waybill.js", import.meta.url));
// All sessions share what Node has compiled.
const CACHE = mkdtempSync(join(tmpdir(), "waybill-transcripts-"));
after(() => rmSync(CACHE, { recursive: true, force: true }));
const SPECIAL = /^(?:[$!?#] |-- |\\)/;

interface Step {
  /** Comments and empty lines before the command. */
  before: string[];
  command: string;
  output: string[];
}

/** Takes a session's text apart; everything behind the first `-- name --` is files. */
function parse(text: string): { steps: Step[]; files: Map<string, string>; tail: string } {
  const start = text.search(/^-- \S+ --$/m);
  const [head, tail] = start === -1 ? [text, ""] : [text.slice(0, start), text.slice(start)];
  const steps: Step[] = [];
  let before: string[] = [];
  for (const line of head.trimEnd().split("\n")) {
    if (line.startsWith("$ ")) {
      steps.push({
        before: [...trailingBlanks(steps.at(-1)), ...before],
        command: line.slice(2),
        output: [],
      });
      before = [];
    } else if (line.startsWith("# ") || steps.length === 0 || before.length > 0) before.push(line);
    else steps.at(-1)!.output.push(line);
  }
  const parts = tail.split(/^-- (\S+) --\n/m).slice(1);
  const files = new Map(parts.flatMap((name, i) => (i % 2 === 0 ? [[name, parts[i + 1]!] as const] : [])));
  return { steps, files, tail };
}

/** Empty lines between two commands belong to neither's output. */
function trailingBlanks(step: Step | undefined): string[] {
  const blank: string[] = [];
  while (step?.output.at(-1) === "") blank.push(step.output.pop()!);
  return blank;
}

/** What differs between machines and runs, and what stands for it; everything else must be the same everywhere. */
function rules(root: string): [RegExp, string][] {
  const home = join(root, "home");
  const keys = listKeys(home).map((name) => ({ name, id: loadPublicKey(home, name).keyId }));
  return [
    ...keys.map(({ name, id }): [RegExp, string] => [
      new RegExp(`${id.slice(0, 12)}(${id.slice(12)})?`, "g"),
      `<key ${name}>`,
    ]),
    [new RegExp(RegExp.escape(join(root, "work")), "g"), "<dir>"],
    [new RegExp(RegExp.escape(root), "g"), "<root>"],
    // Dates of other years are part of the session.
    [/\b20(?:2[5-9]|3\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "<date>"],
    [/(?<=-----BEGIN PUBLIC KEY-----(?:\n *|\\n))[\w+/=\s\\]+?(?=(?:\n *|\\n)-----END)/g, "<public key>"],
    [/\bpid \d+\b/g, "pid <pid>"],
    [/\bjournal-[0-9a-f]{8}(?=\.waybill\.local)/g, "<journal>"],
    [/(?<=\bexpired )\d+ [a-z]+(?= ago)/g, "<time>"],
    // Digests of what holds a key, a date or a signature.
    [
      /(?<=version \d+(?: or higher)? {2}|^trust policy .*\n {2})sha256:[0-9a-f]{64}$/gm,
      "<digest of the policy>",
    ],
    [/(?<=\breferrer sha256:)[0-9a-f]{64}/g, "<digest>"],
    [/(?<=does not name its key )[0-9a-f]{12}\b/g, "<hint>"],
    [/\blog\.example\.org\+[0-9a-f]{8}\+[\w+/]{44}/g, "log.example.org+<key>"],
    [/(?<=^— log\.example\.org )\S+$/gm, "<signature>"],
    [/(?<=^log\.example\.org\n\d+\n)\S+$/gm, "<root>"],
    [/(?<=^root {3,10})[0-9a-f]{64}$/gm, "<root>"],
    [/(?<=^(?:leaf|path) {3})[0-9a-f]{64}$/gm, "<digest>"],
    [/(?<=^ {5}\d {2})[0-9a-f]{12}\b/gm, "<leaf>"],
    [/(?<=\benvelopes\/)[0-9a-f]{2}\/[0-9a-f]{64}/g, "<digest>"],
    [/(?<=\bby log\.example\.org )[0-9a-f]{8}\b/g, "<id>"],
    // What can be claimed depends on who runs the tests, and on how soon the process ended.
    [/^ {2}[✔◌] (\S+) +(?:kernel-observed|process-mutable|unobservable) .*$/gm, "  <claim> $1"],
  ];
}

async function run(command: string, root: string): Promise<string[]> {
  const bin = join(root, "bin");
  const env = {
    PATH: `${bin}${delimiter}${process.env.PATH}`,
    FIXTURES,
    HOME: join(root, "home"),
    WAYBILL_HOME: join(root, "home"),
    WAYBILL_PASSPHRASE: "test",
    NO_COLOR: "1",
    TZ: "UTC",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    NODE_COMPILE_CACHE: CACHE,
  };
  const child = spawn("sh", ["-c", command], {
    cwd: join(root, "work"),
    env,
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: a command that hangs is ended with all that it has started.
    detached: true,
  });
  const timer = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), 60_000);
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      said[stream] += text;
    });
  const status = await new Promise((resolve) => child.on("close", (code, signal) => resolve(code ?? signal)));
  clearTimeout(timer);
  const clean = (text: string) => rules(root).reduce((all, [what, name]) => all.replace(what, name), text);
  const lines = (text: string) => (text === "" ? [] : clean(text).trimEnd().split("\n"));
  return [
    ...lines(said.stdout).map((line) => (SPECIAL.test(line) ? `\\${line}` : line)),
    ...lines(said.stderr).map((line) => `! ${line}`.trimEnd()),
    ...(status === 0 ? [] : [`? ${status}`]),
  ];
}

async function play(file: string): Promise<void> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "waybill-transcript-")));
  try {
    // The agents of some sessions run as another user.
    chmodSync(root, 0o755);
    for (const folder of ["home", "work", "bin"]) mkdirSync(join(root, folder));
    writeFileSync(join(root, "bin/waybill"), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`);
    writeFileSync(
      join(root, "bin/edit"),
      '#!/bin/sh\nsed "$1" "$2" > "$2.new" && cat "$2.new" > "$2" && rm "$2.new"\n',
    );
    for (const program of ["waybill", "edit"]) chmodSync(join(root, "bin", program), 0o755);
    symlinkSync(process.execPath, join(root, "bin/node"));
    const { steps, files, tail } = parse(readFileSync(file, "utf8"));
    for (const [name, text] of files) writeFileSync(join(root, "work", name), text);
    let text = "";
    for (const { before, command, output } of steps) {
      const found = await run(command, root);
      text += [...before, `$ ${command}`, ...found, ""].join("\n");
      if (!process.env.UPDATE) assert.deepEqual(found, output, `$ ${command}`);
    }
    if (process.env.UPDATE) writeFileSync(file, tail ? `${text}\n${tail}` : text);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

suite("transcripts", { concurrency: 4, skip: process.platform === "win32" }, () => {
  for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith(".txt"))) {
    const file = join(FIXTURES, name);
    const needs = /^# needs: (.+)$/m.exec(readFileSync(file, "utf8"))?.[1]?.split(" ") ?? [];
    const missing = needs.find(
      (need) => need !== process.platform && spawnSync("sh", ["-c", `command -v ${need}`]).status !== 0,
    );
    test(name, { skip: missing === undefined ? false : `there is no ${missing}` }, () => play(file));
  }
});

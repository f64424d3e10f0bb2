import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
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
import { basename, delimiter, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DEFAULT_USER } from "../src/act/private-copy.ts";
import { impassableFolder } from "../src/act/reach.ts";

// Every command of README.md that stands in a `console` block is run, in order, in a copy of the example, and must
// print what the block shows. There `…` stands for anything on its line, and a line of `…` for any lines. A command
// that ends in `&` goes on running. `sh` blocks are not run: they may hold only the commands listed here.

const ROOT = join(import.meta.dirname, "..");
const EXAMPLE = join(ROOT, "examples/support-agent");
const NOT_RUN = [
  "npm ci && npm start",
  "npm ci && npm test",
  "npm ci && npm run build && npm pack && npm install --global ./waybill-0.1.0.tgz",
];
const PATIENCE_MS = 60_000;

interface Step {
  command: string;
  /** What is printed, line by line. */
  expected: string[];
}

const readme = readFileSync(join(ROOT, "README.md"), "utf8");

/** The fenced blocks of a page, by their language. */
function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text!);
}

function stepsOf(block: string): Step[] {
  const steps: Step[] = [];
  for (const line of block.trimEnd().split("\n")) {
    if (line.startsWith("$ ")) steps.push({ command: line.slice(2), expected: [] });
    else steps.at(-1)!.expected.push(line);
  }
  return steps;
}

/** Matches what is shown; the end only where the command has ended. */
function pattern(expected: readonly string[], ended: boolean): RegExp {
  const lines = expected.map((line) => {
    if (line === "…") return "(?:.*\\n)*?";
    return `${line
      .trimEnd()
      .split("…")
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
      .join(".*")}[ ]*\\n`;
  });
  return new RegExp(`^${lines.join("")}${ended ? "$" : ""}`);
}

let temp = "";
const background: ChildProcess[] = [];

before(() => {
  temp = mkdtempSync(join(tmpdir(), "waybill-readme-"));
  // Where Waybill is root the agent runs as another user, who must get at node.
  chmodSync(temp, 0o755);
  const bin = join(temp, "bin");
  mkdirSync(bin, { mode: 0o755 });
  const node = realpathSync(process.execPath);
  const reachable = process.getuid?.() !== 0 || impassableFolder(node, DEFAULT_USER) === undefined;
  if (reachable) symlinkSync(node, join(bin, "node"));
  else copyFileSync(node, join(bin, "node"));
  const shim = `#!/bin/sh\nexec node "${join(ROOT, "bin/waybill.js")}" "$@"\n`;
  writeFileSync(join(bin, "waybill"), shim, { mode: 0o755 });
  const made = ["model", "image", "node_modules", "waybill.lock", "waybill.evidence", ".waybill"];
  cpSync(EXAMPLE, join(temp, "support-agent"), {
    recursive: true,
    filter: (source) => dirname(source) !== EXAMPLE || !made.includes(basename(source)),
  });
});

after(async () => {
  for (const child of background) {
    const gone = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, "exit");
    process.kill(-child.pid!, "SIGTERM");
    await gone;
  }
  rmSync(temp, { recursive: true, force: true });
});

/** Runs a command line; `$?` in it is the status of the last one. */
async function run({ command, expected }: Step, last: number): Promise<{ output: string; status: number }> {
  const goesOn = command.endsWith(" &");
  const line = goesOn ? `exec ${command.slice(0, -2)}` : command;
  const child = spawn("sh", ["-c", `exec 2>&1; (exit ${last}); ${line}`], {
    cwd: join(temp, "support-agent"),
    env: {
      PATH: [join(temp, "bin"), process.env.PATH].join(delimiter),
      HOME: temp,
      WAYBILL_HOME: join(temp, "home"),
      WAYBILL_PASSPHRASE: "only for this test",
      PORT: "0",
    },
    stdio: ["ignore", "pipe", "inherit"],
    detached: goesOn,
    timeout: goesOn ? undefined : PATIENCE_MS,
  });
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const ended = once(child, "close") as Promise<[number | null]>;
  if (!goesOn) return { status: (await ended)[0] ?? -1, output };
  background.push(child);
  const end = Date.now() + PATIENCE_MS;
  while (!pattern(expected, false).test(output) && child.exitCode === null && Date.now() < end)
    await sleep(20);
  return { output, status: 0 };
}

test("the commands of the README print what it shows", { skip: process.platform === "win32" }, async () => {
  const steps = blocks(readme, "console").flatMap(stepsOf);
  assert.ok(steps.length > 8);
  let last = 0;
  for (const step of steps) {
    const { output, status } = await run(step, last);
    last = status;
    const expected = pattern(step.expected, !step.command.endsWith(" &"));
    // Two texts, so that a failure shows where they part.
    if (!expected.test(output)) assert.equal(output, `${step.expected.join("\n")}\n`, step.command);
  }
});

test("commands that are not run are listed by name", () => {
  assert.deepEqual(
    blocks(readme, "sh").map((block) => block.trim()),
    NOT_RUN,
  );
  const languages = [...readme.matchAll(/^```(\w+)$/gm)].map(([, name]) => name);
  assert.deepEqual(new Set(languages), new Set(["sh", "console", "yaml"]));
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  assert.ok(NOT_RUN.at(-1)!.endsWith(`waybill-${version}.tgz`));
});

test("every link of the root pages leads to something", () => {
  const folders = [".", "docs", "docs/formats", "bench", "examples/support-agent"];
  const pages = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name)),
  );
  assert.ok(pages.includes("README.md"));
  const broken = pages.flatMap((page) => {
    const text = existsSync(join(ROOT, page)) ? readFileSync(join(ROOT, page), "utf8") : "";
    const prose = text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
    return [...prose.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !existsSync(join(ROOT, dirname(page), decodeURI(target))))
      .map((target) => `${page}: ${target}`);
  });
  assert.deepEqual(broken, []);
});

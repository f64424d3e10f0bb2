import { createHash } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { paintFor } from "../src/cli/io.ts";
import { renderFinding } from "../src/cli/render/finding.ts";
import { shortDigest } from "../src/core/digest.ts";
import type { Verdict } from "../src/core/verdict.ts";
import { flip, tamperings } from "./start/tampering.ts";
import { Workplace } from "./start/workplace.ts";

// npm start: takes the example agent from its dataset to a running, verified API, then shows that it is refused
// when any byte changes. `--once` ends by itself. Everything lies in a temporary folder and is removed again.

const once = process.argv.includes("--once");
const paint = paintFor(process.stdout.isTTY === true, process.env);
const place = new Workplace();
let agent: ReturnType<Workplace["start"]> | undefined;

process.on("exit", () => {
  agent?.kill("SIGKILL");
  place.remove();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop());

try {
  await main();
} catch (error) {
  console.error(paint("red", error instanceof Error ? error.message : String(error)));
  process.exit(1);
}

async function main(): Promise<void> {
  console.log(paint("bold", "from weights to a running, verified API\n"));
  step("train", () => {
    place.script("training/train.ts", ["--dataset", "dataset", "--out", "model"]);
    const first = fileDigest("model/intent.safetensors");
    place.script("training/train.ts", ["--dataset", "dataset", "--out", "model"]);
    const second = fileDigest("model/intent.safetensors");
    if (first !== second) throw new Error("two trainings gave two models");
    return `the same model twice: sha256:${shortDigest(first)}`;
  });
  step("test", () => place.script("tests/behaviour/run.ts", []));
  step(
    "image",
    () => `OCI layout ${shortDigest(place.script("scripts/build-image.ts", ["--out", "image"]))}`,
  );
  const release = step("lock", () => {
    const { release: digest, files } = JSON.parse(place.must(["lock", "--format", "json"])) as {
      release: string;
      files: number;
    };
    return [digest, `${files} files pinned into ${digest}`] as const;
  });
  step("sign", () => {
    place.must(["keys", "create"]);
    writeFileSync(place.trust, place.must(["keys", "show", "--trust"]));
    place.must(["sign"]);
    place.must(["channel", "allow"]);
    return "release and channel, with a key that the operator's trust policy names";
  });
  step("verify", () => place.must(["verify", "--level", "strict"]).split("\n")[0]!);
  const url = await startAgent();
  await ask(url, release);
  const rows = refusals(release);
  table(rows);
  console.log(`\nthe agent is still running: ${paint("bold", url)}   try  curl ${url}/healthz`);
  if (once) await stop();
  else console.log("Ctrl-C stops it");
}

/** Does one step and prints how long it took; the work gives the words to print, and a value where it has one. */
function step<T>(name: string, work: () => string | readonly [T, string]): T {
  const start = performance.now();
  const result = work();
  const [value, words] = typeof result === "string" ? [undefined as T, result] : result;
  line("✔", name, words, performance.now() - start);
  return value;
}

function line(sign: string, name: string, words: string, ms: number): void {
  const time = `${(ms / 1000).toFixed(1)} s`.padStart(6);
  console.log(`${paint(sign === "✔" ? "green" : "red", sign)} ${name.padEnd(8)} ${time}  ${words}`);
}

/** Starts the agent under `waybill run` and waits for the address that it prints. */
async function startAgent(): Promise<string> {
  const start = performance.now();
  const child = place.start(["--level", "strict"]);
  agent = child;
  let talk = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    talk += text;
  });
  const ended = new Promise<never>((_, reject) => {
    child.once("exit", (code) =>
      reject(new Error(`the agent ended with ${code} before it listened\n${talk}`)),
    );
  });
  ended.catch(() => {});
  const listening = (async () => {
    for await (const text of createInterface({ input: child.stdout })) {
      const said = text.startsWith("{") ? (JSON.parse(text) as { msg?: string; url?: string }) : {};
      if (said.msg === "listening" && said.url) return said.url;
    }
    throw new Error("the agent closed its output before it listened");
  })();
  const url = await Promise.race([listening, ended]);
  child.stdout.resume();
  line("✔", "run", `listening at ${url}`, performance.now() - start);
  for (const claim of talk.split("\n").filter((text) => /^ +[✔◌]/.test(text)))
    console.log(`                   ${claim.trim()}`);
  return url;
}

async function ask(url: string, release: string): Promise<void> {
  const start = performance.now();
  const health = (await (await fetch(`${url}/healthz`)).json()) as { release: string | null };
  if (health.release !== release) throw new Error(`the agent says that it runs ${health.release}`);
  const question = "Are there nuts in any of your teas?";
  const response = await fetch(`${url}/ask`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ question }),
  });
  const { answer } = (await response.json()) as { answer: string };
  line("✔", "ask", `${question}\n                   ${answer}`, performance.now() - start);
}

/** One refusal for the table. */
interface Refusal {
  what: string;
  path: string;
  code: string;
  where: string;
  status: number;
  ms: number;
}

/** Changes one byte of each kind and one setting in a scratch copy; `waybill run` must refuse each time. */
function refusals(release: string): Refusal[] {
  const scratch = join(place.root, "scratch");
  cpSync(place.agent, scratch, { recursive: true });
  console.log(
    paint("bold", `\none byte of each kind, and one setting, changed in a copy of ${shortDigest(release)}\n`),
  );
  return tamperings(scratch).map((tampering, i) => {
    flip(scratch, tampering);
    const start = performance.now();
    const { status, stderr, stdout } = place.waybill(
      ["run", "--level", "strict", "--format", "json"],
      scratch,
    );
    const ms = performance.now() - start;
    flip(scratch, tampering);
    const { verdict } = JSON.parse(stderr) as { verdict?: Verdict };
    const finding = verdict?.blocking.find((f) => f.path === tampering.path);
    if (status !== 125 || stdout !== "" || !finding)
      throw new Error(`${tampering.path} was changed and not refused: status ${status}\n${stderr}`);
    const sources = new Map([["waybill.yaml", readFileSync(join(scratch, "waybill.yaml"), "utf8")]]);
    const text = renderFinding(finding, { paint, width: 100, severity: "error", sources });
    console.log(i === 0 ? text : text.slice(0, text.indexOf("\n why ") + 1));
    const where = finding.where ? `${finding.where.file}:${finding.where.line}` : "";
    return { what: tampering.what, path: tampering.path, code: finding.code, where, status, ms };
  });
}

function table(rows: readonly Refusal[]): void {
  const cells = rows.map((row) => [
    row.what,
    row.path.length > 34 ? `${row.path.slice(0, 33)}…` : row.path,
    row.code,
    row.where,
    `refused (${row.status})`,
    `${(row.ms / 1000).toFixed(2)} s`,
  ]);
  const head = ["changed", "file", "finding", "declared at", "waybill run", "time"];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const print = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  console.log(paint("bold", print(head)));
  for (const row of cells) console.log(print(row));
  console.log(paint("green", `\n✔ ${rows.length} of ${rows.length} refused; the command never ran`));
}

function fileDigest(path: string): string {
  return createHash("sha256")
    .update(readFileSync(join(place.agent, path)))
    .digest("hex");
}

/** Ends the agent as a supervisor would, and then this process. */
async function stop(): Promise<void> {
  const child = agent;
  if (child && child.exitCode === null && child.signalCode === null) {
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await gone;
  }
  process.exit(0);
}

// The main job for real: scripts/start.ts as a child, as `npm start` runs it, with no terminal.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const ROOT = join(import.meta.dirname, "..");
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "waybill-start-test-")));
// The agent runs as another user where we are root, and must be able to pass through.
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A main job that was started, with a temporary folder of its own. */
class Job {
  readonly place = mkdtempSync(join(scratch, "job-"));
  readonly temp = join(this.place, "tmp");
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[], repository = ROOT) {
    chmodSync(this.place, 0o755);
    mkdirSync(this.temp);
    chmodSync(this.temp, 0o755);
    this.child = spawn(process.execPath, [join(repository, "scripts/start.ts"), ...args], {
      cwd: repository,
      // The agent inherits PATH: by it every process of this job is known. Nothing lies there.
      env: { PATH: `${process.env.PATH}${delimiter}${this.place}/mark`, TMPDIR: this.temp },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.child, "close");
  }

  /** Waits until standard output holds a line. */
  async says(line: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = line.exec(this.stdout);
      if (match) return match;
      assert.equal(this.child.exitCode, null, this.stdout + this.stderr);
      await sleep(50);
    }
  }

  /** Processes of this job beside its own, with their working folders; Linux alone shows them. */
  processes(): { pid: string; cwd: string }[] {
    if (process.platform !== "linux") return [];
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && name !== String(this.child.pid))
      .flatMap((pid) => {
        try {
          const isOurs = readFileSync(`/proc/${pid}/environ`, "utf8").includes(`${this.place}/mark`);
          return isOurs ? [{ pid, cwd: readlinkSync(`/proc/${pid}/cwd`) }] : [];
        } catch {
          return []; // gone, or another user's
        }
      });
  }

  leftNothing(): void {
    assert.deepEqual(readdirSync(this.temp), []);
    assert.deepEqual(this.processes(), []);
  }
}

/** Each change that the job shows: what, its file, the code, and the text of the line that declares it. */
const REFUSALS = [
  ["model", "model/intent.safetensors", "WB-MODEL-001", "path: model"],
  ["dataset", "dataset/intents.jsonl", "WB-DATA-001", "path: dataset"],
  ["prompt", "prompts/system.md", "WB-PROMPT-001", "path: prompts/system.md"],
  ["tool", "tools/helpdesk/tools.json", "WB-TOOL-001", "path: tools/helpdesk"],
  ["corpus", "corpus/returns.md", "WB-CORPUS-001", "path: corpus"],
  ["code", "src/agent.ts", "WB-CODE-001", "path: ."],
  ["dependencies", "package-lock.json", "WB-DEPS-001", "paths: [package-lock.json, eval/requirements.txt]"],
  ["image", "image/blobs/sha256/", "WB-IMAGE-001", "path: image"],
  ["infra", "deploy/deployment.yaml", "WB-INFRA-001", "paths: [Dockerfile, deploy, ci]"],
  ["setting", "waybill.yaml", "WB-LOCK-003", "LOG_LEVEL: info"],
] as const;

const LISTENING = /the agent is still running: (http:\/\/127\.0\.0\.1:\d+) /;
const LOCKED = /^✔ lock .* files pinned into sha256:([0-9a-f]{64})$/m;

// Two cores: one job on each.
suite("npm start", { concurrency: 2, skip: process.platform === "win32" }, () => {
  test("--once trains, tests, locks, signs, verifies, starts, asks, shows ten refusals, and ends with 0", async () => {
    const job = new Job(["--once"]);
    await job.ended;
    assert.equal(job.child.exitCode, 0, job.stdout + job.stderr);
    assert.equal(job.stderr, "");
    const steps = job.stdout.match(/^✔ \w+/gm)!.slice(0, 8);
    assert.deepEqual(
      steps.map((step) => step.slice(2)),
      ["train", "test", "image", "lock", "sign", "verify", "run", "ask"],
    );
    assert.match(job.stdout, LOCKED);
    assert.match(job.stdout, /^✔ ask .*nuts.*\n +.*almond/m);

    const manifest = readFileSync(join(ROOT, "examples/support-agent/waybill.yaml"), "utf8").split("\n");
    const rows = [...job.stdout.matchAll(/^(\w+) +(\S+) +(WB-\w+-\d+) +(\S+) +refused \(125\) /gm)];
    assert.equal(rows.length, REFUSALS.length, job.stdout);
    for (const [i, [what, path, code, declaration]] of REFUSALS.entries()) {
      const line = manifest.findIndex((text) => text.trim().startsWith(declaration)) + 1;
      assert.ok(line > 0, declaration);
      const [, changed, file = "", found, where] = rows[i]!;
      assert.ok(file.startsWith(path), file);
      assert.deepEqual([changed, found, where], [what, code, `waybill.yaml:${line}`]);
      // The finding itself stands above, with the file that changed.
      const finding = job.stdout.split(`error[${code}]: `)[1]!.split("error[")[0]!;
      assert.ok(finding.includes(what === "setting" ? "start.env.LOG_LEVEL" : path), finding);
      assert.ok(finding.includes(`--> waybill.yaml:${line}:`), finding);
    }
    assert.match(job.stdout, /^✔ 10 of 10 refused; the command never ran$/m);
    assert.ok(!job.stdout.includes("\u001b"), "no colours without a terminal");
    job.leftNothing();
  });

  test("without --once the agent answers as the locked release until Ctrl-C, and nothing is left", async () => {
    const job = new Job([]);
    const [, release] = await job.says(LOCKED);
    const [, url] = await job.says(LISTENING);
    await job.says(/^Ctrl-C stops it$/m);
    await sleep(500);
    assert.equal(job.child.exitCode, null);
    const health = (await (await fetch(`${url}/healthz`)).json()) as { release: string };
    assert.equal(health.release, `sha256:${release}`);
    const response = await fetch(`${url}/ask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ question: "How do I send something back?" }),
    });
    assert.equal(response.status, 200);
    const { answer, sources } = (await response.json()) as { answer: string; sources: unknown[] };
    assert.match(answer, /return/i);
    assert.ok(sources.length > 0);
    const running = job.processes();
    if (process.platform === "linux") assert.ok(running.length > 0, "the agent is among the processes");
    assert.equal(readdirSync(job.temp).length, 1);

    job.child.kill("SIGINT");
    await job.ended;
    assert.equal(job.child.exitCode, 0, job.stderr);
    await assert.rejects(fetch(`${url}/healthz`));
    job.leftNothing();
    // The private copy is gone too.
    const copies = running.map(({ cwd }) => cwd).filter((cwd) => cwd.includes("waybill-run-"));
    if (process.platform === "linux") assert.ok(copies.length > 0);
    assert.deepEqual(copies.filter(existsSync), []);
  });

  test("a behavioural test that fails ends the job before anything is locked", async () => {
    // The same job in a repository whose example has one case more, which no model can pass.
    const repository = mkdtempSync(join(scratch, "repository-"));
    for (const name of ["src", "bin", "node_modules", "package.json"])
      symlinkSync(join(ROOT, name), join(repository, name));
    for (const name of ["scripts", "examples/support-agent"])
      cpSync(join(ROOT, name), join(repository, name), {
        recursive: true,
        filter: (path) => !path.endsWith("node_modules"),
      });
    const cases = join(repository, "examples/support-agent/tests/behaviour/cases.jsonl");
    const [first] = readFileSync(cases, "utf8").split("\n");
    const failing = { ...(JSON.parse(first!) as object), id: "never-passes", intent: "no-such-intent" };
    writeFileSync(cases, `${readFileSync(cases, "utf8").trimEnd()}\n${JSON.stringify(failing)}\n`);

    const job = new Job(["--once"], repository);
    await job.ended;
    assert.equal(job.child.exitCode, 1, job.stdout);
    assert.match(job.stderr, /tests\/behaviour\/run\.ts ended with 1/);
    assert.match(job.stderr, /never-passes/);
    assert.match(job.stdout, /^✔ train /m);
    assert.doesNotMatch(job.stdout, /lock|sign|listening/);
    job.leftNothing();
  });
});

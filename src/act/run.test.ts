import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { Release } from "../core/release.ts";
import { type Allowed, markAllowed } from "../policy/allowed.ts";
import type { Claim } from "./claims.ts";
import type { CopyPlan } from "./private-copy.ts";
import { type RunEvent, type RunOptions, type RunOutcome, runAllowed } from "./run.ts";

const ROOT = process.getuid?.() === 0;
const asRoot = ROOT ? {} : { skip: "needs root: the agent runs as another user" };
const SETPRIV = existsSync("/usr/bin/setpriv");
const DIGEST = "cd".repeat(32);
const PATH = "/usr/local/bin:/usr/bin:/bin";
const scratch = mkdtempSync(join(tmpdir(), "waybill-run-test-"));
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

const RELEASE = { digest: DIGEST, document: {} as Release["document"] };
const AT_START = { door: "start", target: "production", validUntil: 4_000_000_000_000 } as const;

interface Case {
  folder: string;
  runDir: string;
  allowed: Allowed<Release>;
  options: Omit<RunOptions, "stdio" | "onEvent">;
}

function agent(
  command: string[],
  files: Record<string, string> = { "readme.txt": "x" },
  env: RunOptions["start"]["env"] = { PATH },
): Case {
  count += 1;
  const folder = join(scratch, `agent${count}`);
  const runDir = join(scratch, `run${count}`);
  const plan: CopyPlan = {
    releaseDigest: DIGEST,
    files: Object.entries(files).map(([path, data]) => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), data);
      const executable = path.startsWith("bin/");
      return { path, source: join(folder, path), size: data.length, executable, sha256: sha256(data) };
    }),
    links: [],
    extra: [],
  };
  return {
    folder,
    runDir,
    allowed: markAllowed(RELEASE, AT_START),
    options: { plan, start: { command, env }, outer: process.env, agentFolder: folder, runDir },
  };
}

interface Ran {
  outcome: RunOutcome;
  stdout: string;
  stderr: string;
  events: RunEvent[];
  claims: Map<string, Claim>;
}

/** Runs a case to its end, with output to files, and checks that no copy is left. */
async function run(
  { allowed, options, runDir }: Case,
  more: Partial<RunOptions> & { onStarted?: (pid: number) => void } = {},
): Promise<Ran> {
  mkdirSync(runDir, { recursive: true });
  const paths = ["out", "err"].map((name) => join(scratch, `${name}${count}`));
  const [out, err] = paths.map((path) => openSync(path, "w"));
  const events: RunEvent[] = [];
  const { onStarted, ...rest } = more;
  try {
    const outcome = await runAllowed(allowed, {
      ...options,
      stdio: ["ignore", out!, err!],
      onEvent: (event) => {
        events.push(event);
        if (event.type === "started") onStarted?.(event.pid);
      },
      ...rest,
    });
    const [stdout, stderr] = paths.map((path) => readFileSync(path, "utf8"));
    const claims = events.flatMap((e) => ("claims" in e ? e.claims : [])).map((c) => [c.name, c] as const);
    return { outcome, stdout: stdout!, stderr: stderr!, events, claims: new Map(claims) };
  } finally {
    closeSync(out!);
    closeSync(err!);
    assert.deepEqual(readdirSync(runDir), [], "no copy is left");
  }
}

const exited = (code: number) => ({ ok: true, exit: { code, signal: null } });

/** The failure to start, with the child's traces to look for. */
async function notStarted(made: Case, pattern: RegExp): Promise<void> {
  const events: RunEvent[] = [];
  await assert.rejects(run(made, { onEvent: (e) => events.push(e) }), (error) => {
    assert.ok(error instanceof WaybillError && error.code === "WB-INPUT-014", String(error));
    assert.match(error.message, pattern);
    return true;
  });
  assert.ok(!events.some((e) => e.type === "started"));
}

test("argv is the declared command word for word, argv[0] included; the working folder is the copy", async () => {
  const words = ["cat", "/proc/self/cmdline", "--", "readme.txt"];
  const { outcome, stdout } = await run(agent(words));
  assert.deepEqual(outcome, exited(0));
  assert.equal(stdout, `${words.join("\0")}\0x`);
  const odd = ["sh", "-c", "cat /proc/$$/cmdline", "a b", "$HOME", "*", "", "ü", "-x", "'\"\n"];
  assert.equal((await run(agent(odd))).stdout, `${odd.join("\0")}\0`);
});

test("the environment is exactly the declared one and WAYBILL_RELEASE", async () => {
  const env = { B: "2", A: " 1\n", PATH, SHELL: { inherit: true as const }, KEY: { secret: "env:OUTER" } };
  const made = agent(["/bin/cat", "/proc/self/environ"], undefined, env);
  made.options.outer = { OUTER: "s3cret", SHELL: "/bin/zsh", HOME: "/root", LD_PRELOAD: "x.so" };
  // Node hands these down to its children unless it is kept from it.
  const before = { ...process.env };
  Object.assign(process.env, { NODE_V8_COVERAGE: join(scratch, "coverage"), NODE_OPTIONS: "--no-warnings" });
  const { stdout, events } = await run(made).finally(() => {
    for (const name of ["NODE_V8_COVERAGE", "NODE_OPTIONS"])
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
  });
  const expected = ["B=2", "A= 1\n", `PATH=${PATH}`, "SHELL=/bin/zsh", "KEY=s3cret"];
  assert.equal(stdout, [...expected, `WAYBILL_RELEASE=sha256:${DIGEST}`, ""].join("\0"));
  assert.ok(!JSON.stringify(events).includes("s3cret"));
  assert.deepEqual(
    events.map((e) => e.type),
    ["copied", "started", "ended"],
  );
});

test("exit codes and deaths by signal come through", async () => {
  for (const code of [0, 3, 126, 255])
    assert.deepEqual((await run(agent(["sh", "-c", `exit ${code}`]))).outcome, exited(code));
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    const { outcome } = await run(agent(["sh", "-c", `kill -${signal.slice(3)} $$`]));
    assert.deepEqual(outcome, { ok: true, exit: { code: null, signal } });
  }
});

test("the child starts with default signal actions, no signal blocked, no descriptor but three", async () => {
  const { stdout } = await run(agent(["sh", "-c", "grep ^Sig /proc/self/status; ls /proc/$$/fd"]));
  assert.match(stdout, /SigBlk:\t0+\nSigIgn:\t0+\n/);
  assert.deepEqual(
    stdout
      .split("\n")
      .filter((line) => /^\d+$/.test(line))
      .filter((fd) => Number(fd) > 2 && Number(fd) < 10),
    [],
  );
});

test("as root the process is another user with nothing, as the kernel says", asRoot, async () => {
  const made = agent([
    "sh",
    "-c",
    "id -u; id -g; id -G; grep -E '^(NoNewPrivs|Cap(Eff|Prm|Inh|Amb))' /proc/self/status; sleep 0.1",
  ]);
  made.options.plan = { ...made.options.plan, user: 4242 };
  made.options.outer = { ...process.env, WAYBILL_USERS: "4242" };
  const groups = process.getgroups?.() ?? [];
  process.setgroups?.([0, 4, 5]);
  const { stdout, claims } = await run(made).finally(() => process.setgroups?.(groups));
  assert.match(stdout, /^4242\n65532\n65532\n/);
  assert.equal(claims.get("files")?.grade, "kernel-observed");
  assert.deepEqual(claims.get("user"), {
    name: "user",
    holds: true,
    grade: "kernel-observed",
    reason:
      "uid 4242, gid 65532, groups: none; agents of the same user can read its environment and signal it",
  });
  assert.equal(claims.get("capabilities")?.holds, true);
  assert.equal(claims.get("no-new-privileges")?.holds, SETPRIV);
  assert.equal(claims.get("dies-with-waybill")?.holds, SETPRIV);
  assert.equal(claims.get("program")?.holds, false);
  if (SETPRIV) assert.match(stdout, /NoNewPrivs:\t1/);
});

test("a set-user-id program gives the agent nothing", asRoot, async (t) => {
  if (!SETPRIV) return t.skip("no setpriv here");
  const path = join(scratch, "suid-id");
  execFileSync("cp", ["/usr/bin/id", path]);
  chmodSync(path, 0o4755);
  assert.equal((await run(agent([path, "-u"]))).stdout, "65532\n");
});

test("the release's LD_PRELOAD is never loaded by root", asRoot, async () => {
  // A library that cannot be loaded makes every loader complain, under its own uid and name.
  const made = agent(["/bin/true"], undefined, { PATH, LD_PRELOAD: "/nowhere.so", LD_DEBUG: "libs" });
  const log = join(scratch, "ld");
  mkdirSync(log);
  chmodSync(log, 0o1777);
  made.options.start.env.LD_DEBUG_OUTPUT = join(log, "out");
  assert.deepEqual((await run(made)).outcome, exited(0));
  const owners = readdirSync(log).map((name) => statSync(join(log, name)).uid);
  assert.ok(owners.length > 0);
  assert.deepEqual([...new Set(owners)], [65532]);
});

test("as root the process cannot write, remove, chmod, replace or mount over its files", asRoot, async () => {
  const script = `#!/bin/sh
    echo evil >> prompt.md; echo evil > new; rm -f prompt.md; mv prompt.md other; chmod 644 prompt.md
    chmod 755 .; mv ../copy ../old; mv .. ../../old; ln -sf /etc/passwd prompt.md
    mount --bind /etc/passwd prompt.md; umount -l .; touch -d 2000-01-01 prompt.md; ln prompt.md /tmp/alias-$$
    # In a user namespace of its own it may mount; nobody else sees that.
    unshare -Urm mount --bind /etc/passwd prompt.md
    sudo -n true; su -c true </dev/null
    cat prompt.md; id -u`;
  const made = agent(["bin/attack"], { "bin/attack": script, "prompt.md": "be kind\n", "d/x": "y" });
  const grades: string[] = [];
  const { stdout, outcome, stderr } = await run(made, {
    onEvent: (event) => {
      if (event.type !== "copied") return;
      // Changed after the copy: what runs does not notice.
      writeFileSync(join(made.folder, "prompt.md"), "be evil\n");
      writeFileSync(join(made.folder, "bin/attack"), "#!/bin/sh\necho swapped");
      grades.push(...event.claims.map((claim) => claim.grade));
    },
  });
  assert.deepEqual(outcome, exited(0));
  assert.equal(stdout, "be kind\n65532\n", stderr);
  assert.deepEqual(grades, ["kernel-observed"]);
  assert.ok((stderr.match(/denied|not permitted|Read-only|must be superuser/g) ?? []).length >= 10, stderr);
});

test("a program of the copy is covered by the release, one of the machine is not", async () => {
  const inCopy = await run(agent(["./bin/hi"], { "bin/hi": "#!/bin/sh\necho hi; sleep 0.1\n" }));
  assert.equal(inCopy.stdout, "hi\n");
  assert.equal(inCopy.claims.get("program")?.holds, true);
  const outside = await run(agent(["/bin/sh", "-c", "sleep 0.1"]));
  assert.match(outside.claims.get("program")!.reason, /^\/bin\/sh belongs to the machine/);
});

test("a mismatch, an expired verdict, another door or plan: nothing is started", async () => {
  const marker = join(scratch, "started");
  const made = agent(["sh", "-c", `touch ${marker}`]);
  writeFileSync(join(made.folder, "readme.txt"), "y");
  const { outcome, events } = await run(made);
  assert.deepEqual(outcome, {
    ok: false,
    refused: "mismatch",
    path: "readme.txt",
    expected: `sha256:${sha256("x")}`,
    found: `sha256:${sha256("y")}`,
  });
  assert.deepEqual(events, []);
  writeFileSync(join(made.folder, "readme.txt"), "x");
  // It runs out between the first look and the end of the copy.
  const { validUntil } = AT_START;
  const times = [validUntil - 1, validUntil];
  const expired = await run(made, { now: () => times.shift()! });
  assert.deepEqual(expired.outcome, { ok: false, refused: "expired", validUntil });
  const pulled = markAllowed(RELEASE, { ...AT_START, door: "pull" });
  await assert.rejects(run({ ...made, allowed: pulled }), /allowed at pull, used at start/);
  await assert.rejects(run({ ...made, allowed: { ...made.allowed } }), /did not come from decide/);
  const other = { ...made.options, plan: { ...made.options.plan, releaseDigest: "00".repeat(32) } };
  await assert.rejects(run({ ...made, options: other }), /another release/);
  assert.ok(!existsSync(marker));
});

test("a program that is not there or cannot be executed: WB-INPUT-014 with what was tried", async () => {
  await notStarted(
    agent(["no-such-program"]),
    /^the program no-such-program is in no folder of PATH \(\/usr\/local/,
  );
  await notStarted(agent(["/no/such"]), /^the program \/no\/such does not exist$/);
  await notStarted(agent(["./readme.txt"]), /cannot execute .*\/copy\/readme.txt$/);
  await notStarted(agent(["../x"]), /outside of the agent's folder/);
  await notStarted(agent(["/usr/bin"]), /is not a file/);
  await notStarted(agent(["sh"], undefined, {}), /declares no PATH/);
  await notStarted(agent(["bin/x"], { "bin/x": "echo no line" }), /neither a binary nor a script/);
  await notStarted(
    agent(["bin/x"], { "bin/x": "#!/no/interpreter -x\n" }),
    /\/no\/interpreter, the interpreter in/,
  );
  const long = agent(["/bin/true", "x".repeat(200_000)]);
  await notStarted(long, /E2BIG/);
});

test("PATH never finds the working folder or the agent's own folder", async () => {
  const files = { "bin/tool": "#!/bin/sh\necho unverified\n" };
  await notStarted(agent(["tool"], files, { PATH: `${PATH}:bin` }), /in 'bin', which is relative/);
  await notStarted(
    agent(["tool"], { "bin/x": "", tool: "" }, { PATH: `${PATH}:` }),
    /in '', which is relative/,
  );
  const own = agent(["tool"], files);
  own.options.start.env.PATH = join(own.folder, "bin");
  chmodSync(join(own.folder, "bin/tool"), 0o755);
  await notStarted(own, /^PATH leads into the agent's own folder/);
  const absolute = agent([join(own.folder, "bin/tool")], files);
  absolute.options.agentFolder = own.folder;
  await notStarted(absolute, /is in the agent's own folder/);
});

test("as root: a folder that the user cannot enter is named", asRoot, async () => {
  const closed = join(scratch, "closed");
  mkdirSync(closed, { mode: 0o700 });
  writeFileSync(join(closed, "tool"), "#!/bin/sh\n", { mode: 0o755 });
  const pattern = new RegExp(`uid 65532 cannot execute ${closed}/tool: it cannot enter ${closed}$`);
  await notStarted(agent([join(closed, "tool")]), pattern);
  await notStarted(agent(["tool"], undefined, { PATH: closed }), pattern);
});

test("a callback that throws leaves no process behind", async () => {
  let pid = 0;
  const made = agent(["sleep", "60"]);
  const failing = run(made, {
    onStarted: (started) => {
      pid = started;
      throw new Error("face");
    },
  });
  await assert.rejects(failing, /^Error: face$/);
  assert.ok(pid > 0 && !existsSync(`/proc/${pid}`));
});

/** Waybill in a process of its own: it prints the agent's pid, then ends as the agent did. */
function driver(made: Case): { code: string } {
  const [module, policy] = ["./run.ts", "../policy/allowed.ts"].map((m) => new URL(m, import.meta.url).href);
  const { plan, start, agentFolder, runDir } = made.options;
  mkdirSync(made.runDir, { recursive: true });
  return {
    code: `
      import { runAllowed } from ${JSON.stringify(module)};
      import { markAllowed } from ${JSON.stringify(policy)};
      const allowed = markAllowed(${JSON.stringify(RELEASE)}, ${JSON.stringify(AT_START)});
      const outcome = await runAllowed(allowed, {
        ...${JSON.stringify({ plan, start, agentFolder, runDir })},
        outer: process.env,
        onEvent: (e) => e.type === "started" && console.log("pid " + e.pid),
      });
      console.log(JSON.stringify(outcome));`,
  };
}

function startDriver(made: Case) {
  const args = ["--input-type=module", "-e", driver(made).code];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  return talk(child);
}

/** Waits for lines that a child writes. */
function talk(child: ChildProcess) {
  let text = "";
  child.stdout!.on("data", (data) => {
    text += data;
  });
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (let tries = 0; tries < 1000; tries += 1) {
      const match = pattern.exec(text);
      if (match) return match;
      await sleep(5);
    }
    throw new Error(`no ${pattern} in: ${text}`);
  };
  return { child, until, text: () => text };
}

const TRAPS = `#!/bin/sh
for s in TERM INT HUP QUIT USR1 USR2 WINCH CONT; do trap "echo got $s" $s; done
trap "echo got TERM; exit 7" TERM
echo ready
while :; do sleep 0.02; done
`;

test("signals are passed on, each once, and the exit code comes back", async () => {
  const made = agent(["bin/traps"], { "bin/traps": TRAPS });
  const { child, until, text } = startDriver(made);
  await until(/ready/);
  for (const name of ["INT", "HUP", "QUIT", "USR1", "USR2", "WINCH", "CONT", "TERM"]) {
    child.kill(`SIG${name}` as NodeJS.Signals);
    await until(new RegExp(`got ${name}\n`));
  }
  await until(/\{"ok":true,"exit":\{"code":7,"signal":null\}\}/);
  assert.equal(text().match(/got /g)!.length, 8);
  assert.deepEqual(readdirSync(made.runDir), []);
});

test("kill -9 of waybill kills the agent too, and its copy is removed by the next run", async (t) => {
  if (!SETPRIV) return t.skip("no setpriv here: the agent would go on, as the claim says");
  const made = agent(["sleep", "60"]);
  const { child, until } = startDriver(made);
  const pid = (await until(/pid (\d+)/))[1]!;
  assert.ok(existsSync(`/proc/${pid}`));
  child.kill("SIGKILL");
  await once(child, "exit");
  for (let tries = 0; existsSync(`/proc/${pid}`) && tries < 200; tries += 1) {
    if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))) break;
    await sleep(10);
  }
  assert.ok(!existsSync(`/proc/${pid}`) || /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8")));
  assert.equal(readdirSync(made.runDir).length, 1);
  await run(made, { onStarted: (started) => process.kill(started) });
});

test("a signal during the copy: nothing is started, nothing is left", async () => {
  const made = agent(["sleep", "60"], { "big.bin": "x".repeat(200 << 20) });
  const { child, until } = startDriver(made);
  for (let tries = 0; readdirSync(made.runDir).length === 0 && tries < 1000; tries += 1) await sleep(2);
  child.kill("SIGTERM");
  await until(/\{"ok":false,"refused":"interrupted","signal":"SIGTERM"\}/);
  assert.deepEqual(readdirSync(made.runDir), []);
});

test("Ctrl-C at a terminal reaches the agent once", async (t) => {
  if (spawnSync("script", ["--version"]).status !== 0) return t.skip("no script(1) to make a terminal with");
  const file = join(scratch, "driver.mjs");
  writeFileSync(file, driver(agent(["bin/traps"], { "bin/traps": TRAPS })).code);
  const child = spawn("script", ["-qefc", `${process.execPath} ${file}`, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { until, text } = talk(child);
  await until(/ready/);
  const pid = (await until(/pid (\d+)/))[1]!;
  child.stdin!.write("\x03");
  await until(/got INT/);
  await sleep(200);
  assert.equal(text().match(/got INT/g)!.length, 1);
  const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]!;
  process.kill(Number(parent), "SIGTERM");
  await until(/"code":7/);
  child.stdin!.end();
});

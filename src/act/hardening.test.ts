import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import type { Release } from "../core/release.ts";
import { markAllowed } from "../policy/allowed.ts";
import type { Claim } from "./claims.ts";
import { resolveEnvironment } from "./environment.ts";
import { takeUser } from "./own-user.ts";
import { makePrivateCopy } from "./private-copy.ts";
import { type RunEvent, type RunOptions, type RunOutcome, runAllowed } from "./run.ts";
import { chooseUser, parseUsers } from "./users.ts";

// What a release, an agent or a neighbour tried to do in reviews, and must not be able to do.

const ROOT = process.getuid?.() === 0;
const asRoot = ROOT ? {} : { skip: "needs root: the agent runs as another user" };
const SCRIPT = spawnSync("script", ["--version"]).status === 0;
const PYTHON = "/usr/bin/python3";
const PATH = "/usr/local/bin:/usr/bin:/bin";
const RELEASE = { digest: "cd".repeat(32), document: {} as Release["document"] };
const AT_START = { door: "start", target: "production", validUntil: 4_000_000_000_000 } as const;
const scratch = mkdtempSync(join(tmpdir(), "waybill-hardening-"));
chmodSync(scratch, 0o755);
after(() => rmSync(scratch, { recursive: true, force: true }));
let count = 0;

type Case = Omit<RunOptions, "stdio" | "onEvent"> & { runDir: string; agentFolder: string };

function agent(
  command: string[],
  more: { files?: Record<string, string>; user?: number; users?: string } = {},
) {
  count += 1;
  const agentFolder = join(scratch, `agent${count}`);
  const files = Object.entries(more.files ?? { "readme.txt": "x" }).map(([path, data]) => {
    const source = join(agentFolder, path);
    mkdirSync(dirname(source), { recursive: true });
    writeFileSync(source, data);
    const executable = path.startsWith("bin/");
    return { path, source, size: data.length, executable, sha256: sha256(data) };
  });
  const user = more.user === undefined ? {} : { user: more.user };
  const made: Case = {
    plan: { releaseDigest: RELEASE.digest, files, links: [], extra: [], ...user },
    start: { command, env: { PATH } },
    outer: { PATH, ...(more.users === undefined ? {} : { WAYBILL_USERS: more.users }) },
    agentFolder,
    runDir: join(scratch, `run${count}`),
  };
  return made;
}

async function run(made: Case, onEvent?: (event: RunEvent) => void) {
  const path = join(scratch, `out${count}`);
  const out = openSync(path, "w");
  const events: RunEvent[] = [];
  let outcome: RunOutcome;
  try {
    outcome = await runAllowed(markAllowed(RELEASE, AT_START), {
      ...made,
      stdio: ["ignore", out, out],
      onEvent: (event) => {
        events.push(event);
        onEvent?.(event);
      },
    });
  } finally {
    closeSync(out);
  }
  const claims = new Map<string, Claim>(
    events.flatMap((e) => ("claims" in e ? e.claims : [])).map((c) => [c.name, c]),
  );
  return { outcome, events, claims, out: readFileSync(path, "utf8") };
}

const refused = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof WaybillError && error.code === code, String(error));
  assert.match(error.message, message);
  return true;
};

/** Runs Waybill in a process of its own, at a terminal; it prints the agent's pid and how it ended. */
function atTerminal(made: Case, t: TestContext, within = (command: string) => command) {
  const [module, policy] = ["./run.ts", "../policy/allowed.ts"].map((m) => new URL(m, import.meta.url).href);
  const file = join(scratch, `driver${count}.mjs`);
  writeFileSync(
    file,
    `import { runAllowed } from ${JSON.stringify(module)};
    import { markAllowed } from ${JSON.stringify(policy)};
    const outcome = await runAllowed(markAllowed(${JSON.stringify(RELEASE)}, ${JSON.stringify(AT_START)}), {
      ...${JSON.stringify(made)},
      onEvent: (e) => {
        if (e.type !== "started") return;
        console.log("pid " + e.pid + " of " + process.pid);
        console.log(JSON.stringify(e.claims.find((c) => c.name === "terminal")));
      },
    });
    console.log(JSON.stringify(outcome));`,
  );
  const command = within(`${process.execPath} ${file}`);
  const child = spawn("script", ["-qefc", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  // However the test ends: without script there is no terminal, and Waybill and the agent end with it.
  t.after(() => {
    child.kill("SIGCONT");
    child.kill("SIGKILL");
  });
  return talk(child);
}

function talk(child: ChildProcess) {
  let text = "";
  child.stdout!.on("data", (data) => {
    text += data;
  });
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (let tries = 0; tries < 2000; tries += 1) {
      const match = pattern.exec(text);
      if (match) return match;
      await sleep(5);
    }
    throw new Error(`no ${pattern} in: ${text}`);
  };
  return { child, until, text: () => text };
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (holds()) return;
    await sleep(5);
  }
  throw new Error(`never: ${what}`);
}

/** T stopped, S sleeping…; X when there is no such process. */
function stateOf(pid: number | string): string {
  try {
    return /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))![1]!;
  } catch {
    return "X";
  }
}

const isOver = (pid: number | string) => "XZ".includes(stateOf(pid));

test("a list of users is numbers and ranges, and anything else is refused", () => {
  assert.deepEqual(parseUsers(undefined), []);
  assert.deepEqual(parseUsers(""), []);
  assert.deepEqual(parseUsers("65532, 10000-20000"), [
    { first: 65532, last: 65532 },
    { first: 10000, last: 20000 },
  ]);
  for (const text of ["0", "0-5", "5-4", "root", "1,,2", "1-", "-1", "4294967295", "1:2", "0x10"])
    assert.throws(() => parseUsers(text), refused("WB-INPUT-014", /^WAYBILL_USERS holds/));
});

test("as root a release runs as 65532 or as a user that the operator allows", asRoot, async () => {
  const marker = join(scratch, "marker");
  for (const users of [undefined, "", "41,43-50"]) {
    const made = agent(["touch", marker], { user: 42, ...(users === undefined ? {} : { users }) });
    await assert.rejects(run(made), refused("WB-INPUT-014", /declares user 42, who is not allowed here/));
  }
  assert.ok(!existsSync(marker));
  assert.deepEqual(chooseUser(65532, undefined), { user: 65532 });
  assert.deepEqual(chooseUser(45, "41,43-50"), { user: 45 });
  assert.deepEqual(chooseUser(undefined, "7777"), { user: 65532 });
});

test("as root the group of an agent never follows from its user", asRoot, async () => {
  const closed = join(scratch, "for-group-42");
  writeFileSync(closed, "hashes");
  chownSync(closed, 0, 42);
  chmodSync(closed, 0o640);
  const made = agent(["sh", "-c", `id -u; id -g; id -G; cat ${closed}; sleep 0.1`], {
    user: 42,
    users: "42",
  });
  const { out, claims } = await run(made);
  assert.match(out, /^42\n65532\n65532\ncat: .*Permission denied\n$/);
  assert.equal(claims.get("user")?.holds, true);
  assert.match(claims.get("user")!.reason, /agents of the same user can read its environment and signal it$/);
});

test("as root each run gets a user of its own out of a range, until none is left", asRoot, async () => {
  const users = "61000-61001";
  const started: number[] = [];
  const uids: string[] = [];
  const running = [0, 1].map(async () => {
    const { claims } = await run(agent(["sleep", "60"], { users }), (event) => {
      if (event.type !== "started") return;
      started.push(event.pid);
      uids.push(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${event.pid}/status`, "utf8"))![1]!);
    });
    assert.match(claims.get("user")!.reason, /; nothing else runs as this user$/);
  });
  await eventually("both run", () => started.length === 2);
  assert.deepEqual(uids.sort(), ["61000", "61001"]);
  await assert.rejects(run(agent(["true"], { users })), refused("WB-INPUT-014", /no user of 61000-61001/));
  for (const pid of started) process.kill(pid);
  await Promise.all(running);
  const third = takeUser([{ first: 61000, last: 61001 }]);
  third.giveBack();
});

test("as root a user that any process runs as is not given out", asRoot, async () => {
  const other = spawn("/bin/sleep", ["60"], { uid: 61010, gid: 61010 });
  try {
    assert.throws(() => takeUser([{ first: 61010, last: 61010 }]), refused("WB-INPUT-014", /61010/));
    const taken = takeUser([{ first: 61010, last: 61011 }]);
    assert.equal(taken.user, 61011);
    taken.giveBack();
  } finally {
    other.kill();
  }
});

test("as root the claim of a run that was killed does not stand", asRoot, () => {
  const module = new URL("./own-user.ts", import.meta.url).href;
  const code = `
    import { takeUser } from ${JSON.stringify(module)};
    console.log(takeUser([{ first: 61020, last: 61020 }]).user);
    process.kill(process.pid, "SIGKILL");`;
  const take = () => spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  assert.equal(take().stdout, "61020\n");
  assert.equal(take().stdout, "61020\n");
  takeUser([{ first: 61020, last: 61020 }]).giveBack();
});

test("as root an agent cannot type into the terminal that Waybill was started from", asRoot, async (t) => {
  if (!SCRIPT || !existsSync(PYTHON)) return t.skip("needs script(1) and python3");
  const code = `
import fcntl, os, termios, time
for name, what, arg in [("TIOCSTI", termios.TIOCSTI, b"x"), ("TIOCSCTTY", termios.TIOCSCTTY, 0)]:
    for fd in (0, 1, 2):
        try:
            fcntl.ioctl(fd, what, arg)
            print(name, "done", flush=True)
        except OSError as e:
            print(name, "refused", flush=True)
try:
    os.open("/dev/tty", os.O_RDWR)
    print("opened", flush=True)
except OSError:
    print("no tty", flush=True)
time.sleep(0.2)`;
  const { until, text } = atTerminal(agent([PYTHON, "-c", code]), t);
  await until(/"ok":true,"exit":\{"code":0/);
  assert.equal(text().match(/TIOCSTI refused/g)?.length, 3, text());
  assert.equal(text().match(/TIOCSCTTY refused/g)?.length, 3, text());
  assert.match(text(), /no tty/);
  assert.match(
    text(),
    /\{"name":"terminal","holds":true,"grade":"kernel-observed","reason":"it has a session/,
  );
});

test("an agent of our own user shares the terminal, and the claim says so", async (t) => {
  if (ROOT || !SCRIPT) return t.skip("needs script(1) and a user who is not root");
  const { until } = atTerminal(agent(["sleep", "0.3"]), t);
  await until(/"name":"terminal","holds":false,"grade":"kernel-observed","reason":"it shares waybill's/);
});

test("Ctrl-C at a terminal ends an agent that does not listen, and what it waits for", async (t) => {
  if (!SCRIPT) return t.skip("no script(1) to make a terminal with");
  // A shell that waits for a program ends by the signal only when that program did.
  const { until, child } = atTerminal(agent(["sh", "-c", "sleep 61; echo not reached"]), t);
  const [, pid] = await until(/pid (\d+)/);
  const children = () => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  await eventually("it waits", () => children() !== "");
  const other = children();
  child.stdin!.write("\x03");
  await until(/"exit":\{"code":null,"signal":"SIGINT"\}/);
  assert.ok(isOver(other));
});

test("Ctrl-Z under a shell stops Waybill and the agent, fg continues both", async (t) => {
  if (!SCRIPT) return t.skip("no script(1) to make a terminal with");
  const go = join(scratch, "go");
  // No child: a shell that waits for one it is just making is not shown as stopped.
  const made = agent(["sh", "-c", `while [ ! -e ${go} ]; do :; done; exit 9`]);
  const { until, child } = atTerminal(made, t, (command) => `sh -c 'set -m; ${command}; read line; fg'`);
  const [, pid, waybill] = await until(/pid (\d+) of (\d+)/);
  await until(/"terminal"/);
  child.stdin!.write("\x1a");
  await eventually("both stop", () => stateOf(pid!) === "T" && stateOf(waybill!) === "T");
  child.stdin!.write("\n");
  await eventually("both go on", () => stateOf(pid!) !== "T" && stateOf(waybill!) !== "T");
  writeFileSync(go, "");
  await until(/"exit":\{"code":9,"signal":null\}/);
});

test("Ctrl-Z where no shell could continue us stops nothing", async (t) => {
  if (!SCRIPT) return t.skip("no script(1) to make a terminal with");
  const go = join(scratch, "go-on");
  const { until, child } = atTerminal(agent(["sh", "-c", `while [ ! -e ${go} ]; do :; done; exit 9`]), t);
  const [, pid] = await until(/pid (\d+)/);
  await until(/"terminal"/);
  child.stdin!.write("\x1a");
  await until(/\^Z/);
  await sleep(100);
  await eventually("it goes on", () => stateOf(pid!) !== "T");
  writeFileSync(go, "");
  await until(/"exit":\{"code":9,"signal":null\}/);
});

test(
  "as root what the program leaves behind in its session is ended before its files go",
  asRoot,
  async () => {
    const stubborn = `(trap '' TERM; while :; do sleep 0.05; done) >/dev/null 2>&1 & echo $!; sleep 62 >/dev/null & echo $!`;
    const { outcome, out } = await run(agent(["sh", "-c", `${stubborn}; sleep 0.3; exit 3`]));
    assert.deepEqual(outcome, { ok: true, exit: { code: 3, signal: null } });
    const pids = out.trim().split("\n");
    assert.equal(pids.length, 2);
    for (const pid of pids) assert.ok(isOver(pid), `${pid} goes on`);
  },
);

test("as root a run with a user of its own leaves nothing, in whatever session", asRoot, async () => {
  const made = agent(["sh", "-c", "setsid sleep 63 >/dev/null 2>&1 & echo $!; sleep 0.3"], {
    users: "61030-61039",
  });
  const { out } = await run(made);
  await eventually("it ends", () => isOver(out.trim()));
});

test("as root the end of one agent does not end another of the same user", asRoot, async () => {
  const other = spawn("/bin/sleep", ["60"], { uid: 65532, gid: 65532, detached: true });
  try {
    await run(agent(["true"]));
    assert.ok(!isOver(other.pid!));
  } finally {
    other.kill();
  }
});

test("descriptors that Waybill inherited do not reach the agent", async () => {
  const module = new URL("./supervise.ts", import.meta.url).href;
  const secret = join(scratch, "descriptor");
  writeFileSync(secret, "secret of whoever started waybill");
  const code = `
    import { supervise } from ${JSON.stringify(module)};
    const command = ["/bin/sh", "-c", "ls -l /proc/self/fd; cat <&251; sleep 0.1"];
    const user = process.getuid() === 0 ? { user: 65532 } : {};
    await supervise({ command, cwd: "/", env: {}, ...user });`;
  const { stdout, stderr, status } = spawnSync(
    "bash",
    ["-c", `exec 251<"$1" 30<"$1"; shift; exec "$@"`, "bash", secret, process.execPath, "-e", code],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, / 251 -> \/dev\/null\n/);
  assert.match(stdout, / 30 -> \/dev\/null\n/);
  assert.ok(!stdout.includes("secret") && !stdout.includes(secret), stdout);
  const numbers = [...stdout.matchAll(/ (\d+) -> /g)].map((match) => Number(match[1]));
  // 3 is the listed folder itself.
  assert.deepEqual(
    numbers.sort((a, b) => a - b),
    [0, 1, 2, 3, 30, 251],
  );
});

test("PATH leads into no unverified folder: taken out of an inherited one, refused in a declared one", async () => {
  const tool = "#!/bin/sh\necho unverified\n";
  const env = "#!/usr/bin/env some-tool\n";
  const made = agent(["bin/start"], { files: { "bin/start": env } });
  const bin = join(made.agentFolder, "node_modules/.bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "some-tool"), tool, { mode: 0o755 });
  const link = join(scratch, "link-to-bin");
  symlinkSync(bin, link);
  const later = join(scratch, "link-to-later");
  symlinkSync(join(made.agentFolder, "not-yet/bin"), later);
  const up = "../../../../../../../../../../srv";
  const own = [bin, link, later, join(made.agentFolder, "none"), made.agentFolder, `${bin}/../.bin`, up];
  made.start.env.PATH = { inherit: true };
  made.outer.PATH = [bin, PATH, ...own.slice(1), "", "tools", `${made.agentFolder}2/bin`].join(":");
  const { outcome, out, events } = await run(made);
  assert.deepEqual(outcome, { ok: true, exit: { code: 127, signal: null } });
  assert.ok(!out.includes("unverified"), out);
  const claim = events
    .flatMap((e) => (e.type === "started" ? e.environment : []))
    .find((c) => c.name === "PATH");
  assert.deepEqual(claim, { name: "PATH", kind: "inherited", without: own });
  for (const folder of own) {
    made.start.env.PATH = `${PATH}:${folder}`;
    await assert.rejects(
      run(made),
      refused("WB-INPUT-014", /^PATH leads into the agent's own folder.*: \S+$/),
    );
  }
  // A secret is not shown, not even this one.
  made.start.env.PATH = { secret: "env:MY_PATH" };
  made.outer.MY_PATH = bin;
  await assert.rejects(run(made), refused("WB-INPUT-014", /verified copy$/));
});

test("the real path of a secret is inside the folders, as the manifest's path is", (t) => {
  const secrets = join(scratch, "secrets");
  const other = join(scratch, "elsewhere");
  mkdirSync(join(secrets, "..2026/db"), { recursive: true });
  mkdirSync(join(other, "deep"), { recursive: true });
  writeFileSync(join(secrets, "..2026/db/token"), "mounted");
  writeFileSync(join(other, "other"), "not a secret of this agent");
  // As Kubernetes mounts them.
  symlinkSync("..2026", join(secrets, "..data"));
  symlinkSync("..data/db", join(secrets, "db"));
  symlinkSync(join(other, "deep"), join(secrets, "cur"));
  symlinkSync(join(other, "other"), join(secrets, "out"));
  const read = (path: string, folders = secrets) =>
    resolveEnvironment(
      { X: { secret: `file:${path}` } },
      { WAYBILL_SECRETS: folders },
      { WAYBILL_RELEASE: "sha256:00" },
    ).env.X;
  assert.equal(read(join(secrets, "db/token")), "mounted");
  const byLink = join(scratch, "link-to-secrets");
  symlinkSync(secrets, byLink);
  assert.equal(read(join(byLink, "db/token"), byLink), "mounted");
  for (const path of ["cur/../other", "db/../db/token", "./db/token", "db//token", "db/token/", "db/."])
    assert.throws(
      () => read(`${secrets}/${path}`),
      refused("WB-INPUT-013", /has '\.\.', '\.' or an empty name in its path$/),
    );
  if (!ROOT) return t.diagnostic("not root: links are followed to wherever this user may read");
  assert.throws(() => read(join(secrets, "out")), refused("WB-INPUT-013", /outside the folders/));
});

test(
  "as root a WAYBILL_RUN_DIR that others can write to is refused, a sticky one is not",
  asRoot,
  async () => {
    const { plan, runDir } = agent(["true"]);
    mkdirSync(runDir);
    const notThere = refused("WB-STORE-001", /a copy in it could be replaced$/);
    for (const mode of [0o777, 0o775, 0o757]) {
      chmodSync(runDir, mode);
      await assert.rejects(makePrivateCopy(plan, { runDir }), notThere);
    }
    chmodSync(runDir, 0o1777);
    const made = await makePrivateCopy(plan, { runDir });
    assert.ok(made.ok && made.dispose());
    chmodSync(runDir, 0o755);
    chownSync(runDir, 65532, 65532);
    await assert.rejects(makePrivateCopy(plan, { runDir }), notThere);
    assert.deepEqual(readdirSync(runDir), []);
  },
);

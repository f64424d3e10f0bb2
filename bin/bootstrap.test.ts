import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { joinModules } from "../scripts/join-modules.ts";

// The ways of bin/waybill.js onto a Node: this one, the one that `npm ci` brought, none; and the published layout.

const ROOT = join(import.meta.dirname, "..");
const WINDOWS = process.platform === "win32";
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

/** A Node on PATH, or beside the usual ones, that is too old for Waybill. */
function findOldNode(): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/bin", "/usr/bin"];
  return folders
    .map((folder) => join(folder, "node"))
    .filter((path) => existsSync(path))
    .find((path) => {
      const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
      const [major = 0, minor = 0] = stdout.slice(1).split(".").map(Number);
      return major >= 20 && (major < 24 || (major === 24 && minor < 15));
    });
}

const oldNode = WINDOWS ? undefined : findOldNode();
const withOldNode = { skip: oldNode === undefined ? "no Node from 20 to 24.14 on this machine" : false };
let temp = "";

before(() => {
  temp = realpathSync(mkdtempSync(join(tmpdir(), "waybill-bootstrap-")));
});
after(() => rmSync(temp, { recursive: true, force: true }));

function run(node: string, script: string, ...args: string[]) {
  const { WAYBILL_REEXEC: _, ...env } = process.env;
  const options = { encoding: "utf8", env: { ...env, WAYBILL_HOME: join(temp, "home") } } as const;
  return spawnSync(node, [script, ...args], options);
}

/** A tree with bin/waybill.js and package.json, and nothing else. */
function tree(name: string): string {
  const root = join(temp, name);
  mkdirSync(join(root, "bin"), { recursive: true });
  cpSync(join(ROOT, "bin/waybill.js"), join(root, "bin/waybill.js"));
  cpSync(join(ROOT, "package.json"), join(root, "package.json"));
  return root;
}

test("a Node that is new enough runs the sources", () => {
  const { status, stdout, stderr } = run(process.execPath, join(ROOT, "bin/waybill.js"), "--version");
  assert.deepEqual([status, stdout, stderr], [0, `waybill ${version}\n`, ""]);
});

test("exit codes come through: of usage, and of a folder with nothing in it", () => {
  const script = join(ROOT, "bin/waybill.js");
  assert.equal(run(process.execPath, script, "nothing").status, 2);
  assert.equal(run(process.execPath, script, "lock", "--dir", temp).status, 4);
});

test("an older Node starts the one that npm ci brought, words and exit codes unchanged", withOldNode, () => {
  const root = tree("brought");
  mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
  const marker = `#!/bin/sh\necho "brought $WAYBILL_REEXEC $*"\nexit 3\n`;
  writeFileSync(join(root, "node_modules/.bin/node"), marker, { mode: 0o755 });
  const script = join(root, "bin/waybill.js");
  const { status, stdout } = run(oldNode!, script, "run", "--", "a b", "$HOME");
  assert.equal(stdout, `brought 1 ${script} run -- a b $HOME\n`);
  assert.equal(status, 3);
});

test("an older Node gets to the sources by way of the one that npm ci brought", {
  skip:
    withOldNode.skip || (existsSync(join(ROOT, "node_modules/.bin/node")) ? false : "npm ci brought no Node"),
}, () => {
  const { status, stdout } = run(oldNode!, join(ROOT, "bin/waybill.js"), "--version");
  assert.deepEqual([status, stdout], [0, `waybill ${version}\n`]);
});

test("the end of the brought Node by a signal is the end by that signal", withOldNode, () => {
  const root = tree("killed");
  mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
  writeFileSync(join(root, "node_modules/.bin/node"), "#!/bin/sh\nkill -TERM $$\n", { mode: 0o755 });
  assert.equal(run(oldNode!, join(root, "bin/waybill.js")).signal, "SIGTERM");
});

test(
  "an older Node that finds no other says so in one line, with the fix, and ends with 4",
  withOldNode,
  () => {
    const { status, stdout, stderr } = run(oldNode!, join(tree("none"), "bin/waybill.js"), "--version");
    assert.deepEqual([status, stdout], [4, ""]);
    assert.match(stderr, /^error\[WB-INPUT-015\]: Node \d+\.\d+\.\d+ is too old\n fix {2}.*npm ci.*\n$/);
  },
);

test("a Node that was brought and is too old itself does not go round in circles", withOldNode, () => {
  const root = tree("circle");
  mkdirSync(join(root, "node_modules/.bin"), { recursive: true });
  symlinkSync(oldNode!, join(root, "node_modules/.bin/node"));
  const { status, stderr } = run(oldNode!, join(root, "bin/waybill.js"), "--version");
  assert.equal(status, 4);
  assert.match(stderr, /too old/);
});

test("the published layout runs from dist, its hashing threads too", () => {
  const root = tree("published");
  const build = [join(ROOT, "tsconfig.build.json"), "--outDir", join(root, "dist")];
  const tsc = spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", ...build], {
    encoding: "utf8",
  });
  assert.equal(tsc.status, 0, tsc.stdout);
  joinModules(join(root, "dist"));
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"), WINDOWS ? "junction" : "dir");
  const script = join(root, "bin/waybill.js");
  assert.equal(run(process.execPath, script, "--version").stdout, `waybill ${version}\n`);

  const agent = join(temp, "agent");
  mkdirSync(join(agent, "model"), { recursive: true });
  // 48 MiB: more than is hashed without threads.
  const header = Buffer.from("\x02\0\0\0\0\0\0\0{}", "latin1");
  writeFileSync(join(agent, "model/weights.safetensors"), Buffer.concat([header, Buffer.alloc(48 << 20, 7)]));
  writeFileSync(join(agent, "agent.js"), "console.log('hello');\n");
  chmodSync(agent, 0o755);
  for (const args of [["init"], ["lock"], ["lock", "--format", "json"], ["check"], ["explain"], ["--help"]]) {
    const { status, stderr } = run(process.execPath, script, ...args, ...dirOf(args[0]!, agent));
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  }
  const fromDist = lockOf(run(process.execPath, script, "lock", "--format", "json", "--dir", agent).stdout);
  const own = join(ROOT, "bin/waybill.js");
  const fromSrc = lockOf(run(process.execPath, own, "lock", "--format", "json", "--dir", agent).stdout);
  assert.equal(fromDist.release, fromSrc.release);
  assert.equal(fromDist.changed, false);
});

function dirOf(command: string, agent: string): string[] {
  return ["init", "lock", "check"].includes(command) ? ["--dir", agent] : [];
}

function lockOf(stdout: string): { release: string; changed: boolean } {
  return JSON.parse(stdout) as { release: string; changed: boolean };
}

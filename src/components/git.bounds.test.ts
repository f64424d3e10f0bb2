import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, lchownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isTrustedOwner, readGit } from "./git.ts";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "waybill-git-owner-")));
after(() => rmSync(scratch, { recursive: true, force: true }));

test("a repository counts that is ours, root's, the folder's owner's, or of whoever became root", () => {
  const who = (self: number | undefined, sudo?: number, folder = 7) => ({ self, sudo, folder });
  for (const owner of [0, 5, 7]) assert.ok(isTrustedOwner(owner, who(5)), String(owner));
  assert.ok(!isTrustedOwner(6, who(5)));
  assert.ok(!isTrustedOwner(6, who(5, 6)), "SUDO_UID counts for root alone");
  assert.ok(isTrustedOwner(6, who(0, 6)));
  assert.ok(!isTrustedOwner(6, who(0)));
  assert.ok(isTrustedOwner(6, who(undefined)), "no such ids on this system");
});

const skip =
  process.getuid?.() !== 0
    ? "needs root to give files away"
    : spawnSync("git", ["--version"]).status === 0
      ? false
      : "needs git";
const STRANGER = 4242;
let count = 0;

/** A repository that tracks `agent/a.js`, not `agent/b.js`. */
function repository(): { top: string; agent: string } {
  count += 1;
  const top = join(scratch, String(count));
  mkdirSync(join(top, "agent"), { recursive: true });
  writeFileSync(join(top, "agent/a.js"), "a");
  writeFileSync(join(top, "agent/b.js"), "b");
  const run = (...args: string[]) => execFileSync("git", args, { cwd: top, stdio: "pipe" });
  run("init", "-q");
  run("add", "agent/a.js");
  return { top, agent: join(top, "agent") };
}

test("a stranger's repository above the folder is as good as absent, and that is said", { skip }, () => {
  for (const part of [".git", ".git/index"]) {
    const { top, agent } = repository();
    assert.equal(readGit(agent).state, "tracked");
    chownSync(join(top, part), STRANGER, STRANGER);
    const view = readGit(agent);
    assert.ok(view.state === "absent" && view.unreadable === undefined);
    assert.match(view.reason, /^the (\.git|index) in a folder above it belongs to another user/);
    // Whoever owns the agent's folder can change all of it anyway.
    chownSync(agent, STRANGER, STRANGER);
    assert.equal(readGit(agent).state, "tracked");
  }
});

test("a stranger's repository in the folder itself cannot be read, and that is said", { skip }, () => {
  for (const part of [".git", ".git/index"]) {
    const { top } = repository();
    chownSync(join(top, part), STRANGER, STRANGER);
    const view = readGit(top);
    assert.ok(view.state === "absent" && view.unreadable === true);
    assert.match(view.reason, /in the folder belongs to another user: chown it/);
  }
});

test("a work-tree file of our own does not make a stranger's git directory count", { skip }, () => {
  const { top } = repository();
  const linked = join(scratch, "linked");
  mkdirSync(linked);
  writeFileSync(join(linked, ".git"), `gitdir: ${join(top, ".git")}\n`);
  assert.equal(readGit(linked).state, "tracked");
  chownSync(join(top, ".git"), STRANGER, STRANGER);
  assert.match(JSON.stringify(readGit(linked)), /the git directory in the folder belongs to another user/);
  chownSync(join(top, ".git"), 0, 0);
  lchownSync(join(linked, ".git"), STRANGER, STRANGER);
  assert.match(JSON.stringify(readGit(linked)), /the \.git in the folder belongs to another user/);
});

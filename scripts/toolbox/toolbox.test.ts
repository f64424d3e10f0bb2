import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { isBuilt, programOf } from "./build.ts";
import { runChild } from "./child.ts";
import { needTool, tool, toolboxFolder } from "./find.ts";
import { PARTS } from "./parts.ts";

const folder = mkdtempSync(join(tmpdir(), "waybill-toolbox-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const toolbox = (args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [join(import.meta.dirname, "../toolbox.ts"), ...args], {
    env: { ...process.env, WAYBILL_TOOLBOX: folder, ...env },
    encoding: "utf8",
  });

/** Stands in for a Go that builds: it leaves a program where GOBIN says, or fails for this package. */
function fakeGo(failing: string): string {
  const bin = join(folder, "fake");
  mkdirSync(bin, { recursive: true });
  const go = join(bin, "go");
  writeFileSync(
    go,
    `#!/bin/sh\ncase "$2" in *${failing}*) echo "no such module" >&2; exit 1;; esac\n` +
      `name=\${2%@*}; name=\${name##*/}; mkdir -p "$GOBIN"; printf '#!/bin/sh\\n' > "$GOBIN/$name"; chmod +x "$GOBIN/$name"\n`,
  );
  chmodSync(go, 0o755);
  return bin;
}

test("a part whose build fails is said, the others are built, and the exit code is 1", () => {
  const PATH = `${fakeGo("fulcio")}:${process.env.PATH}`;
  const first = toolbox(["crane", "fulcio", "tlog-fsck"], { PATH });
  assert.equal(first.status, 1, first.stderr);
  assert.match(first.stdout, /^built +crane /m);
  assert.match(first.stdout, /^built +tlog-fsck /m);
  assert.match(first.stdout, /^FAILED +fulcio [\s\S]*no such module/m);
  const again = toolbox(["crane", "tlog-fsck"], { PATH });
  assert.equal(again.status, 0);
  assert.match(again.stdout, /^there +crane /m);
  assert.equal(toolbox(["crane", "--check"]).status, 0);
  assert.equal(toolbox(["--check"]).status, 1);
  assert.equal(toolbox(["nothing-like-that"]).status, 2);
});

test("a program of another version counts as missing", () => {
  const part = PARTS.find(({ name }) => name === "registry")!;
  const old = join(folder, "old");
  writeFileSync(old, "");
  chmodSync(old, 0o755);
  mkdirSync(join(folder, "bin"), { recursive: true });
  symlinkSync(old, join(folder, "bin/registry"));
  assert.equal(isBuilt(part, folder), false);
  assert.match(programOf(part, folder), /registry@v3\.1\.2/);
});

test("the cache folder: WAYBILL_TOOLBOX, else the user's cache; a relative XDG_CACHE_HOME does not count", () => {
  assert.equal(toolboxFolder({ WAYBILL_TOOLBOX: "/a", XDG_CACHE_HOME: "/b" }), "/a");
  assert.equal(toolboxFolder({ XDG_CACHE_HOME: "/b" }), "/b/waybill-toolbox");
  assert.match(toolboxFolder({ XDG_CACHE_HOME: "b" }), /^\/.*\.cache\/waybill-toolbox$/);
});

test("a missing program skips a test with the command that brings it, and fails it where it is required", () => {
  const before = { ...process.env };
  try {
    process.env.WAYBILL_TOOLBOX = join(folder, "empty");
    delete process.env.WAYBILL_REQUIRE_TOOLBOX;
    assert.equal(tool("crane"), undefined);
    assert.deepEqual(needTool("crane"), {
      path: "",
      skip: "crane is not installed: npm run toolbox -- crane",
    });
    process.env.WAYBILL_REQUIRE_TOOLBOX = "1";
    assert.throws(() => needTool("crane"), /npm run toolbox -- crane/);
  } finally {
    process.env = before;
  }
});

test("a build that does not end is ended with its children", async () => {
  const start = performance.now();
  const problem = await runChild(["sh", "-c", "sleep 30 & sleep 30"], { cwd: folder, limit: 200 });
  assert.match(problem!, /not done after 0\.2 s/);
  assert.ok(performance.now() - start < 5000);
});

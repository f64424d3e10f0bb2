#!/usr/bin/env node
// Gets onto a Node that can run Waybill, then hands over. Plain JavaScript: an old Node must be able to read it.

// Not `import`: that would load each of these with all that it can give, which takes longer than to verify a bundle.
const builtin =
  process.getBuiltinModule ?? (await import("node:module")).default.createRequire(import.meta.url);
const { existsSync, lstatSync, mkdirSync } = builtin("node:fs");
const { join } = builtin("node:path");
const { fileURLToPath } = builtin("node:url");

/**
 * A folder for compiled code below WAYBILL_HOME, or nothing. What lies there is run, so it and the home must be
 * ours and nobody else's to write; the runtime's own default below the temporary folder is anybody's to prepare.
 */
function compileCache() {
  const home = process.env.WAYBILL_HOME || join(builtin("node:os").homedir(), ".waybill");
  const folder = join(home, "compile-cache");
  const isOurs = (path) => {
    const stat = lstatSync(path);
    return stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0;
  };
  try {
    if (!isOurs(home)) return undefined;
    mkdirSync(folder, { mode: 0o700, recursive: true });
    return isOurs(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

const [major, minor] = process.versions.node.split(".").map(Number);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (major >= 26 || (major === 24 && minor >= 15)) {
  const cache = compileCache();
  if (cache) builtin("node:module").enableCompileCache?.(cache);
  const checkout = existsSync(here("../src/cli/start.ts"));
  await import(checkout ? "../src/cli/start.ts" : "../dist/cli/start.js");
} else {
  const node = here("../node_modules/.bin/node");
  if (existsSync(node) && !process.env.WAYBILL_REEXEC) {
    const env = { ...process.env, WAYBILL_REEXEC: "1" };
    const { spawnSync } = await import("node:child_process");
    const child = spawnSync(node, [here("waybill.js"), ...process.argv.slice(2)], { stdio: "inherit", env });
    if (child.signal) process.kill(process.pid, child.signal);
    process.exitCode = child.status ?? 4;
  } else {
    console.error(
      `error[WB-INPUT-015]: Node ${process.versions.node} is too old\n fix  install Node 24.15 or later, or run \`npm ci\` in the checkout`,
    );
    process.exitCode = 4;
  }
}

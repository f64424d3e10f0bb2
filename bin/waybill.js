#!/usr/bin/env node
// Gets onto a Node that can run Waybill, then hands over. Plain JavaScript: an old Node must be able to read it.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

const [major, minor] = process.versions.node.split(".").map(Number);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

if (major >= 26 || (major === 24 && minor >= 15)) {
  module.enableCompileCache?.();
  const checkout = existsSync(here("../src/cli/start.ts"));
  await import(checkout ? "../src/cli/start.ts" : "../dist/cli/start.js");
} else {
  const node = here("../node_modules/.bin/node");
  if (existsSync(node) && !process.env.WAYBILL_REEXEC) {
    const env = { ...process.env, WAYBILL_REEXEC: "1" };
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

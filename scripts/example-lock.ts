import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Workplace } from "./start/workplace.ts";

// npm run example [-- --check]: trains and builds the example agent in a temporary folder, locks it there, and
// writes (or compares) examples/support-agent/waybill.lock. The same lock on every machine is itself a test.

const FILE = join(import.meta.dirname, "../examples/support-agent/waybill.lock");

/** Makes the example's lock from its sources; takes a second or two. */
export function makeExampleLock(): string {
  const place = new Workplace();
  try {
    place.script("training/train.ts", ["--dataset", "dataset", "--out", "model"]);
    place.script("scripts/build-image.ts", ["--out", "image", "--check", "deploy/deployment.yaml"]);
    place.must(["lock"]);
    return readFileSync(join(place.agent, "waybill.lock"), "utf8");
  } finally {
    place.remove();
  }
}

/** The lock as it is committed. */
export function committedLock(): string {
  return readFileSync(FILE, "utf8");
}

if (import.meta.main) {
  const lock = makeExampleLock();
  if (!process.argv.includes("--check")) writeFileSync(FILE, lock);
  else if (lock !== committedLock()) {
    console.error("examples/support-agent/waybill.lock is stale: npm run example");
    process.exitCode = 1;
  }
}

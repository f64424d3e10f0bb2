import { parseArgs } from "node:util";
import { buildPart, isBuilt, versionOf } from "./toolbox/build.ts";
import { toolboxFolder } from "./toolbox/find.ts";
import { PARTS, type Part } from "./toolbox/parts.ts";

// npm run toolbox [-- NAME…] [--list | --check]: brings the real programs that tests run against into a cache outside
// the repository. What is there in the right version is kept. Exit 0 all there, 1 some missing, 2 usage.

const USAGE = "usage: npm run toolbox -- [--list | --check] [NAME…]\n";

process.exitCode = await main();

async function main(): Promise<number> {
  const parsed = parse();
  if (parsed === undefined) {
    process.stderr.write(
      `${USAGE}\n${PARTS.map((part) => `  ${part.name.padEnd(17)} ${part.why}\n`).join("")}`,
    );
    return 2;
  }
  const { parts, list, check } = parsed;
  console.log(`toolbox: ${toolboxFolder()}`);
  if (list || check) {
    for (const part of parts) line(part, isBuilt(part) ? "there" : "missing", part.why);
    return check && !parts.every((part) => isBuilt(part)) ? 1 : 0;
  }
  // Go's own builds use every core: one at a time. What is only downloaded runs beside them.
  const lanes = (["go", "pip", "apt"] as const).map((by) => parts.filter((part) => part.source.by === by));
  const failed = (await Promise.all(lanes.map(bring))).flat();
  if (failed.length > 0) console.log(`${failed.length} of ${parts.length} could not be had`);
  return failed.length > 0 ? 1 : 0;
}

function parse(): { parts: Part[]; list: boolean; check: boolean } | undefined {
  try {
    const { values, positionals } = parseArgs({
      options: { list: { type: "boolean", default: false }, check: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    if (positionals.some((name) => !PARTS.some((part) => part.name === name))) return undefined;
    const parts = PARTS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
    return { parts, ...values };
  } catch {
    return undefined;
  }
}

async function bring(parts: readonly Part[]): Promise<Part[]> {
  const failed: Part[] = [];
  for (const part of parts) {
    if (isBuilt(part)) {
      line(part, "there", "");
      continue;
    }
    const start = performance.now();
    const problem = await buildPart(part);
    const seconds = `${((performance.now() - start) / 1000).toFixed(1)} s`;
    line(part, problem === null ? "built" : "FAILED", seconds);
    if (problem === null) continue;
    failed.push(part);
    console.log(problem.replace(/^/gm, "    "));
  }
  return failed;
}

function line(part: Part, state: string, note: string): void {
  console.log(`${state.padEnd(8)} ${part.name.padEnd(17)} ${versionOf(part).padEnd(18)} ${note}`.trimEnd());
}

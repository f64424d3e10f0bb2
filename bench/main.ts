// `npm run bench [-- NAME] [--json]`: runs the benches, or one of them, and prints ratios. See README.md here.
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.ts";
import { hash } from "./hash.ts";
import { journal } from "./journal.ts";
import type { Row, Spread } from "./measure.ts";

interface Bench {
  name: string;
  description: string;
  /** Measures; ends early, cleaned up, when the signal says so. */
  run(signal: AbortSignal): Promise<Row[]>;
}

const BENCHES: readonly Bench[] = [hash, bundle, journal];

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" } } });
const chosen = BENCHES.filter((bench) => positionals.length === 0 || positionals.includes(bench.name));
const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`no bench named ${unknown.join(", ")}; there are:`);
  for (const { name, description } of BENCHES) console.error(`  ${name}  ${description}`);
  process.exit(2);
}

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
process.once("SIGTERM", () => stop.abort());
try {
  const results = [];
  for (const { name, description, run } of chosen) {
    console.error(`measuring ${name}: ${description} …`);
    results.push({ name, description, rows: await run(stop.signal) });
  }
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    node: process.version,
  };
  if (values.json) console.log(JSON.stringify({ machine, benches: results }, null, 2));
  else {
    console.log(`${machine.cores} cores of ${machine.cpu}, Node ${machine.node}\n`);
    for (const { rows } of results) console.log(table(rows));
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
  process.exitCode = 130;
}

/** A table in Markdown, so that it goes into docs/bench.md as it is. */
function table(rows: readonly Row[]): string {
  const head = ["input", "ours", "theirs", "ratio: theirs ÷ ours", "goal", "ours, s", "theirs, s"];
  const cells = rows.map((row) => [
    row.case,
    row.ours,
    row.theirs,
    row.ratio ? `**${row.ratio.median.toFixed(2)}** (${range(row.ratio)})` : (row.note ?? ""),
    goalCell(row),
    row.oursSeconds ? secondsCell(row.oursSeconds) : "",
    row.theirsSeconds ? secondsCell(row.theirsSeconds) : "",
  ]);
  const lines = [head, head.map(() => "---"), ...cells];
  return `${lines.map((line) => `| ${line.join(" | ")} |`).join("\n")}\n`;
}

function goalCell({ goal, ratio }: Row): string {
  if (goal === undefined) return "";
  const least = `≥ ${Number(goal.toFixed(2))}`;
  if (!ratio) return least;
  return `${least}: ${ratio.median >= goal ? "met" : "missed"}`;
}

/** To the millisecond where a hundredth of a second would hide what differs. */
function secondsCell(seconds: Spread): string {
  const digits = seconds.median < 0.5 ? 3 : 2;
  return `${seconds.median.toFixed(digits)} (${range(seconds, digits)})`;
}

function range({ min, max }: Spread, digits = 2): string {
  return `${min.toFixed(digits)}–${max.toFixed(digits)}`;
}

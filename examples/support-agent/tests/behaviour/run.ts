/**
 * Runs the behaviour suite against the agent in this process; exits 1 if a case fails.
 *
 *   node tests/behaviour/run.ts [--model model]
 */
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { createAgent } from "../../src/agent.ts";
import { loadCases, runCases } from "./suite.ts";

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({ options: { model: { type: "string" } } });
const model = values.model === undefined ? join(root, "model") : resolve(values.model);

const agent = await createAgent({ root, model });
const results = await runCases(agent, loadCases()).finally(() => agent.close());

for (const category of new Set(results.map((result) => result.category))) {
  const of = results.filter((result) => result.category === category);
  const failed = of.filter(({ problems }) => problems.length > 0);
  console.log(`${category}: ${of.length - failed.length} passed, ${failed.length} failed`);
  for (const { id, problems } of failed) console.error(`  ${id}: ${problems.join("; ")}`);
}
process.exitCode = results.some(({ problems }) => problems.length > 0) ? 1 : 0;

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Agent, Answer } from "../../src/agent.ts";

/** One line of cases.jsonl. `repeat` makes a long input out of a short one. */
export interface Case {
  id: string;
  category: string;
  tags: string[];
  input: string;
  repeat?: number;
  intent?: string;
  must_include?: string[];
  must_not_include?: string[];
}

/** What became of one case: `problems` is empty if it passed. */
export interface Result {
  id: string;
  category: string;
  problems: string[];
}

/** Reads cases.jsonl. */
export function loadCases(): Case[] {
  const lines = readFileSync(join(import.meta.dirname, "cases.jsonl"), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Case);
}

/** Asks the agent every case, one after the other. */
export async function runCases(agent: Agent, cases: readonly Case[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const { id, category, input, repeat = 1, ...expected } of cases) {
    const problems = await agent.ask(input.repeat(repeat)).then(
      (answer) => compare(answer, expected),
      (error) => [`threw: ${(error as Error).message}`],
    );
    results.push({ id, category, problems });
  }
  return results;
}

function compare(
  got: Answer,
  expected: Pick<Case, "intent" | "must_include" | "must_not_include">,
): string[] {
  const problems: string[] = [];
  if (expected.intent !== undefined && got.intent !== expected.intent) {
    problems.push(`intent is ${got.intent}, not ${expected.intent}`);
  }
  for (const text of expected.must_include ?? []) {
    if (!got.answer.includes(text)) problems.push(`lacks ${JSON.stringify(text)}`);
  }
  for (const text of expected.must_not_include ?? []) {
    if (got.answer.includes(text)) problems.push(`has ${JSON.stringify(text)}`);
  }
  return problems;
}

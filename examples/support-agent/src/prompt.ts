import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The three prompt files, as read. */
export interface Prompts {
  system: string;
  examples: string[];
  template: string;
}

/** The values for the placeholders of context.tmpl. */
export interface Context {
  release: string | null;
  intent: string;
  confidence: number;
  question: string;
  passages: readonly { id: string; text: string }[];
  tools: Record<string, unknown>;
}

/** Reads system.md, few-shot.jsonl (its order counts: the last fitting example wins) and context.tmpl. */
export function loadPrompts(dir: string): Prompts {
  const read = (file: string) => readFileSync(join(dir, file), "utf8");
  const examples = read("few-shot.jsonl")
    .split("\n")
    .filter((line) => line !== "");
  return { system: read("system.md").trim(), examples, template: read("context.tmpl").trim() };
}

/**
 * The final prompt: system prompt, examples, and the context template filled in one pass. Every value goes in
 * as one line of JSON, so no question, passage or tool result can open a section of its own.
 */
export function assemble(prompts: Prompts, context: Context): string {
  const filled = prompts.template.replace(/\{\{(\w+)\}\}/g, (_, name: string) => {
    if (!Object.hasOwn(context, name)) throw new Error(`context.tmpl: no value for {{${name}}}`);
    return JSON.stringify(context[name as keyof Context]);
  });
  return [
    "=== SYSTEM ===",
    prompts.system,
    "=== EXAMPLES ===",
    ...prompts.examples,
    "=== CONTEXT ===",
    filled,
  ].join("\n");
}

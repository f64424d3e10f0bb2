/**
 * Stands in for the language model: one prompt in, one answer out, and nothing else to go by. It is
 * deterministic, follows the examples like a pattern, and takes name, tone and fixed phrases from the system
 * prompt; so a changed prompt changes what customers read.
 */
interface Example {
  intent: string;
  when: string;
  answer: string;
}

/** Answers an assembled prompt. */
export function respond(prompt: string): string {
  const [system, examples, context] = sections(prompt);
  const intent = String(field(context, "Intent") ?? "");
  const results = (field(context, "Tool results") ?? {}) as Record<string, Record<string, unknown>>;
  const passages = (field(context, "Passages") ?? []) as { text: string }[];
  if (intent === "refused") return phrase(system, "Refusal");
  if (results.outage) return phrase(system, "Outage");

  const states = situation(results, passages.length > 0);
  const example = choose(examples, intent, states);
  if (!example) return phrase(system, "Unsure");
  const articles = (results.search_help?.articles ?? []) as { title: string }[];
  const slots: Record<string, unknown> = {
    ...results.lookup_order,
    ...results.create_ticket,
    passage: passages[0]?.text,
    persona: /^# (.+)$/m.exec(system)?.[1],
    unsure: phrase(system, "Unsure"),
    articles: [...new Set(articles.map(({ title }) => title))].join("; "),
  };
  const answer = example.answer.replace(/\{(\w+)\}/g, (_, name: string) => String(slots[name] ?? ""));
  const friendly = /^- Tone: friendly$/m.test(system) && ["found", "passage"].includes(example.when);
  const whole = friendly ? `${phrase(system, "Opening")} ${answer} ${phrase(system, "Closing")}` : answer;
  return shorten(whole, Number(/^- Longest answer: (\d+) characters$/m.exec(system)?.[1] ?? 600));
}

/** What the tools and passages allow to be said, the most telling first. */
function situation(results: Record<string, Record<string, unknown>>, passages: boolean): string[] {
  const states: string[] = [];
  if (results.create_ticket) states.push("ticket");
  if (results.lookup_order) states.push(results.lookup_order.found === true ? "found" : "not_found");
  if ((results.search_help?.articles as unknown[] | undefined)?.length) states.push("articles");
  if (passages) states.push("passage");
  return [...states, "missing", "plain"];
}

function choose(examples: string, intent: string, states: readonly string[]): Example | undefined {
  const parsed = examples.split("\n").map((line) => JSON.parse(line) as Example);
  for (const state of states) {
    const example = parsed.findLast((entry) => entry.intent === intent && entry.when === state);
    if (example) return example;
  }
  return undefined;
}

function sections(prompt: string): [string, string, string] {
  const match = /^=== SYSTEM ===\n(.*?)\n=== EXAMPLES ===\n(.*?)\n=== CONTEXT ===\n(.*)$/s.exec(prompt);
  if (!match) throw new Error("prompt: needs the sections SYSTEM, EXAMPLES and CONTEXT");
  return [match[1]!, match[2]!, match[3]!];
}

/** The JSON value after `Label: ` in the context; a confidence in brackets after it is left out. */
function field(context: string, label: string): unknown {
  const line = context.split("\n").find((entry) => entry.startsWith(`${label}: `));
  return line === undefined
    ? undefined
    : JSON.parse(line.slice(label.length + 2).replace(/ \([0-9.]+\)$/, ""));
}

/** The paragraph under a `## Title` of the system prompt. */
function phrase(system: string, title: string): string {
  const after = system.split(`\n## ${title}\n`)[1] ?? "";
  return after.split("\n## ")[0]!.trim().replace(/\s+/g, " ");
}

function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const cut = text.slice(0, most - 1);
  const end = cut.lastIndexOf(". ");
  return end > 0 ? cut.slice(0, end + 1) : `${cut.toWellFormed()}…`;
}

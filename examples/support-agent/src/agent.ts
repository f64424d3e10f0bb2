import { join } from "node:path";
import { loadClassifier } from "./classifier.ts";
import { refusalFor } from "./guard.ts";
import { connectTools, type ToolClient } from "./mcp-client.ts";
import { assemble, loadPrompts } from "./prompt.ts";
import { respond } from "./responder.ts";
import { loadCorpus, type Passage } from "./retrieval.ts";
import { createSessions } from "./sessions.ts";
import { MAX_QUESTION, orderReference, plainText } from "./text.ts";

/** What a customer gets back. */
export interface Answer {
  answer: string;
  intent: string;
  confidence: number;
  sources: { id: string; title: string }[];
  tools: { name: string; ok: boolean }[];
}

/** A running agent. */
export interface Agent {
  ask(question: string, session?: string): Promise<Answer>;
  close(): Promise<void>;
}

/** Where the parts of the agent are, and the release that it was started as. */
export interface AgentOptions {
  root: string;
  model?: string;
  release?: string | null;
}

const RETRIEVES = new Set(["shipping", "product_question", "account", "refund"]);

/** Loads model, corpus and prompts, and starts the tool server. */
export async function createAgent({ root, model, release = null }: AgentOptions): Promise<Agent> {
  const classifier = loadClassifier(model ?? join(root, "model"));
  const corpus = loadCorpus(join(root, "corpus"));
  const prompts = loadPrompts(join(root, "prompts"));
  const sessions = createSessions();
  const client = await connectTools(root);

  return {
    async ask(raw, session) {
      const question = plainText(raw.slice(0, MAX_QUESTION));
      const refused = refusalFor(raw, question) !== null;
      const { order: named, postcode } = orderReference(question);
      const before = sessions.recall(session);
      const order = named ?? (postcode === null ? null : (before?.order ?? null));
      const prediction = classifier.predict(question);
      let { intent, confidence } = prediction;
      if (refused) [intent, confidence] = ["refused", 1];
      else if (named === null && order !== null) intent = before!.intent;
      else if (!prediction.sure) intent = named === null ? "unsure" : "order_status";
      if (!refused && named !== null) sessions.remember(session, { order: named, intent });

      const calls: Answer["tools"] = [];
      const tools = await runTools(client, calls, { intent, question, order, postcode });
      const passages: Passage[] = RETRIEVES.has(intent) ? corpus.search(question, { limit: 2, intent }) : [];
      const prompt = assemble(prompts, {
        release,
        intent,
        confidence: Math.round(confidence * 1e4) / 1e4,
        question,
        passages: passages.map(({ id, text }) => ({ id, text })),
        tools,
      });
      return {
        answer: respond(prompt),
        intent,
        confidence: Math.round(confidence * 1e4) / 1e4,
        sources: passages.map(({ id, title }) => ({ id, title })),
        tools: calls,
      };
    },
    close: () => client.close(),
  };
}

interface Request {
  intent: string;
  question: string;
  order: string | null;
  postcode: string | null;
}

/** Calls the tools that an intent needs; a refund ticket is opened only for an order that was found. */
async function runTools(client: ToolClient, calls: Answer["tools"], request: Request) {
  const { intent, question, order, postcode } = request;
  const results: Record<string, unknown> = {};
  const call = async (name: string, args: Record<string, unknown>) => {
    const entry = { name, ok: false };
    calls.push(entry);
    const result = await client.call(name, args);
    results[name] = result;
    entry.ok = true;
    return result;
  };
  try {
    if ((intent === "order_status" || intent === "refund") && order !== null && postcode !== null) {
      const { found } = await call("lookup_order", { order, postcode });
      if (intent === "refund" && found === true) {
        await call("create_ticket", { topic: "refund", text: question.slice(0, 1000).toWellFormed(), order });
      }
    }
    if (intent === "complaint") {
      await call("create_ticket", { topic: "complaint", text: question.slice(0, 1000).toWellFormed() });
    }
    if (intent === "unsure" && question !== "")
      await call("search_help", { query: question.slice(0, 200).toWellFormed() });
  } catch {
    results.outage = true;
  }
  return results;
}

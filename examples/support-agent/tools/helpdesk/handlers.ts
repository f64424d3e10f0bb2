import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadCorpus } from "../../src/retrieval.ts";

const MOST_TICKETS = 10_000;

interface Order {
  order: string;
  postcode: string;
  status: string;
  detail: string;
}

/** Takes arguments that already fit the tool's inputSchema; returns its structured result. */
export type Handler = (args: Record<string, unknown>) => Record<string, unknown>;

/** The three tools over orders.json, the corpus, and tickets kept in memory. */
export function createHandlers(root: string): Record<string, Handler> {
  const orders = JSON.parse(readFileSync(join(root, "tools/helpdesk/orders.json"), "utf8")) as Order[];
  const corpus = loadCorpus(join(root, "corpus"));
  let tickets = 0;
  return {
    lookup_order({ order, postcode }) {
      const match = orders.find((entry) => entry.order === order && entry.postcode === postcode);
      return match
        ? { found: true, order: match.order, status: match.status, detail: match.detail }
        : { found: false };
    },
    create_ticket({ topic }) {
      if (tickets >= MOST_TICKETS) throw new Error("the ticket queue is full");
      tickets++;
      return { ticket: `HT-${String(tickets).padStart(6, "0")}`, topic };
    },
    search_help({ query, limit }) {
      const found = corpus.search(String(query), { limit: Number(limit ?? 3) });
      return { articles: found.map(({ id, title, text }) => ({ id, title, text })) };
    },
  };
}

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ln } from "./maths.ts";

/** A paragraph of a help article; the topic of the article is the intent that it serves. */
export interface Passage {
  id: string;
  title: string;
  text: string;
  topic: string;
}

/** The indexed help articles. */
export interface Corpus {
  passages: readonly Passage[];
  search(query: string, options: { limit: number; intent?: string }): Passage[];
}

const K1 = 1.2;
const B = 0.5;
const INTENT_BOOST = 2.5;
const STOP = new Set(
  "a an and any are as at be by can could do does for from get have how id i if in is into it ive like me my of on or our please something the this to us use want was we what when where which will with would you your".split(
    " ",
  ),
);

/** Reads the .md files of a folder, in the order of their names, and indexes their paragraphs for BM25. */
export function loadCorpus(dir: string): Corpus {
  const files = readdirSync(dir).filter((file) => file.endsWith(".md"));
  const passages = files
    .sort()
    .flatMap((file) => parse(file.slice(0, -3), readFileSync(join(dir, file), "utf8")));
  const documents = passages.map(({ title, text }) => terms(`${title} ${text}`));
  const mean = documents.reduce((sum, words) => sum + words.length, 0) / Math.max(1, documents.length);
  const containing = new Map<string, number>();
  for (const words of documents) {
    for (const word of new Set(words)) containing.set(word, (containing.get(word) ?? 0) + 1);
  }
  return {
    passages,
    search(query, { limit, intent }) {
      const wanted = [...new Set(terms(query))];
      return documents
        .map((words, index) => {
          let score = 0;
          for (const word of wanted) {
            const count = words.filter((other) => other === word).length;
            if (count === 0) continue;
            const rare = ln(
              1 + (documents.length - containing.get(word)! + 0.5) / (containing.get(word)! + 0.5),
            );
            score += (rare * count * (K1 + 1)) / (count + K1 * (1 - B + (B * words.length) / mean));
          }
          const passage = passages[index]!;
          return {
            passage,
            score: intent && passage.topic === intent ? score * INTENT_BOOST : score,
          };
        })
        .filter(({ score }) => score > 0)
        .sort((a, b) => b.score - a.score)
        .slice(0, limit)
        .map(({ passage }) => passage);
    },
  };
}

function parse(name: string, article: string): Passage[] {
  const match = /^# (.+)\n\nTopic: ([a-z_]+)\n\n/.exec(article);
  if (!match) throw new Error(`corpus: ${name}.md needs a title and a topic`);
  const paragraphs = article
    .slice(match[0].length)
    .trim()
    .split(/\n{2,}/);
  return paragraphs.map((text, index) => ({
    id: `${name}#${index + 1}`,
    title: match[1]!,
    text: text.replace(/\s+/g, " "),
    topic: match[2]!,
  }));
}

const SYNONYMS: Readonly<Record<string, string>> = {
  much: "cost",
  price: "cost",
  fee: "cost",
  shipp: "deliver",
};

/** Lower-case words without stop words, with the commonest English endings cut off. */
function terms(text: string): string[] {
  const found = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return found.filter((word) => !STOP.has(word)).map((word) => SYNONYMS[stem(word)] ?? stem(word));
}

function stem(word: string): string {
  if (word.length <= 3) return word;
  return word.replace(/(?:ies|y)$/, "i").replace(/(?:ing|ed|es|s|e)$/, "");
}

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One labelled utterance. */
export interface Example {
  text: string;
  intent: string;
}

/** The training and held-out examples, and the SHA-256 of both files one after the other. */
export interface Dataset {
  train: Example[];
  holdout: Example[];
  sha256: string;
}

/** Reads intents.jsonl and holdout.jsonl; refuses bad lines and held-out texts that are also trained on. */
export function loadDataset(dir: string): Dataset {
  const hash = createHash("sha256");
  const [train, holdout] = ["intents.jsonl", "holdout.jsonl"].map((file) => {
    const bytes = readFileSync(join(dir, file));
    hash.update(bytes);
    return parse(file, bytes.toString("utf8"));
  }) as [Example[], Example[]];
  const seen = new Set(train.map(({ text }) => text.toLowerCase()));
  const leaked = holdout.find(({ text }) => seen.has(text.toLowerCase()));
  if (leaked) throw new Error(`holdout.jsonl: also in intents.jsonl: ${leaked.text}`);
  return { train, holdout, sha256: hash.digest("hex") };
}

function parse(file: string, text: string): Example[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line, index) => {
    const row: unknown = JSON.parse(line);
    const { text, intent } = row as Example;
    if (
      typeof text !== "string" ||
      text === "" ||
      typeof intent !== "string" ||
      !/^[a-z_]{1,40}$/.test(intent)
    ) {
      throw new Error(`${file}:${index + 1}: needs {"text", "intent"}`);
    }
    return { text, intent };
  });
}

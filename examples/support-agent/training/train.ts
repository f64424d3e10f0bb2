/**
 * Trains the intent model: multinomial logistic regression over hashed n-grams, by stochastic gradient
 * descent. The same dataset gives the same bytes on every machine and engine: seeded order, fixed epochs,
 * float32 weights, no Math.random, no Math.exp, no clock.
 *
 *   node training/train.ts --dataset dataset --out model
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type ModelConfig, score } from "../src/classifier.ts";
import { type FeatureSettings, featurise } from "../src/features.ts";
import { softmax } from "../src/maths.ts";
import { writeSafetensors } from "../src/safetensors.ts";
import { type Example, loadDataset } from "./data.ts";

const FEATURES: FeatureSettings = { buckets: 65536, wordGrams: 2, charMin: 3, charMax: 5 };
const SEED = 20260101;
const EPOCHS = 40;
const RATE = 2;
const THRESHOLD = 0.4;

/** What a training run prints. */
export interface Report {
  examples: number;
  accuracy: number;
  sha256: string;
}

/** Trains from `dataset` and writes intent.safetensors and config.json to `out`. */
export function train(dataset: string, out: string): Report {
  const data = loadDataset(dataset);
  const labels = [...new Set(data.train.map(({ intent }) => intent))].sort();
  const { weight, bias } = fit(data.train, labels);
  const right = data.holdout.filter(({ text, intent }) => {
    const logits = score(text, FEATURES, weight, bias);
    return labels[logits.indexOf(Math.max(...logits))] === intent;
  });
  const accuracy = right.length / data.holdout.length;
  const bytes = writeSafetensors(
    {
      bias: { shape: [labels.length], data: bias },
      weight: { shape: [FEATURES.buckets, labels.length], data: weight },
    },
    { dataset: `sha256:${data.sha256}`, format: "intent-classifier", version: "1" },
  );
  const config: ModelConfig & { training: object } = {
    version: 1,
    labels,
    features: FEATURES,
    threshold: THRESHOLD,
    training: {
      dataset: `sha256:${data.sha256}`,
      seed: SEED,
      epochs: EPOCHS,
      rate: RATE,
      holdoutAccuracy: accuracy,
    },
  };
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "intent.safetensors"), bytes);
  writeFileSync(join(out, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  return { examples: data.train.length, accuracy, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function fit(examples: readonly Example[], labels: readonly string[]) {
  const weight = new Float32Array(FEATURES.buckets * labels.length);
  const bias = new Float32Array(labels.length);
  const rows = examples.map(({ text, intent }) => ({
    text,
    ...featurise(text, FEATURES),
    target: labels.indexOf(intent),
  }));
  const random = mulberry32(SEED);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    shuffle(rows, random);
    const rate = Math.fround(RATE / (1 + epoch / 4));
    for (const { text, indexes, value, target } of rows) {
      const chances = softmax(score(text, FEATURES, weight, bias));
      for (let label = 0; label < labels.length; label++) {
        const step = Math.fround(rate * ((label === target ? 1 : 0) - chances[label]!));
        bias[label]! += step / 10;
        for (const index of indexes) weight[index * labels.length + label]! += step * value;
      }
    }
  }
  return { weight, bias };
}

/** Fisher-Yates, in place. */
function shuffle<T>(items: T[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random() % (i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}

/** A small seeded generator of 32-bit integers. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  const { values } = parseArgs({
    options: { dataset: { type: "string" }, out: { type: "string" } },
  });
  const report = train(
    values.dataset === undefined ? join(root, "dataset") : resolve(values.dataset),
    values.out === undefined ? join(root, "model") : resolve(values.out),
  );
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

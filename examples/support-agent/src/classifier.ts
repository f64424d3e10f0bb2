import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type FeatureSettings, featurise } from "./features.ts";
import { softmax } from "./maths.ts";
import { readSafetensors } from "./safetensors.ts";

/** model/config.json, written by training. */
export interface ModelConfig {
  version: 1;
  labels: string[];
  features: FeatureSettings;
  threshold: number;
}

/** What the classifier thinks; below `threshold` the agent says that it is unsure. */
export interface Prediction {
  intent: string;
  confidence: number;
  sure: boolean;
}

/** A loaded intent model. */
export interface Classifier {
  labels: readonly string[];
  predict(text: string): Prediction;
}

/** The score of every label: bias plus the weights of the features that are present. */
export function score(
  text: string,
  settings: FeatureSettings,
  weight: Float32Array,
  bias: Float32Array,
): number[] {
  const { indexes, value } = featurise(text, settings);
  const logits = Array.from(bias);
  for (const index of indexes) {
    for (let label = 0; label < logits.length; label++) {
      logits[label]! += weight[index * logits.length + label]! * value;
    }
  }
  return logits;
}

/** Loads intent.safetensors and config.json from a folder, and refuses files that do not fit together. */
export function loadClassifier(dir: string): Classifier {
  const config = parseConfig(JSON.parse(readFileSync(join(dir, "config.json"), "utf8")));
  const { weight, bias } = readSafetensors(readFileSync(join(dir, "intent.safetensors")));
  const { labels, features, threshold } = config;
  if (
    weight?.shape.join() !== `${features.buckets},${labels.length}` ||
    bias?.shape.join() !== `${labels.length}`
  ) {
    throw new Error("model: the tensors do not have the shape that config.json says");
  }
  if (![...weight.data, ...bias.data].every(Number.isFinite))
    throw new Error("model: a weight is not finite");
  return {
    labels,
    predict(text) {
      const chances = softmax(score(text, features, weight.data, bias.data));
      let best = 0;
      for (let i = 1; i < chances.length; i++) if (chances[i]! > chances[best]!) best = i;
      const confidence = chances[best]!;
      return { intent: labels[best]!, confidence, sure: confidence >= threshold };
    },
  };
}

function parseConfig(value: unknown): ModelConfig {
  const config = value as ModelConfig;
  const count = (n: unknown, most: number) =>
    Number.isInteger(n) && (n as number) >= 1 && (n as number) <= most;
  const ok =
    config?.version === 1 &&
    Array.isArray(config.labels) &&
    config.labels.length >= 2 &&
    config.labels.every((label) => typeof label === "string") &&
    count(config.features?.buckets, 1 << 20) &&
    count(config.features.wordGrams, 4) &&
    count(config.features.charMin, 8) &&
    count(config.features.charMax, 8) &&
    config.threshold >= 0 &&
    config.threshold < 1;
  if (!ok) throw new Error("model: config.json is not a version 1 intent model");
  return config;
}

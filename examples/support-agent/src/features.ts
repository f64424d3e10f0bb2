import { sqrt } from "./maths.ts";

/** How text becomes features; kept in the model's config.json, so that training and serving agree. */
export interface FeatureSettings {
  buckets: number;
  wordGrams: number;
  charMin: number;
  charMax: number;
}

/** A sparse vector: every bucket in `indexes` has the value `value`. */
export interface Features {
  indexes: Uint32Array;
  value: number;
}

/** Lower case, order numbers and digits folded into words, everything else but letters into spaces. */
export function words(text: string): string[] {
  const folded = text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\bhb-?\d+/g, " ordernumber ")
    .replace(/\d+/g, " digits ")
    .replace(/['’]/g, "")
    .replace(/[^a-z]+/g, " ")
    .trim();
  return folded === "" ? [] : folded.split(" ");
}

/** Hashed word and character n-grams, scaled to length 1. */
export function featurise(text: string, settings: FeatureSettings): Features {
  const tokens = words(text);
  const found = new Set<number>();
  for (let n = 1; n <= settings.wordGrams; n++) {
    for (let i = 0; i + n <= tokens.length; i++) {
      found.add(bucket(`w${n}:${tokens.slice(i, i + n).join(" ")}`, settings.buckets));
    }
  }
  for (const token of tokens) {
    const padded = `<${token}>`;
    for (let n = settings.charMin; n <= settings.charMax; n++) {
      for (let i = 0; i + n <= padded.length; i++) {
        found.add(bucket(`c:${padded.slice(i, i + n)}`, settings.buckets));
      }
    }
  }
  const indexes = Uint32Array.from(found).sort();
  return { indexes, value: indexes.length === 0 ? 0 : Math.fround(1 / sqrt(indexes.length)) };
}

/** FNV-1a over the ASCII codes of the gram, folded to the number of buckets. */
function bucket(gram: string, buckets: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < gram.length; i++) {
    hash = Math.imul(hash ^ gram.charCodeAt(i), 0x01000193);
  }
  return ((hash ^ (hash >>> 15)) >>> 0) % buckets;
}

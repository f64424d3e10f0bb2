import type { KeyObject } from "node:crypto";
import type { Json } from "../../core/canonical-json.ts";
import type { Hex } from "../../core/digest.ts";
import type { BundleFacts } from "./anatomy.ts";
import type { ImageFacts } from "./image-facts.ts";
import type { SignedWith } from "./signed-with.ts";

/** Whose opinion is asked. The order is that of the answer. */
export const CONSUMER_NAMES = [
  "waybill",
  "cosign2",
  "cosign3",
  "model_signing",
  "policy-controller",
  "kyverno",
] as const;

export type ConsumerName = (typeof CONSUMER_NAMES)[number];

export type Outcome = "accepts" | "refuses" | "cannot tell";

/** What one consumer says, or would say. */
export interface Diagnosis {
  consumer: ConsumerName;
  /** As the program states it, or the versions whose rules were applied. */
  version?: string;
  how: "run" | "by its rules" | "not installed";
  outcome: Outcome;
  /** What was run, or what one would run, to be pasted into a shell: with the caller's own paths. */
  command?: string;
  /** Why it refuses or cannot be told; on what condition it accepts. */
  why: string[];
  /** How to make one that it accepts. */
  fix: string[];
  /** The last line that the program printed before it refused: for people, never evidence. */
  said?: string;
}

/** One obstacle: why a consumer refuses, and how to make a bundle that it accepts. */
export interface Obstacle {
  why: string;
  fix: string;
}

/** What is foreseen from the formats and published rules alone. */
export interface Prediction {
  outcome: Outcome;
  obstacles: Obstacle[];
  /** Conditions of an acceptance, and what is missing for an answer. */
  notes: string[];
}

/** A file that the caller named: where it is and, where it was read, what it says. */
export interface NamedFile {
  /** As the caller wrote it, for commands to paste. */
  given: string;
  /** Absolute. */
  path: string;
}

/** What a bundle is checked against. */
export interface Artifact extends NamedFile {
  /** A folder is a model; only model_signing reads it. */
  folder: boolean;
  /** Of a file, in hex, by algorithm: sha256, sha384, sha512. */
  digests: Readonly<Record<string, string>>;
}

/** A bundle and everything that was given with it. */
export interface BundleQuestion {
  kind: "bundle";
  file: NamedFile;
  text: string;
  facts: BundleFacts | { problem: string };
  key?: NamedFile & { pem: string; key: KeyObject };
  /** How the bundle's signature was made, where a key was given. */
  signedWith?: SignedWith;
  identity?: string;
  issuer?: string;
  trustedRoot?: NamedFile & { text: string; data: Json };
  artifact?: Artifact;
  digest?: { algorithm: string; hex: string };
  /** What Waybill's own verification says; undefined where something that it needs was not given. */
  own?:
    | { verified: true /** Of the verified certificate. */; holder?: { subjects: string[]; issuer?: string } }
    | { problem: string; code?: string };
}

/** An image and what was found beside it in its registry or layout. */
export interface ImageQuestion {
  kind: "image";
  image: ImageFacts;
  key?: NamedFile & { pem: string; key: KeyObject };
  identity?: string;
  issuer?: string;
  trustedRoot?: NamedFile & { text: string; data: Json };
  /** The image's digest in hex. */
  digest: Hex;
  /** What Waybill's own verification says; undefined where no key was given and there is no certificate. */
  own?: { verified: true } | { problem: string };
}

export type Question = BundleQuestion | ImageQuestion;

/** Where programs are looked for, and how long one may take. */
export interface Bench {
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  timeoutMs: number;
}

/** One consumer of signatures. One file each, one line in `consumers.ts`. */
export interface Consumer {
  name: ConsumerName;
  diagnose(question: Question, bench: Bench): Promise<Diagnosis>;
}

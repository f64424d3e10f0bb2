import { decodeBase64 } from "./base64.ts";
import { HASH_SIZE, type Hash } from "./merkle.ts";
import {
  type NoteProblem,
  type NoteVerifier,
  parseNote,
  type SignedNote,
  textProblem,
  type VerifiedSignature,
  verifyNote,
} from "./note.ts";

/** The head of a transparency log's tree: https://c2sp.org/tlog-checkpoint. */
export interface Checkpoint {
  /** Names the log; not empty, one line. */
  origin: string;
  /** Leaves in the tree, 0 to 2^53 - 1. */
  size: number;
  /** RFC 6962 root, 32 bytes. */
  root: Hash;
  /** Lines after the root; opaque, mostly none. */
  extensions: readonly string[];
}

/**
 * Reads the text of a checkpoint, which is a note's text without its signatures, strictly: there is one text for
 * each checkpoint. A size above 2^53 - 1, which the specification allows, is refused.
 */
export function parseCheckpoint(text: string): Checkpoint | NoteProblem {
  const invalid = textProblem(text);
  if (invalid !== null) return { problem: invalid };
  const lines = text.split("\n");
  if (lines.pop() !== "") return { problem: "the checkpoint does not end in a newline" };
  if (lines.length < 3) return { problem: "the checkpoint has fewer than three lines" };
  if (lines.includes("")) return { problem: "a line of the checkpoint is empty" };
  const [origin, digits, base64, ...extensions] = lines as [string, string, string, ...string[]];
  const size = parseTreeSize(digits);
  if (size === null) return { problem: "the tree size is not a decimal number from 0 to 2^53 - 1" };
  const root = decodeBase64(base64);
  if (root === null || root.length !== HASH_SIZE) return { problem: "the root is not 32 bytes in base64" };
  return { origin, size, root, extensions };
}

/**
 * The text of a checkpoint, to be signed by `signNote`.
 *
 * @throws RangeError for values that no checkpoint can hold
 */
export function encodeCheckpoint(checkpoint: {
  origin: string;
  size: number;
  root: Hash;
  extensions?: readonly string[];
}): string {
  const { origin, size, root, extensions = [] } = checkpoint;
  const text = [origin, size, Buffer.from(root).toString("base64"), ...extensions, ""].join("\n");
  const parsed = parseCheckpoint(text);
  if ("problem" in parsed) throw new RangeError(parsed.problem);
  // A newline in the origin or an extension would have moved the lines.
  if (parsed.origin !== origin || parsed.extensions.length !== extensions.length)
    throw new RangeError("a line of a checkpoint holds a newline");
  return text;
}

/** A checkpoint that a trusted key of its log signed. */
export interface OpenedCheckpoint {
  checkpoint: Checkpoint;
  note: SignedNote;
  /** The log's own signatures, at least one. */
  log: readonly VerifiedSignature[];
  /** Cosignatures by trusted witnesses, each key once. */
  witnesses: readonly VerifiedSignature[];
}

/**
 * Reads a signed checkpoint and verifies who signed it. It is refused unless its origin is the one asked for and
 * at least one of the log's keys signed it; one invalid signature by any of the given keys refuses it.
 */
export function openCheckpoint(
  signed: string,
  trusted: { origin: string; log: readonly NoteVerifier[]; witnesses?: readonly NoteVerifier[] },
): OpenedCheckpoint | NoteProblem {
  const note = parseNote(signed);
  if ("problem" in note) return note;
  const checkpoint = parseCheckpoint(note.text);
  if ("problem" in checkpoint) return checkpoint;
  if (checkpoint.origin !== trusted.origin) return { problem: "the checkpoint is of another log" };
  const verified = verifyNote(note, [...trusted.log, ...(trusted.witnesses ?? [])]);
  if ("problem" in verified) return verified;
  const log = verified.signatures.filter(({ verifier }) => trusted.log.includes(verifier));
  if (log.length === 0) return { problem: "no trusted key of the log signed the checkpoint" };
  const witnesses = verified.signatures.filter(({ verifier }) => !trusted.log.includes(verifier));
  return { checkpoint, note, log, witnesses };
}

/** A tree size in decimal without leading zeros, at most 2^53 - 1; else null. */
export function parseTreeSize(digits: string): number | null {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(digits)) return null;
  const size = Number(digits);
  return Number.isSafeInteger(size) ? size : null;
}

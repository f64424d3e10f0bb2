import { decodeBase64 } from "./base64.ts";
import { isKeyName, type NoteProblem, type NoteSigner, type NoteVerifier } from "./note-keys.ts";

export { decodeBase64 } from "./base64.ts";
export * from "./note-keys.ts";

// C2SP signed notes (https://c2sp.org/signed-note): a text and signature lines under it. Pure: no clock, no files.

/** Most signatures that a note may carry; the specification asks for at least 16. */
export const MAX_SIGNATURES = 100;

/** Longest note that is read, in bytes of UTF-8. */
export const MAX_NOTE = 64 * 1024;

/** One signature line, not yet verified. */
export interface NoteSignature {
  name: string;
  /** The first four bytes of the decoded signature, as 8 lower-case hex digits. */
  keyId: string;
  /** What follows the key id. */
  signature: Uint8Array;
}

/** A note as it was read; nothing in it is to be believed before `verifyNote`. */
export interface SignedNote {
  /** The signed text with its last newline. */
  text: string;
  /** In the order of the lines, at least one. */
  signatures: readonly NoteSignature[];
}

/** A signature that holds. */
export interface VerifiedSignature {
  verifier: NoteVerifier;
  /** When a cosigner says that it signed, in POSIX seconds; absent for other kinds of signature. */
  time?: number;
}

/**
 * Reads a signed note strictly: at most 64 KiB of well-formed text without control characters, a text that ends
 * in a newline, an empty line, and 1 to 100 lines `— name base64`, in standard base64 with its padding. The text
 * may hold empty lines: the last one separates.
 */
export function parseNote(note: string): SignedNote | NoteProblem {
  if (note.length > MAX_NOTE || Buffer.byteLength(note) > MAX_NOTE)
    return { problem: `the note is longer than ${MAX_NOTE} bytes` };
  const invalid = textProblem(note);
  if (invalid !== null) return { problem: invalid };
  const cut = note.lastIndexOf("\n\n");
  if (cut < 0) return { problem: "the note has no empty line between text and signatures" };
  const lines = note.slice(cut + 2).split("\n");
  if (lines.pop() !== "") return { problem: "the note does not end in a newline" };
  if (lines.length === 0) return { problem: "the note has no signatures" };
  if (lines.length > MAX_SIGNATURES)
    return { problem: `the note has more than ${MAX_SIGNATURES} signatures` };
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = parseSignatureLine(line);
    if (signature === null) return { problem: `signature line ${signatures.length + 1} is malformed` };
    signatures.push(signature);
  }
  return { text: note.slice(0, cut + 1), signatures };
}

/** Reads one signature line without its newline; null when it is not one. */
export function parseSignatureLine(line: string): NoteSignature | null {
  const match = /^\u2014 ([^ ]+) ([^ ]+)$/u.exec(line);
  if (match === null || !isKeyName(match[1]!)) return null;
  const bytes = decodeBase64(match[2]!);
  // A signature of no bytes proves nothing under any algorithm.
  if (bytes === null || bytes.length < 5) return null;
  return { name: match[1]!, keyId: bytes.subarray(0, 4).toString("hex"), signature: bytes.subarray(4) };
}

/**
 * Tells which of the known keys signed a note. Lines of unknown keys are ignored. As in golang.org/x/mod's
 * sumdb/note, one signature of a known name and key id that does not hold refuses the whole note, and so does a
 * note that none of the keys signed. A second line of a known key refuses it too: nobody may be counted twice.
 *
 * @param verifiers the trusted keys; two with the same name and key id are refused as well
 * @returns the signatures that hold, at least one, in the order of the lines
 */
export function verifyNote(
  note: SignedNote,
  verifiers: readonly NoteVerifier[],
): { signatures: readonly VerifiedSignature[] } | NoteProblem {
  const known = new Map<string, NoteVerifier>();
  for (const verifier of verifiers) {
    const key = identity(verifier);
    if (known.has(key))
      return { problem: `two trusted keys are named ${verifier.name} with id ${verifier.keyId}` };
    known.set(key, verifier);
  }
  const found = new Map<string, VerifiedSignature>();
  for (const line of note.signatures) {
    const key = identity(line);
    const verifier = known.get(key);
    if (verifier === undefined) continue;
    if (found.has(key)) return { problem: `the key ${line.name} ${line.keyId} signed twice` };
    const problem = verifier.verify(note.text, line.signature);
    if (problem !== null)
      return { problem: `the signature by ${line.name} ${line.keyId} is invalid: ${problem}` };
    const time = verifier.time?.(line.signature);
    found.set(key, time === undefined ? { verifier } : { verifier, time });
  }
  if (found.size === 0) return { problem: "no trusted key signed the note" };
  return { signatures: [...found.values()] };
}

/**
 * Signs a text by each signer, in their order.
 *
 * @param text well-formed, without control characters, ending in a newline
 * @throws RangeError for any other text or without signers: a caller's mistake
 */
export function signNote(text: string, ...signers: readonly NoteSigner[]): string {
  if (!text.endsWith("\n") || textProblem(text) !== null)
    throw new RangeError("a note's text is well-formed and ends in a newline");
  if (signers.length === 0) throw new RangeError("a note has at least one signature");
  return `${text}\n${signers.map((signer) => signatureLine(text, signer)).join("")}`;
}

/** The signature line of one signer over a note's text, with its newline. */
export function signatureLine(text: string, signer: NoteSigner): string {
  return encodeSignatureLine({ name: signer.name, keyId: signer.keyId, signature: signer.sign(text) });
}

/** A signature line as it stands in a note, with its newline. */
export function encodeSignatureLine({ name, keyId, signature }: NoteSignature): string {
  const bytes = Buffer.concat([Buffer.from(keyId, "hex"), signature]);
  return `\u2014 ${name} ${bytes.toString("base64")}\n`;
}

/** The text of a note, the inverse of parseNote. */
export function encodeNote(note: SignedNote): string {
  return `${note.text}\n${note.signatures.map(encodeSignatureLine).join("")}`;
}

/** What no note may hold, or null: unpaired surrogates, and control characters other than newline. */
export function textProblem(text: string): string | null {
  if (!text.isWellFormed()) return "the text is not well-formed Unicode";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  return /[\u0000-\u0009\u000b-\u001f]/.test(text) ? "the text holds control characters" : null;
}

function identity({ name, keyId }: { name: string; keyId: string }): string {
  return `${keyId} ${name}`;
}

import type { KeyObject } from "node:crypto";
import { type Checkpoint, parseCheckpoint, parseTreeSize } from "../core/checkpoint.ts";
import { HASH_SIZE, type Hash } from "../core/merkle.ts";
import {
  cosignatureSigner,
  decodeBase64,
  encodeVerifierKey,
  MAX_NOTE,
  type NoteVerifier,
  parseNote,
  type SignedNote,
  signatureLine,
  verifyNote,
} from "../core/note.ts";
import { verifyConsistency } from "../core/proof.ts";
import { NOTHING_SEEN, type WitnessedHead, type WitnessState } from "../store/witness-state.ts";

/** A proof in a tree of 2^63 leaves is no longer (c2sp.org/tlog-witness). */
export const MAX_PROOF = 63;

/** Largest body of an add-checkpoint request: the old size, 63 lines of 44 characters, and a note. */
export const MAX_ADD_CHECKPOINT = 32 + MAX_PROOF * 45 + MAX_NOTE;

/** What no honest log does: its key signed two trees of one size, or an empty tree that is not empty. */
export interface Misbehaviour {
  origin: string;
  seen: WitnessedHead;
  /** The signed checkpoint, to be kept as evidence. */
  note: SignedNote;
  problem: string;
}

export interface WitnessOptions {
  /** Name in the cosignature lines, such as `witness.example/w1`. */
  name: string;
  /** Ed25519; used by this witness alone. */
  privateKey: KeyObject;
  /** The keys of a log by its origin; undefined where the witness does not know it. */
  log: (origin: string) => readonly NoteVerifier[] | undefined;
  state: WitnessState;
  /** POSIX seconds. */
  now: () => number;
  onMisbehaviour?: (event: Misbehaviour) => void;
  /** Told why an answer was 503. */
  onError?: (error: unknown) => void;
}

/** A witness of transparency logs: https://c2sp.org/tlog-witness. */
export interface Witness {
  /** `name+id+base64`, what its users trust. */
  verifierKey: string;
  /** Answers one HTTP request. Never rejects. */
  handle(request: Request): Promise<Response>;
}

/**
 * Makes a witness that serves `POST …/add-checkpoint`. It cosigns a checkpoint only when a trusted key of the log
 * signed it and it contains the tree cosigned before, and only after the new head is on the disk. Several
 * requests and several processes on one state are put in order by the state's compare-and-swap.
 *
 * @throws RangeError when the key is not Ed25519 or the name cannot be one
 */
export function makeWitness(options: WitnessOptions): Witness {
  const { name, privateKey, onError } = options;
  // Fails now, not at the first request, when the key is of another kind.
  cosignatureSigner(name, privateKey, options.now);
  return {
    verifierKey: encodeVerifierKey(name, privateKey, "cosignature"),
    async handle(request) {
      if (!new URL(request.url).pathname.endsWith("/add-checkpoint")) return plain(404, "no such resource");
      if (request.method !== "POST") return plain(405, "use POST", { allow: "POST" });
      try {
        const body = await readBody(request);
        if (body === undefined) return plain(413, `more than ${MAX_ADD_CHECKPOINT} bytes`);
        return addCheckpoint(body, options);
      } catch (error) {
        onError?.(error);
        return plain(503, "the witness cannot do its work now");
      }
    },
  };
}

interface AddCheckpoint {
  oldSize: number;
  proof: Hash[];
  note: SignedNote;
  checkpoint: Checkpoint;
}

/** One request, from reading the state to signing without a pause: nothing else of this process comes between. */
function addCheckpoint(body: Uint8Array, options: WitnessOptions): Response {
  const { state, now, onMisbehaviour } = options;
  const parsed = parseAddCheckpoint(body);
  if ("problem" in parsed) return plain(400, parsed.problem);
  const { oldSize, proof, note, checkpoint } = parsed;
  const { origin } = checkpoint;
  const keys = options.log(origin);
  if (keys === undefined) return plain(404, "the log is not known here");
  const verified = verifyNote(note, keys);
  if ("problem" in verified) return plain(403, verified.problem);
  if (oldSize > checkpoint.size) return plain(400, "the old size is above the checkpoint's");

  // The cosignature says what was the largest tree at this time: taken before the head is looked at.
  const time = now();
  const seen = state.head(origin);
  if (oldSize !== seen.size) return conflict(seen);
  const head = { size: checkpoint.size, root: Buffer.from(checkpoint.root).toString("hex") };
  const problem = extensionProblem(seen, checkpoint, proof);
  if (problem !== null) {
    const forked = head.size === seen.size && head.root !== seen.root;
    // A bad proof may be anybody's; two roots under the log's signature are the log's own.
    if (forked) onMisbehaviour?.({ origin, seen, note, problem });
    return forked && head.size > 0 && proof.length === 0 ? conflict(seen) : plain(422, problem);
  }
  if (!state.advance(origin, seen, head)) return conflict(state.head(origin));
  const signer = cosignatureSigner(options.name, options.privateKey, () => time);
  return plain(200, signatureLine(note.text, signer).slice(0, -1));
}

/** Why the checkpoint's tree does not begin with the one that was seen, or null. */
function extensionProblem(seen: WitnessedHead, checkpoint: Checkpoint, proof: Hash[]): string | null {
  const root = Buffer.from(checkpoint.root).toString("hex");
  if (checkpoint.size === 0 && root !== NOTHING_SEEN.root) return "the root is not that of an empty tree";
  if (seen.size === 0) return proof.length === 0 ? null : "a proof from the empty tree must be empty";
  return verifyConsistency({
    size1: seen.size,
    size2: checkpoint.size,
    root1: Buffer.from(seen.root, "hex"),
    root2: checkpoint.root,
    proof,
  });
}

/** Reads the body of an add-checkpoint request (c2sp.org/tlog-witness, "add-checkpoint") strictly. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint | { problem: string } {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return { problem: "the request is not UTF-8" };
  }
  const cut = text.indexOf("\n\n");
  if (cut < 0) return { problem: "the request has no empty line" };
  const [old, ...lines] = text.slice(0, cut).split("\n") as [string, ...string[]];
  const oldSize = old.startsWith("old ") ? parseTreeSize(old.slice(4)) : null;
  if (oldSize === null) return { problem: "the request does not begin with the old size" };
  if (lines.length > MAX_PROOF) return { problem: `the proof has more than ${MAX_PROOF} hashes` };
  const proof: Hash[] = [];
  for (const line of lines) {
    const hash = decodeBase64(line);
    if (hash === null || hash.length !== HASH_SIZE)
      return { problem: "a line of the proof is no hash in base64" };
    proof.push(hash);
  }
  const note = parseNote(text.slice(cut + 2));
  if ("problem" in note) return note;
  const checkpoint = parseCheckpoint(note.text);
  if ("problem" in checkpoint) return checkpoint;
  return { oldSize, proof, note, checkpoint };
}

/** The body of an add-checkpoint request. */
export function encodeAddCheckpoint(
  oldSize: number,
  proof: readonly Hash[],
  signedCheckpoint: string,
): string {
  const lines = proof.map((hash) => `${Buffer.from(hash).toString("base64")}\n`);
  return `old ${oldSize}\n${lines.join("")}\n${signedCheckpoint}`;
}

async function readBody(request: Request): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > MAX_ADD_CHECKPOINT) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** 409 with the size that the client must start from. */
function conflict({ size }: WitnessedHead): Response {
  return new Response(`${size}\n`, { status: 409, headers: { "content-type": "text/x.tlog.size" } });
}

function plain(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  });
}

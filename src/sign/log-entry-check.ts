import { canonicalJson } from "../core/canonical-json.ts";
import { parseCheckpoint } from "../core/checkpoint.ts";
import { leafHash } from "../core/merkle.ts";
import { type NoteVerifier, parseNote, verifyNote } from "../core/note.ts";
import { verifyInclusion } from "../core/proof.ts";
import type { BundleProblem } from "./bundle-problem.ts";
import type { LogInclusion, SigningTime } from "./established.ts";
import type { InclusionProof, LogEntry } from "./log-entry.ts";
import { covers, type LogAuthority } from "./trusted-root.ts";
import { verifySignature } from "./verify-signature.ts";

/** What a log has proved of an entry. */
export interface CheckedEntry {
  inclusion: LogInclusion;
  times: SigningTime[];
}

/**
 * Verifies that an entry is in a log: its SET and its inclusion proof, each where it is there, at least one of them.
 *
 * - SET (Rekor v1): the log's signature over body, time, log and index; the log's window covers that time. One by an
 *   Ed25519 key counts as if it were not there: see `keepsTime`.
 * - Proof: a checkpoint that the log signed under its name, whose root and size the proof leads to.
 *   Checkpoints may bear other signatures; those of trusted witnesses give times. The log itself gives none: one of
 *   the times known by others must lie within its window.
 * - What is not signed must agree with what is: `rootHash` and `treeSize` with the checkpoint, and in Rekor v2, where
 *   there is one index only, both indexes.
 *
 * @param log the one that the entry names
 * @param stamped times of the signature by timestamp authorities
 * @returns undefined where nothing says when a log that is trusted no longer made the entry: whoever has its old key
 *   can make such entries, and they count as those of an unknown log. Never throws for any bytes
 */
export function checkLogEntry(
  entry: LogEntry,
  log: LogAuthority,
  witnesses: readonly NoteVerifier[],
  stamped: readonly SigningTime[],
): CheckedEntry | BundleProblem | undefined {
  const { proof } = entry;
  const promise = keepsTime(log) ? entry.promise : undefined;
  // An entry may name its log by either of its ids; it is one entry of one log.
  const logId = log.logId.toString("hex");
  const times: SigningTime[] = [];
  if (promise !== undefined) {
    const problem = promiseProblem(entry, promise, log);
    if (problem !== null) return { code: "WB-LOG-006", detail: problem };
    times.push({ at: entry.integratedTime * 1000, by: "rekor-set", authority: log.baseUrl });
  }
  if (proof?.checkpoint === undefined) {
    if (promise === undefined) return { code: "WB-LOG-002", detail: "the entry carries no proof" };
    return {
      inclusion: { origin: log.baseUrl, logId, index: entry.logIndex, witnesses: [] },
      times,
    };
  }
  const checked = checkProof(entry, proof, proof.checkpoint, log, witnesses);
  if (typeof checked === "string") return { code: "WB-LOG-002", detail: checked };
  if (promise === undefined) {
    const known = [...stamped, ...checked.times];
    if (known.length === 0 && log.end !== undefined) return undefined;
    if (known.length > 0 && !known.some(({ at }) => covers(log, at)))
      return { code: "WB-LOG-002", detail: "the log was not trusted when the signature was made" };
  }
  // A SET covers the index over all shards; without one only the proof's index is proved.
  const index = promise === undefined ? proof.logIndex : entry.logIndex;
  return {
    inclusion: { ...checked.inclusion, logId, index },
    times: [...times, ...checked.times],
  };
}

/**
 * Whether a log is one whose word on time is asked for. Tile logs have Ed25519 keys and promise nothing: Rekor v2, and
 * Waybill's journals, whose key lies without a passphrase beside the makers' keys. Whoever steals both must not be
 * able to date what he signs.
 */
function keepsTime({ publicKey }: LogAuthority): boolean {
  return publicKey.asymmetricKeyType !== "ed25519";
}

/** The text that a SET signs: RFC 8785 of these four (rekor, pkg/verify). */
function promiseProblem(entry: LogEntry, promise: Buffer, log: LogAuthority): string | null {
  if (entry.integratedTime === 0) return "the signed entry timestamp has no time";
  if (!covers(log, entry.integratedTime * 1000))
    return `the log ${log.baseUrl} was not trusted when it logged the entry`;
  const signed = canonicalJson({
    body: entry.body.toString("base64"),
    integratedTime: entry.integratedTime,
    logID: entry.logId.toString("hex"),
    logIndex: entry.logIndex,
  });
  return verifySignature(Buffer.from(signed, "utf8"), promise, log.publicKey) === null
    ? null
    : "the signed entry timestamp is not by its log";
}

function checkProof(
  entry: LogEntry,
  proof: InclusionProof,
  envelope: string,
  log: LogAuthority,
  witnesses: readonly NoteVerifier[],
): { inclusion: Omit<LogInclusion, "logId" | "index">; times: SigningTime[] } | string {
  if (entry.version === "0.0.2" && entry.kind !== "intoto" && proof.logIndex !== entry.logIndex)
    return "the entry's index and its proof's index differ";
  const note = parseNote(envelope);
  if ("problem" in note) return `the checkpoint is malformed: ${note.problem}`;
  const checkpoint = parseCheckpoint(note.text);
  if ("problem" in checkpoint) return `the checkpoint is malformed: ${checkpoint.problem}`;
  const names = namesOf(log.baseUrl);
  const hint = log.checkpointKeyId.subarray(0, 4).toString("hex");
  const line = note.signatures.find((each) => each.keyId === hint && names.includes(each.name));
  if (line === undefined) return "the checkpoint is not signed by its log";
  if (checkpoint.origin !== line.name && !checkpoint.origin.startsWith(`${line.name} - `))
    return "the checkpoint is of another log";
  const signer: NoteVerifier = {
    name: line.name,
    keyId: hint,
    verify: (text, signature) => verifySignature(Buffer.from(text, "utf8"), signature, log.publicKey),
  };
  const verified = verifyNote(note, [signer, ...witnesses]);
  if ("problem" in verified) return `the checkpoint is refused: ${verified.problem}`;
  const { size, root } = checkpoint;
  if (proof.rootHash && !proof.rootHash.equals(root))
    return "the proof and its checkpoint name different roots";
  if (proof.treeSize !== undefined && proof.treeSize !== size)
    return "the proof and its checkpoint name different sizes";
  const problem = verifyInclusion({
    index: proof.logIndex,
    size,
    leafHash: leafHash(entry.body),
    proof: proof.hashes,
    root,
  });
  if (problem !== null) return `the inclusion proof fails: ${problem}`;
  const cosigned = verified.signatures.filter((each) => each.verifier !== signer);
  return {
    inclusion: {
      origin: checkpoint.origin,
      checkpoint: { size, root: Buffer.from(root), note: envelope },
      witnesses: [...new Set(cosigned.map((each) => each.verifier.name))],
    },
    times: cosigned.flatMap(({ verifier, time }) =>
      time === undefined ? [] : [{ at: time * 1000, by: "witness" as const, authority: verifier.name }],
    ),
  };
}

/**
 * Names under which a log may sign: the host of its address, with and without port and path. Logs sign under
 * their host (rekor: `rekor.sigstore.dev`), tile logs under the address without its scheme.
 */
function namesOf(baseUrl: string): string[] {
  const bare = baseUrl.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/\/+$/, "");
  const host = bare.split("/", 1)[0]!;
  return [bare, host, host.replace(/:[0-9]+$/, "")].filter((name) => name !== "");
}

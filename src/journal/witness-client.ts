import { parseTreeSize } from "../core/checkpoint.ts";
import { WaybillError } from "../core/errors.ts";
import type { Hash } from "../core/merkle.ts";
import {
  encodeSignatureLine,
  type NoteVerifier,
  parseNote,
  parseSignatureLine,
  type SignedNote,
  verifyNote,
} from "../core/note.ts";
import { safeText } from "../core/safe-text.ts";
import { errorText } from "../net/answer-text.ts";
import { collect, watchedBody } from "../net/body.ts";
import { assertSafeUrl } from "../net/safe-url.ts";
import { encodeAddCheckpoint } from "./witness.ts";

/** Longest answer that is read, in bytes. */
export const MAX_ANSWER = 16 * 1024;

/** Seconds that a witness's clock may be off. */
const MAX_SKEW = 300;

/** Where a witness is and by which key it signs. */
export interface WitnessAddress {
  /** Submission prefix; `/add-checkpoint` is put behind it. */
  url: URL;
  /** A cosignature key. */
  verifier: NoteVerifier;
}

/** What came of asking a witness once. */
export type WitnessAnswer =
  /** `line` is its cosignature with the newline, verified over the checkpoint; `time` in POSIX seconds. */
  | { outcome: "cosigned"; line: string; time: number }
  /** It has cosigned another size: ask again with a proof from there. */
  | { outcome: "conflict"; size: number }
  /** It answered, but with no cosignature of its own over this checkpoint. */
  | { outcome: "refused"; problem: string }
  /** It could not be reached, or not in time. */
  | { outcome: "unreachable"; problem: string };

export interface AskOptions {
  fetch?: typeof fetch;
  /** For the whole exchange; 10 s. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Hosts beside this machine to which plain http is accepted. */
  plainHttp?: ReadonlySet<string>;
  /** POSIX seconds. */
  now?: () => number;
}

/**
 * Asks a witness once for its cosignature over a checkpoint (https://c2sp.org/tlog-witness, "add-checkpoint"). The
 * answer is bounded, redirects are not followed, and a cosignature counts only when it verifies over this very
 * checkpoint with a time within five minutes of now.
 *
 * @param ask `oldSize` and `proof`: RFC 6962 §2.1.2 from there to the checkpoint; empty for 0 and for its own size.
 *   `checkpoint`: the note signed by the log
 * @throws WaybillError WB-NET-006 the address is not safe, WB-STORE-003 the checkpoint is no note
 */
export async function askWitness(
  ask: WitnessAddress & { oldSize: number; proof: readonly Hash[]; checkpoint: string },
  options: AskOptions = {},
): Promise<WitnessAnswer> {
  const { verifier, oldSize, proof, checkpoint } = ask;
  const url = new URL(`${ask.url.pathname.replace(/\/+$/, "")}/add-checkpoint`, ask.url);
  assertSafeUrl(url, options.plainHttp ?? new Set());
  const note = noteOf(checkpoint);
  const own = new AbortController();
  const ends = [own.signal, AbortSignal.timeout(options.timeoutMs ?? 10_000)];
  if (options.signal) ends.push(options.signal);
  let response: Response;
  let body: Buffer;
  try {
    response = await (options.fetch ?? fetch)(url, {
      method: "POST",
      headers: { "user-agent": "waybill", "content-type": "text/plain; charset=utf-8" },
      body: encodeAddCheckpoint(oldSize, proof, checkpoint),
      redirect: "manual",
      signal: AbortSignal.any(ends),
    });
    body = await collect(
      watchedBody(response.body as ReadableStream<Uint8Array> | null, {
        limit: MAX_ANSWER,
        pace: { windowMs: 10_000, minBytes: 1 },
        abort: (reason) => own.abort(reason),
        what: safeText(url.host),
      }),
    );
  } catch (error) {
    if (error instanceof WaybillError && error.code === "WB-NET-004")
      return { outcome: "refused", problem: error.message };
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { outcome: "unreachable", problem: safeText(String((reason as Error).message).slice(0, 200)) };
  }
  if (response.status === 409) return conflict(response, body);
  if (response.status !== 200) {
    const said = errorText(body, response.headers.get("content-type") ?? "");
    return { outcome: "refused", problem: `status ${response.status}${said === "" ? "" : ` (${said})`}` };
  }
  return cosignature(body.toString("utf8"), note, verifier, options.now ?? systemSeconds);
}

function conflict(response: Response, body: Buffer): WitnessAnswer {
  const type = (response.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
  const text = body.toString("latin1");
  const size = text.endsWith("\n") ? parseTreeSize(text.slice(0, -1)) : null;
  if (type !== "text/x.tlog.size" || size === null)
    return { outcome: "refused", problem: "a conflict without the size that it is about" };
  return { outcome: "conflict", size };
}

/** Finds the witness's own line among those of the answer. */
function cosignature(
  answer: string,
  note: SignedNote,
  verifier: NoteVerifier,
  now: () => number,
): WitnessAnswer {
  const refused = (problem: string): WitnessAnswer => ({ outcome: "refused", problem });
  const lines = answer.split("\n");
  if (lines.pop() !== "") return refused("the answer does not end in a newline");
  const signatures = lines.map(parseSignatureLine);
  if (signatures.includes(null)) return refused("the answer holds something else than signature lines");
  const found = signatures.filter((each) => each !== null);
  const verified = verifyNote({ text: note.text, signatures: found }, [verifier]);
  if ("problem" in verified) return refused(verified.problem);
  const { time } = verified.signatures[0]!;
  if (time === undefined) return refused("the key is not one of cosignatures");
  if (Math.abs(time - now()) > MAX_SKEW) return refused("the time of the cosignature is not now");
  const own = found.find(({ name, keyId }) => name === verifier.name && keyId === verifier.keyId)!;
  return { outcome: "cosigned", line: encodeSignatureLine(own), time };
}

function noteOf(checkpoint: string): SignedNote {
  const note = parseNote(checkpoint);
  if (!("problem" in note)) return note;
  throw new WaybillError("WB-STORE-003", `the checkpoint is no signed note: ${note.problem}`, {
    hint: "waybill journal fsck",
  });
}

function systemSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

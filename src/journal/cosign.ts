import type { Hash } from "../core/merkle.ts";
import type { NoteVerifier } from "../core/note.ts";
import { type AskOptions, askWitness, type WitnessAddress, type WitnessAnswer } from "./witness-client.ts";

/** Times that one witness is asked: the size it has seen may change in between. */
const MAX_ASKED = 4;

/** What came of asking one witness until it cosigned or could not. */
export interface WitnessResult {
  verifier: NoteVerifier;
  /** Its cosignature line with the newline; absent when there is none. */
  line?: string;
  /** POSIX seconds, with `line`. */
  time?: number;
  /** The size that it has cosigned, where it is known: what to start from next time. */
  seen?: number;
  /** Why there is no line. */
  problem?: string;
  /** True where the witness has seen a larger tree than this: the log was rolled back, or forked. */
  ahead?: boolean;
}

/**
 * Asks witnesses at the same time to cosign a checkpoint, each with a proof from what it has seen. A witness that
 * fails stands in the results with the reason; nothing is thrown for it.
 *
 * @param ask `checkpoint`: the note signed by the log, of `size` leaves; `prove`: the consistency proof (RFC 6962
 *   §2.1.2) from an older size to this one, asked only for sizes between; `witnesses[].seen`: the size that it
 *   cosigned last, as remembered, else 0 and it will say; `enough`: when so many have cosigned, the others are not
 *   waited for
 * @returns the checkpoint with the lines put behind its own, and a result each witness, in their order
 * @throws WaybillError WB-NET-006 an address is not safe; and what `prove` throws
 */
export async function gatherCosignatures(
  ask: {
    checkpoint: string;
    size: number;
    witnesses: readonly (WitnessAddress & { seen?: number })[];
    prove: (oldSize: number) => Promise<readonly Hash[]>;
    enough?: number;
  },
  options: AskOptions = {},
): Promise<{ checkpoint: string; results: readonly WitnessResult[] }> {
  const enough = ask.enough ?? ask.witnesses.length;
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  let cosigned = 0;
  const results = await Promise.all(
    ask.witnesses.map(async (witness) => {
      const result = await askUntilDone(ask, witness, { ...options, signal });
      if (result.line !== undefined) cosigned += 1;
      if (cosigned >= enough) stop.abort(new Error("enough witnesses have cosigned"));
      return result;
    }),
  );
  const lines = results.map(({ line }) => line ?? "").join("");
  return { checkpoint: ask.checkpoint + lines, results };
}

async function askUntilDone(
  ask: { checkpoint: string; size: number; prove: (oldSize: number) => Promise<readonly Hash[]> },
  witness: WitnessAddress & { seen?: number },
  options: AskOptions,
): Promise<WitnessResult> {
  const { checkpoint, size, prove } = ask;
  const { url, verifier } = witness;
  let oldSize = witness.seen ?? 0;
  let last: WitnessAnswer | undefined;
  for (let asked = 0; asked < MAX_ASKED; asked += 1) {
    // A memory that is ahead of the log is asked about, not believed.
    if (oldSize > size && last === undefined) oldSize = 0;
    const proof = oldSize === 0 || oldSize === size ? [] : await prove(oldSize);
    last = await askWitness({ url, verifier, oldSize, proof, checkpoint }, options);
    if (last.outcome === "cosigned") return { verifier, line: last.line, time: last.time, seen: size };
    if (last.outcome !== "conflict") return { verifier, problem: last.problem };
    if (last.size > size)
      return {
        verifier,
        seen: last.size,
        ahead: true,
        problem: `it has seen a tree of ${last.size} entries`,
      };
    if (last.size === oldSize)
      return { verifier, seen: last.size, problem: `it knows another tree of ${last.size} entries` };
    oldSize = last.size;
  }
  return { verifier, problem: "it names another size each time" };
}

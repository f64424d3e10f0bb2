import { WaybillError } from "../core/errors.ts";

/** How slow a body may be. */
export interface Pace {
  /** In each window of so many milliseconds… */
  windowMs: number;
  /** …at least so many bytes must come, or the body must end. */
  minBytes: number;
}

/** A body that comes at least at this pace. */
export const DEFAULT_PACE: Pace = { windowMs: 30_000, minBytes: 32_768 };

/**
 * The chunks of a body, watched: one that trickles is ended, and so is one that is longer than announced.
 *
 * @param body of a response; null is an empty one
 * @param options `limit` in bytes; `abort` ends the connection; `what` names the server for people
 * @throws WaybillError WB-NET-001 too slow or broken off, WB-NET-004 more than `limit`
 */
export async function* watchedBody(
  body: ReadableStream<Uint8Array> | null,
  options: { limit: number; pace: Pace; abort: (reason: unknown) => void; what: string },
): AsyncGenerator<Uint8Array, void, undefined> {
  if (body === null) return;
  const { limit, pace, abort, what } = options;
  let total = 0;
  // Only waiting counts: a consumer that is slow itself must not look like a slow server.
  let waited = 0;
  let inWindow = 0;
  let slow = false;
  const reader = body.getReader();
  let ended = false;
  try {
    for (;;) {
      const began = performance.now();
      const timer = setTimeout(
        () => {
          slow = true;
          abort(new Error("too slow"));
        },
        Math.max(0, pace.windowMs - waited),
      );
      const read = await reader.read().finally(() => clearTimeout(timer));
      if (read.done) {
        ended = true;
        return;
      }
      waited += performance.now() - began;
      inWindow += read.value.length;
      if (inWindow >= pace.minBytes) [waited, inWindow] = [0, 0];
      total += read.value.length;
      if (total > limit)
        throw new WaybillError("WB-NET-004", `${what} sent more than ${limit} bytes`, {
          hint: "is this the right server? nothing of the answer was used",
        });
      yield read.value;
    }
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    throw slow
      ? new WaybillError("WB-NET-001", `${what} sends too slowly`, {
          hint: "try again later, or from another network",
          cause,
        })
      : cause;
  } finally {
    if (!ended) {
      abort(new Error("no longer wanted"));
      await reader.cancel().catch(() => {});
    }
  }
}

/** All bytes of a watched body. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}
